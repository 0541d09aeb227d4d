package holder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/control"
)

// attempts bounds how often a client meets a holder that is just ending.
const attempts = 10

// Client is a connection to a holder, which doesn't end while it is open.
type Client struct{ conn *control.Conn }

// Start starts the monitor of a guest, and the holder if none runs. plan is a
// memfd that the monitor is started with; what becomes of the guest is written
// to report, of which no copy stays here. The result is the monitor's pid.
func Start(ctx context.Context, c Config, name string, plan, report *os.File) (int, error) {
	var err error
	for range attempts {
		var client *Client
		client, err = Ensure(ctx, c)
		if err != nil {
			return 0, err
		}
		var pid int
		pid, err = client.Start(ctx, c.Helper, name, plan, report)
		client.Close()
		// Lost before an answer: the holder was ending when we connected. A start
		// that it had taken would have been answered.
		if !errors.Is(err, control.ErrLost) {
			return pid, err
		}
	}
	return 0, err
}

// Ensure connects to the holder of an instance, and starts it if none runs.
func Ensure(ctx context.Context, c Config) (*Client, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	dir, err := os.Open(c.RunDir)
	if err != nil {
		return nil, fmt.Errorf("cannot open run directory: %w", err)
	}
	defer dir.Close()
	conn, err := control.DialAt(ctx, int(dir.Fd()), SocketName)
	if err == nil {
		return &Client{conn}, nil
	}
	if !errors.Is(err, control.ErrNoMonitor) {
		return nil, fmt.Errorf("cannot connect to the holder: %w", err)
	}
	// Only who has the lock makes the socket, so two starters don't make two
	// holders; and a holder ends under it.
	lock, err := flock.Acquire(ctx, filepath.Join(c.RunDir, lockName), false)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	conn, err = control.DialAt(ctx, int(dir.Fd()), SocketName)
	if errors.Is(err, control.ErrNoMonitor) {
		conn, err = launch(ctx, c, int(dir.Fd()))
	}
	if err != nil {
		return nil, fmt.Errorf("cannot start the holder: %w", err)
	}
	return &Client{conn}, nil
}

// launch starts a holder that listens already, and returns a connection to
// it: this is in its queue before it runs, so that it doesn't find itself
// without a client and ends.
func launch(ctx context.Context, c Config, dirFD int) (*control.Conn, error) {
	listen, err := control.ListenAt(dirFD, SocketName)
	if err != nil {
		return nil, err
	}
	defer unix.Close(listen)
	conn, err := control.DialAt(ctx, dirFD, SocketName)
	if err != nil {
		return nil, err
	}
	if err := daemonise(c, listen); err != nil {
		conn.Close()
		unix.Unlinkat(dirFD, SocketName, 0)
		return nil, err
	}
	return conn, nil
}

// daemonise starts the holder in a session of its own and, where that can be, in its
// control group from birth: a move of a process has the kernel wait for all CPUs. Its
// parent is the caller, as long as that lives: a verb ends before it, and in a program
// that lives long a goroutine waits for it.
func daemonise(c Config, listen int) error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	attr := &syscall.ProcAttr{
		Dir:   "/",
		Env:   environment(),
		Files: []uintptr{null.Fd(), null.Fd(), null.Fd(), uintptr(listen)},
		Sys:   &syscall.SysProcAttr{Setsid: true},
	}
	if dir, err := makeGroup(c.Base); err == nil {
		defer unix.Close(dir)
		attr.Sys.UseCgroupFD, attr.Sys.CgroupFD = true, dir
	}
	pid, err := syscall.ForkExec(c.Helper, c.args(modeServe), attr)
	if err != nil && attr.Sys.UseCgroupFD {
		// The holder before it removes the group just now, or the host doesn't allow it.
		attr.Sys.UseCgroupFD = false
		pid, err = syscall.ForkExec(c.Helper, c.args(modeServe), attr)
	}
	if err != nil {
		return fmt.Errorf("cannot run %s: %w", c.Helper, err)
	}
	go reap(pid)
	return nil
}

func reap(pid int) {
	for {
		if _, err := unix.Wait4(pid, nil, 0, nil); err != unix.EINTR {
			return
		}
	}
}

// Start asks for the monitor of a guest; see the function [Start].
func (c *Client) Start(ctx context.Context, helper, name string, plan, report *os.File) (int, error) {
	var resp control.Response
	req := control.Request{Op: control.OpStart, Name: name, Helper: helper}
	_, err := c.conn.CallFDs(ctx, req, []int{int(plan.Fd()), int(report.Fd())}, &resp)
	if err != nil {
		return 0, fmt.Errorf("cannot start monitor of %s: %w", name, err)
	}
	return resp.Pid, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }
