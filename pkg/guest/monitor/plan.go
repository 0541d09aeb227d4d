package monitor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"

	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/limits"
)

// planVersion is the version of the plan's schema.
const planVersion = 1

// maxPlan bounds a plan, in bytes.
const maxPlan = 1 << 20

// Plan is all that a monitor needs to know to keep a guest. It doesn't change
// during the guest's life.
type Plan struct {
	Version     int           `json:"version"` // set by Memfd
	Name        string        `json:"name"`
	Base        string        `json:"base"`    // name of the instance's control groups, as "sysct"
	RunDir      string        `json:"run_dir"` // of the instance
	LogDir      string        `json:"log_dir"`
	Context     sysctx.Spec   `json:"context"`
	Limits      limits.Limits `json:"limits"`
	Restart     string        `json:"restart"`      // RestartNo or RestartOnFailure
	Halt        string        `json:"halt"`         // "auto" or the name of a signal
	ReadyCmd    []string      `json:"ready_cmd"`    // empty: readiness is told by init or seen on the console
	StopTimeout time.Duration `json:"stop_timeout"` // for a stop that doesn't say; 0: it is killed at once; negative: DefaultStopTimeout
	LogSize     int64         `json:"log_size"`     // bytes of a console log file; 0: the default of package console
	LogFiles    int           `json:"log_files"`    // 0: the default of package console
	BootID      string        `json:"boot_id"`      // the host's
	// Recover allows a start while processes of the guest run that no monitor
	// keeps: they are ended first, by a halt and then a kill.
	Recover bool `json:"recover,omitempty"`
}

// Restart policies.
const (
	RestartNo        = "no"
	RestartOnFailure = "on-failure"
)

// HaltAuto finds the way to halt a guest from its init.
const HaltAuto = "auto"

// DefaultStopTimeout is how long a guest's own shutdown may take.
const DefaultStopTimeout = 60 * time.Second

// Memfd writes the plan into a memfd, as a monitor is started with.
func (p *Plan) Memfd() (*os.File, error) {
	p.Version = planVersion
	data, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("cannot write plan: %w", err)
	}
	fd, err := unix.MemfdCreate("sysct-plan", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot write plan: %w", os.NewSyscallError("memfd_create", err))
	}
	f := os.NewFile(uintptr(fd), "plan")
	if _, err := f.Write(data); err != nil {
		f.Close()
		return nil, fmt.Errorf("cannot write plan: %w", err)
	}
	return f, nil
}

// readPlan reads a plan from its beginning, whatever the offset: the
// descriptor is shared with those who read it before.
func readPlan(fd int) (*Plan, error) {
	f := reader{fd}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, maxPlan))
	if err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	var p Plan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("cannot read plan: %w", err)
	}
	if p.Version != planVersion {
		return nil, fmt.Errorf("cannot read plan: version %d instead of %d", p.Version, planVersion)
	}
	if p.Name == "" || p.Base == "" || p.RunDir == "" {
		return nil, errors.New("cannot read plan: it has no name, base or run directory")
	}
	if p.StopTimeout < 0 {
		p.StopTimeout = DefaultStopTimeout
	}
	return &p, nil
}

// reader reads a descriptor without owning it.
type reader struct{ fd int }

func (r reader) ReadAt(p []byte, off int64) (int, error) {
	n, err := unix.Pread(r.fd, p, off)
	if err == nil && n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return max(n, 0), err
}
