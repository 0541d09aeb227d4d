package monitor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
)

// Action is something to be done. Each of the types below is one.
type Action interface{ action() }

type (
	// Save keeps the core's Life for a successor, before what follows is done.
	Save struct{}

	// Recover ends processes of the guest that nobody keeps; Recovered follows.
	Recover struct{ Timeout time.Duration }

	// Launch makes the groups and the context of a boot; Stored follows, or
	// Launched with an error.
	Launch struct{}

	// Proceed has init executed after Stored, or with Err, the launch given up;
	// Launched follows.
	Proceed struct{ Err error }

	// GiveUp ends the hooks that are being run, and with them the launch.
	GiveUp struct{}

	// Cleanup removes what a boot has made; Cleaned follows.
	Cleanup struct{}

	// Finish removes what the life has made but what a successor would need;
	// Finished follows.
	Finish struct{}

	// LetGo says that the monitor is done: it has no successor from then on. What
	// is left of the life is run.json.
	LetGo struct{}

	// Mark notes in the guest's directory that the guest is ephemeral and has booted.
	Mark struct{}

	// Unmark takes that back.
	Unmark struct{}

	// Destroy removes a guest that was let go with all that it has; Destroyed follows.
	Destroy struct{ Patience time.Duration }

	// GiveWay ends the patience of a Destroy.
	GiveWay struct{}

	// Halt asks init to shut the guest down; Halted follows.
	Halt struct{}

	// KillAll kills every process of the guest, frozen or not.
	KillAll struct{}

	// FreeInit ends who keeps a killed init from ending, if it is one of ours;
	// Stuck follows.
	FreeInit struct{}

	// Signal sends a signal to init.
	Signal struct{ Sig unix.Signal }

	// Freeze and Thaw are followed by FreezeDone and ThawDone.
	Freeze struct{ Timeout time.Duration }
	Thaw   struct{ Timeout time.Duration }

	// Show answers a client with the plan.
	Show struct{ Client int }

	// Apply makes a change that a client asked for; Applied follows.
	Apply struct {
		Client int
		Change *Change
	}

	// Allow has the kernel carry out a system call of the guest that waits.
	Allow struct{ Call uint64 }

	// CheckReady runs the ready command; ReadyChecked follows.
	CheckReady struct{}

	// Reply answers a client. Pidfd: with a pidfd of init. Enter: and with the groups
	// to enter by, the v2 leaf first, then the v1 files to join by.
	Reply struct {
		Client int
		Resp   control.Response
		Pidfd  bool
		Enter  bool
	}

	// Tell sends the report to who started the guest, if that is still waiting.
	Tell struct {
		Pid int
		Err error
	}

	// Inform tells the service manager something, as key, value, key, value (sd_notify(3)).
	Inform struct{ Pairs []string }

	// Record notes a boot that went wrong, for those who ask why. Err: why init was
	// not executed; nil: it was, and ended. Ready: it had been up before. OOMKills:
	// processes of the boot that were killed for lack of memory.
	Record struct {
		Err      error
		Ready    bool
		OOMKills int64
	}

	// Forget removes that note: a boot after it went well.
	Forget struct{}

	// Note writes an event into the instance's log of them.
	Note struct{ Event events.Event }

	// Say writes a line into the log.
	Say struct{ Text string }

	// Exit ends the monitor.
	Exit struct{}
)

func (Save) action()       {}
func (Recover) action()    {}
func (Launch) action()     {}
func (Proceed) action()    {}
func (GiveUp) action()     {}
func (Cleanup) action()    {}
func (Finish) action()     {}
func (LetGo) action()      {}
func (Mark) action()       {}
func (Unmark) action()     {}
func (Destroy) action()    {}
func (GiveWay) action()    {}
func (Halt) action()       {}
func (KillAll) action()    {}
func (FreeInit) action()   {}
func (Signal) action()     {}
func (Freeze) action()     {}
func (Thaw) action()       {}
func (Show) action()       {}
func (Apply) action()      {}
func (Allow) action()      {}
func (CheckReady) action() {}
func (Reply) action()      {}
func (Tell) action()       {}
func (Inform) action()     {}
func (Record) action()     {}
func (Forget) action()     {}
func (Note) action()       {}
func (Say) action()        {}
func (Exit) action()       {}
