package link

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
	"github.com/sysct/sysct/pkg/vnet/guard"
)

// Session is the host's namespace and, once it is entered, a guest's.
type Session struct {
	setup *vnet.Setup
	host  *netlink.Handle
	guest *netlink.Handle // nil before Enter
	ns    int

	changing bool // links may have limits that they are to have no more

	guards map[string]*guard.Program // loaded ahead, by interfaces' names
}

// Open begins to work for a guest, in the caller's network namespace.
func Open(setup *vnet.Setup) (*Session, error) {
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("cannot open netlink: %w", err)
	}
	return &Session{setup: setup, host: h, ns: -1, guards: map[string]*guard.Program{}}, nil
}

// Close lets go of both namespaces.
func (s *Session) Close() {
	s.host.Close()
	for _, g := range s.guards {
		g.Close()
	}
	if s.guest != nil {
		s.guest.Close()
		unix.Close(s.ns)
	}
}

// Enter opens the network namespace of a process.
func (s *Session) Enter(pid int) error {
	ns, err := unix.Open("/proc/"+strconv.Itoa(pid)+"/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open the guest's network namespace: %w", err)
	}
	// A guest with the host's namespace would have its interfaces set up over the host's own.
	var own, its unix.Stat_t
	if err := errors.Join(unix.Stat("/proc/thread-self/ns/net", &own), unix.Fstat(ns, &its)); err != nil || own.Ino == its.Ino {
		unix.Close(ns)
		return errors.Join(errors.New("the guest has no network namespace of its own"), err)
	}
	h, err := netlink.NewHandleAt(netns.NsHandle(ns), unix.NETLINK_ROUTE)
	if err != nil {
		unix.Close(ns)
		return fmt.Errorf("cannot enter the guest's network namespace: %w", err)
	}
	s.guest, s.ns = h, ns
	return nil
}

// alias marks what is made for an interface.
func (s *Session) alias(i *vnet.Interface) string {
	return vnet.Alias(s.setup.Tag, s.setup.Guest, i.Name)
}

// missing tells a link that isn't there from other errors.
func missing(err error) bool {
	var not netlink.LinkNotFoundError
	return errors.As(err, &not) || errors.Is(err, unix.ENODEV)
}
