package guest

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/guest/control"
)

// What enters a guest has a filter of its own, and so a listener of its own: that of the
// guest's init is inherited only. Its calls of sysinfo(2) are answered by the guest's
// monitor, like all others, for as long as there is a process with that filter: the command
// may start a service.

const (
	// listenTries is how often the monitor is asked, which may just have died.
	listenTries = 20
	listenPause = 100 * time.Millisecond
	// handingPause is between two looks whether there is still somebody who could call.
	handingPause = 5 * time.Millisecond
)

// handing is a listener on its way to the guest's monitor.
type handing struct {
	listener int           // a duplicate
	over     chan struct{} // closed when the monitor has it, or won't take it
}

// giveListener gives the guest's monitor a listener. If none takes it the calls are the
// kernel's own for as long as this program runs.
func (m *Manager) giveListener(ctx context.Context, name string, listener int) *handing {
	h := &handing{over: make(chan struct{})}
	var err error
	if h.listener, err = unix.FcntlInt(uintptr(listener), unix.F_DUPFD_CLOEXEC, 3); err != nil {
		h.listener = -1
	}
	go func() {
		defer unix.Close(listener)
		taken := m.offerListener(ctx, name, listener)
		close(h.over)
		if !taken {
			passCalls(listener)
		}
	}()
	return h
}

// offerListener says whether the monitor has taken a listener.
func (m *Manager) offerListener(ctx context.Context, name string, listener int) bool {
	for range listenTries {
		err := m.tryListen(ctx, name, listener)
		var refused *control.Error
		if err == nil || errors.As(err, &refused) || ctx.Err() != nil {
			return err == nil
		}
		time.Sleep(listenPause)
	}
	return false
}

// wait returns when the listener is over, or nobody is left who could call on it: a command
// that ends at once may have started a service.
func (h *handing) wait() {
	if h == nil || h.listener < 0 {
		return
	}
	defer unix.Close(h.listener)
	for {
		select {
		case <-h.over:
			return
		case <-time.After(handingPause):
			fds := []unix.PollFd{{Fd: int32(h.listener)}} // POLLHUP is always polled for
			if n, err := unix.Poll(fds, 0); n > 0 || err != nil && !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}
}

func (m *Manager) tryListen(ctx context.Context, name string, listener int) error {
	ctx, cancel := context.WithTimeout(ctx, listenTries*listenPause)
	defer cancel()
	conn, err := m.reach(ctx, name)
	if err != nil {
		return err
	}
	defer conn.Close()
	fds, err := conn.CallFDs(ctx, control.Request{Op: control.OpListen}, []int{listener}, &control.Response{})
	control.CloseAll(fds)
	return err
}

// passCalls has the kernel carry out what is called, until nobody is left who could.
func passCalls(listener int) {
	var n seccomp.Notification
	for {
		fds := []unix.PollFd{{Fd: int32(listener), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		switch {
		case fds[0].Revents&unix.POLLIN != 0:
			if seccomp.Receive(listener, &n) == nil {
				_ = seccomp.Continue(listener, n.ID) // or its caller has gone
			}
		case fds[0].Revents != 0:
			return
		}
	}
}
