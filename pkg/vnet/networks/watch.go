package networks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Watch calls changed for the host's events that can mean that a network of the instance
// has lost something: a link that is deleted or changes, an address that goes. It gives the
// reason for which it ends: ctx's, or that of the kernel's.
func (s *Store) Watch(ctx context.Context, changed func()) error {
	done := make(chan struct{})
	defer close(done)
	failed := make(chan error, 2)
	fail := func(err error) {
		select {
		case failed <- err:
		default:
		}
	}
	links, addrs := make(chan netlink.LinkUpdate, 64), make(chan netlink.AddrUpdate, 64)
	if err := netlink.LinkSubscribeWithOptions(links, done, netlink.LinkSubscribeOptions{ErrorCallback: fail}); err != nil {
		return fmt.Errorf("cannot listen to changes of links: %w", err)
	}
	if err := netlink.AddrSubscribeWithOptions(addrs, done, netlink.AddrSubscribeOptions{ErrorCallback: fail}); err != nil {
		return fmt.Errorf("cannot listen to changes of addresses: %w", err)
	}
	defer drain(links, addrs)
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-failed:
			// Among them that there were more events than fit: what was lost may be ours.
			changed()
			return fmt.Errorf("cannot listen to the host's links: %w", err)
		case u, open := <-links:
			if !open {
				changed()
				return errors.New("cannot listen to the host's links: the kernel has ended it")
			}
			if u.Header.Type == unix.RTM_DELLINK && s.concerns(u.Link) {
				changed()
			}
		case u, open := <-addrs:
			if !open {
				changed()
				return errors.New("cannot listen to the host's addresses: the kernel has ended it")
			}
			if !u.NewAddr {
				changed()
			}
		}
	}
}

// drain lets the readers of netlink's end: they may be waiting for somebody to take an
// event.
func drain(links chan netlink.LinkUpdate, addrs chan netlink.AddrUpdate) {
	go func() {
		for range links {
		}
	}()
	go func() {
		for range addrs {
		}
	}()
}

// concerns says whether a link is, or was, the bridge of a network that is up. Guests'
// links come and go with them.
func (s *Store) concerns(link netlink.Link) bool {
	names, err := s.upNames()
	if err != nil || len(names) == 0 {
		return false
	}
	for _, name := range names {
		if n, err := s.upAs(name); err == nil && n != nil && n.Device == link.Attrs().Name {
			return true
		}
	}
	return strings.HasPrefix(link.Attrs().Alias, "sysct ")
}
