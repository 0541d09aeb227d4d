package host

import (
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/fdstore"
)

// notifier tells the service manager how the service is, if it has one that listens
// (sd_notify(3)).
type notifier struct{ store *fdstore.Store }

// newNotifier connects to NOTIFY_SOCKET's value, "" for none. A manager that can't be
// told is no reason not to serve.
func newNotifier(addr string) *notifier {
	store, err := fdstore.Open(addr)
	if err != nil {
		return &notifier{}
	}
	return &notifier{store}
}

func (n *notifier) tell(pairs ...string) {
	if n.store != nil {
		// One that went away meanwhile will be told when it asks for nothing more.
		_ = n.store.Notify(pairs...)
	}
}

func (n *notifier) ready()             { n.tell("READY", "1") }
func (n *notifier) status(text string) { n.tell("STATUS", text) }
func (n *notifier) stopping()          { n.tell("STOPPING", "1") }

// reloading says that the configuration is read, and when, as Type=notify-reload wants it.
func (n *notifier) reloading() {
	var now unix.Timespec
	if unix.ClockGettime(unix.CLOCK_MONOTONIC, &now) == nil {
		n.tell("RELOADING", "1", "MONOTONIC_USEC", strconv.FormatInt(now.Nano()/1000, 10))
	}
}
