package state

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/sysct/sysct/internal/atomicfile"
)

const (
	runFile    = "run.json"
	runVersion = 1
)

// Run is what the monitor notes of one life of a guest, for those who ask when no
// monitor answers. It is the content of run.json in the guest's run directory, and
// is worth something only while BootID is that of the running host.
type Run struct {
	Version    int       `json:"version"` // of the schema; WriteRun sets it
	BootID     string    `json:"boot_id"` // /proc/sys/kernel/random/boot_id when it was written
	State      State     `json:"state"`
	Pid        int       `json:"pid"`               // of the guest's init on the host; 0: none. A hint: signals go by pidfd
	MonitorPid int       `json:"monitor_pid"`       // 0: none
	StartedAt  time.Time `json:"started_at"`        // when init was executed first; zero: never
	Ready      bool      `json:"ready"`             // the guest said or showed that it is up
	Boots      int       `json:"boots"`             // how often init was executed in this life
	Exit       *Exit     `json:"exit"`              // how it ended last; nil: it hasn't
	IDBase     uint32    `json:"id_base"`           // the host's id of the guest's id 0
	IDSize     uint32    `json:"id_size,omitempty"` // how many ids it has; 0: 65536
	Nesting    bool      `json:"nesting,omitempty"` // its filter is that of a guest that nests others
}

// Exit is how a guest ended.
type Exit struct {
	Code   *int      `json:"code"`   // init's exit status; nil: a signal, or unknown
	Signal string    `json:"signal"` // the signal that killed init, as SIGKILL; "": none, or unknown
	Reason string    `json:"reason"` // one of the Reason constants
	At     time.Time `json:"at"`
}

// Why a guest ended.
const (
	ReasonPoweroff = "poweroff" // it asked for it, or was stopped cleanly
	ReasonHalt     = "halt"     // reboot(2) with the halt command
	ReasonReboot   = "reboot"   // it asked for it
	ReasonKilled   = "killed"   // sysct killed it: stop -k, or a stop's time ran out
	ReasonOOM      = "oom"      // its init was killed because its memory limit was reached
	ReasonSignal   = "signal"   // its init was killed by a signal that sysct didn't send
	ReasonExited   = "exited"   // its init ended by itself, without reboot(2)
	ReasonFailed   = "failed"   // it could not be started
	ReasonUnknown  = "unknown"  // nobody was there to see it
)

// Reasons returns all of them.
func Reasons() []string {
	return []string{
		ReasonPoweroff, ReasonHalt, ReasonReboot, ReasonKilled, ReasonOOM,
		ReasonSignal, ReasonExited, ReasonFailed, ReasonUnknown,
	}
}

// ReadRun reads run.json in the guest's run directory dirfd, as strictly as
// ReadIdentity reads its file. A missing file is fs.ErrNotExist, and so is an empty
// one, which a power loss can leave.
func ReadRun(dirfd int) (*Run, error) {
	var run Run
	err := readFile(dirfd, runFile, runVersion, &run)
	if errors.Is(err, errEmpty) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, err
	}
	if err := run.check(); err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", runFile, err)
	}
	return &run, nil
}

// WriteRun replaces run.json in the guest's run directory dirfd atomically. It
// refuses what ReadRun would refuse. It syncs nothing: the file is void after the
// host's next boot, and a sync costs milliseconds where the run directory isn't in
// memory.
func WriteRun(dirfd int, run *Run) error {
	stored := *run
	stored.Version = runVersion
	stored.StartedAt = stored.StartedAt.UTC()
	if run.Exit != nil {
		exit := *run.Exit
		exit.At = exit.At.UTC()
		stored.Exit = &exit
	}
	if err := stored.check(); err != nil {
		return fmt.Errorf("cannot write %s: %w", runFile, err)
	}
	return writeFile(atomicfile.WriteVolatile, dirfd, runFile, &stored)
}

func (run *Run) check() error {
	switch {
	case !run.State.Valid():
		return fmt.Errorf("state: unknown state %.80q", string(run.State))
	case run.BootID == "":
		return errors.New("boot_id: missing")
	case run.Pid < 0 || run.Pid == 1:
		return fmt.Errorf("pid: %d is not a guest's", run.Pid)
	case run.MonitorPid < 0 || run.MonitorPid == 1:
		return fmt.Errorf("monitor_pid: %d is not a monitor's", run.MonitorPid)
	case run.Boots < 0:
		return fmt.Errorf("boots: %d is negative", run.Boots)
	}
	if err := checkText("boot_id", run.BootID); err != nil {
		return err
	}
	return run.Exit.check()
}

func (exit *Exit) check() error {
	if exit == nil {
		return nil
	}
	if !slices.Contains(Reasons(), exit.Reason) {
		return fmt.Errorf("exit.reason: unknown reason %.80q", exit.Reason)
	}
	return checkText("exit.signal", exit.Signal)
}
