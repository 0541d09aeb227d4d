package monitor

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
	"github.com/sysct/sysct/pkg/limits"
)

// Now is the time at which something happens: Mono for what has to be waited
// for, Wall for what is told to users.
type Now struct {
	Mono time.Duration // CLOCK_MONOTONIC
	Wall time.Time
}

// Event is something that happened. Each of the types below is one.
type Event interface{ event() }

type (
	// Begin is the first event of a life. Occupied: processes of the guest run
	// that nobody keeps.
	Begin struct{ Occupied bool }

	// Adopt is the first event of a monitor that goes on with a life.
	Adopt struct{ Facts }

	// Recovered says that what nobody kept has ended, or couldn't be ended.
	Recovered struct{ Err error }

	// Stored says that the guest is complete but for its init's execution.
	Stored struct {
		Pid      int
		OOMKills int64
		// Shown is how much the console had shown before this boot, in bytes.
		Shown uint64
		// Heard says that the guest's reboot(2) will be heard of.
		Heard bool
	}

	// Launched ends a launch; Err is nil when init has been executed.
	Launched struct{ Err error }

	// Counted says what befell the guest's processes since the groups of this boot were
	// made, which may be what it was.
	Counted struct{ limits.Counts }

	// Called says that the guest calls reboot(2), by its notification's id, and what
	// that does: one of state's reasons. Allow is to follow.
	Called struct {
		How  string
		Call uint64
	}

	// CallGone says that such a call was not carried out: its caller was interrupted.
	CallGone struct{ Call uint64 }

	// InitEnded says that init has gone. Known tells whether Status is. Doubtful: it is
	// how the task ended, which may stand for a reboot(2).
	InitEnded struct {
		Known    bool
		Doubtful bool
		Status   unix.WaitStatus
		// OOMKills are the processes of this boot that were killed for lack of memory,
		// Refused its forks that the limit of processes refused.
		OOMKills, Refused int64
	}

	// Cleaned says that a boot's groups and mounts are gone, or why not all.
	Cleaned struct{ Err error }

	// Finished says that what the life had made is gone.
	Finished struct{}

	// Destroyed ends Destroy, whatever came of it. Held: another verb has the guest.
	Destroyed struct{ Held bool }

	// Halted is what came of an attempt to have init halt.
	Halted struct {
		How   string // what was done, for the log
		Retry bool   // init doesn't listen yet
		Err   error  // there was no way to ask it
	}

	// FreezeDone and ThawDone end Freeze and Thaw.
	FreezeDone struct{ Err error }
	ThawDone   struct{ Err error }

	// Stuck is what came of FreeInit: the stopped clients that were ended, and who
	// else is waited for, "" for nobody.
	Stuck struct {
		Ended []int
		Waits string
	}

	// Told is a message of the guest's init.
	Told struct {
		Ready      bool
		Status     string // "": not said
		ExitStatus *int
	}

	// Prompted says that a login prompt is on the console. Systemd says whether
	// init is systemd, which tells by itself when it is ready.
	Prompted struct{ Systemd bool }

	// ReadyChecked is the end of the ready command.
	ReadyChecked struct{ Ready bool }

	// Applied ends Apply: the change was made whole, or not at all.
	Applied struct {
		Client int
		Err    error
		Values []events.Value // of the configuration, that are others now
	}

	// Undone ends what Facts.Undoing says is under way.
	Undone struct{}

	// Asked is a client's request. Change came with it, if it is one for that.
	Asked struct {
		Client int
		Req    *control.Request
		Change *Change
	}

	// ClientGone says that a client has closed its connection.
	ClientGone struct{ Client int }

	// Terminate is SIGTERM: stop the guest, then exit.
	Terminate struct{}

	// Tick says that a deadline has come.
	Tick struct{}
)

// Facts are what the kernel says about a guest that is taken over.
type Facts struct {
	Alive   bool // init lives
	Booted  bool // init is no longer the program that prepares it
	Frozen  bool
	Undoing bool // a change that the monitor before died in is being taken back; Undone follows
	Renewed bool // the monitor before was this process, and ended when all was calm
	// Upgraded: and it was another program. Death is how another monitor ended.
	Upgraded bool
	Death    string
}

func (Begin) event()        {}
func (Adopt) event()        {}
func (Recovered) event()    {}
func (Stored) event()       {}
func (Launched) event()     {}
func (Counted) event()      {}
func (Called) event()       {}
func (CallGone) event()     {}
func (InitEnded) event()    {}
func (Cleaned) event()      {}
func (Finished) event()     {}
func (Destroyed) event()    {}
func (Halted) event()       {}
func (FreezeDone) event()   {}
func (ThawDone) event()     {}
func (Stuck) event()        {}
func (Told) event()         {}
func (Prompted) event()     {}
func (ReadyChecked) event() {}
func (Applied) event()      {}
func (Undone) event()       {}
func (Asked) event()        {}
func (ClientGone) event()   {}
func (Terminate) event()    {}
func (Tick) event()         {}
