package monitor

import (
	"encoding/json"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/guest/fdstore"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
)

// Names of descriptors. What a guest's screens leave is named by them.
const (
	fdPlan    = "plan"
	fdNext    = "plan-next" // the plan that is to be, see change
	fdDir     = "dir"       // the guest's directory, locked
	fdReport  = "report"
	fdShared  = "shared"
	fdControl = "control"
	fdInit    = "init"
	fdNotify  = "notify"
	fdCalls   = "calls"  // the listener of the guest's system call filter
	fdEntered = "calls-" // and its number: of the filter of what has entered the guest
	fdViews   = "views"  // /dev/fuse, by which the guest's views are asked
	fdMend    = "mend"   // letter with the file system of the views, while it isn't in its places yet
	fdAsker   = "asker"  // of an upgrade, see upgrade; never stored
	fdRing    = "ring-"  // and the screen's name: ring-console
)

// heritage is what a monitor finds: from who started it, and from the monitor
// before it.
type heritage struct {
	fds     map[string]int
	report  int
	life    *Life // nil: this is the first monitor of the life
	manager manager
	tree    cgroupfs.Tree

	version  string // of this program
	asker    int    // who had the program before execute this one; -1: nobody
	crash    string // what the monitor before has crashed of; "": it hasn't
	occupied bool   // processes of the guest run that nobody keeps
	renewed  bool   // the monitor before was this process
	again    bool   // there was a monitor of this life before
}

// manager is the service manager, as the environment tells of it.
type manager struct {
	Notify string   // NOTIFY_SOCKET
	Pid    int      // 0: it needs no watching
	Revive []string // the command that starts another one when it is dead
	// Watchdog is within what time it wants a sign of life; 0: it doesn't.
	Watchdog time.Duration
	Death    string // how the monitor before this one died, if it knows
	Store    int    // how many descriptors it keeps; 0: it doesn't say
}

// How many descriptors a service manager keeps that doesn't say.
const (
	roomOfUnit   = 256 // FileDescriptorStoreMax= of sysct@.service; systemd says from 254 on
	roomOfHolder = 64  // of before it said
)

// room is how many descriptors it keeps.
func (m *manager) room() int {
	switch {
	case m.Store > 0:
		return m.Store
	case len(m.Revive) > 0:
		return roomOfHolder
	}
	return roomOfUnit
}

// newHeritage sorts descriptors by name. Of several with one name the last was
// stored last.
func newHeritage(stored []fdstore.Stored) *heritage {
	h := &heritage{fds: map[string]int{}, report: -1, asker: -1, manager: readManager(), renewed: os.Getenv(renewedVar) != ""}
	os.Unsetenv(renewedVar)
	for _, s := range stored {
		h.fds[s.Name] = s.FD
	}
	_, h.again = h.fds[fdShared]
	if fd, ok := h.take(fdReport); ok {
		h.report = fd
	}
	if fd, ok := h.take(fdAsker); ok {
		h.asker = fd
	}
	return h
}

// take gives a descriptor out once.
func (h *heritage) take(name string) (int, bool) {
	fd, ok := h.fds[name]
	delete(h.fds, name)
	if !ok {
		return -1, false
	}
	return fd, true
}

// readManager reads the environment, and takes out of it what children must
// not take for theirs.
func readManager() manager {
	var m manager
	// Of the holder's making, or not there.
	json.Unmarshal([]byte(os.Getenv("SYSCT_MANAGER")), &m)
	m.Notify = os.Getenv("NOTIFY_SOCKET")
	if usec, err := strconv.ParseUint(os.Getenv("WATCHDOG_USEC"), 10, 40); err == nil {
		m.Watchdog = time.Duration(usec) * time.Microsecond
	}
	if n, err := strconv.ParseUint(os.Getenv("FDSTORE"), 10, 16); err == nil && len(m.Revive) == 0 {
		m.Store = int(n)
	}
	for _, kv := range os.Environ() {
		key, _, _ := strings.Cut(kv, "=")
		if key == "NOTIFY_SOCKET" || key == "SYSCT_MANAGER" || strings.HasPrefix(key, "LISTEN_") || strings.HasPrefix(key, "WATCHDOG_") {
			os.Unsetenv(key)
		}
	}
	return m
}
