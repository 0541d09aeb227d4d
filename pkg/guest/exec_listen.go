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
)

// giveListener gives the guest's monitor a listener. If none takes it the calls are the
// kernel's own for as long as this program runs.
func (m *Manager) giveListener(ctx context.Context, name string, listener int) {
	defer unix.Close(listener)
	for range listenTries {
		err := m.tryListen(ctx, name, listener)
		var refused *control.Error
		if err == nil {
			return
		}
		if errors.As(err, &refused) || ctx.Err() != nil {
			break
		}
		time.Sleep(listenPause)
	}
	passCalls(listener)
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
