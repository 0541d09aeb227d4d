package holder

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/pkg/guest/control"
)

// ErrNone says that an instance has no holder.
var ErrNone = control.ErrNoMonitor

// Running is a holder that runs.
type Running struct {
	Pid     int
	Version string // of its program; "": one that can't be upgraded in place
}

// Find gives an instance's holder, or fails with ErrNone.
func Find(ctx context.Context, c Config) (*Running, error) {
	conn, err := dial(ctx, c)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var resp control.Response
	if _, err := conn.Call(ctx, control.Request{Op: control.OpStatus}, &resp); err != nil {
		return nil, fmt.Errorf("cannot ask the holder: %w", err)
	}
	return &Running{resp.Pid, resp.Program}, nil
}

func dial(ctx context.Context, c Config) (*control.Conn, error) {
	dir, err := os.Open(c.RunDir)
	if err != nil {
		return nil, fmt.Errorf("cannot open run directory: %w", errors.Join(ErrNone, err))
	}
	defer dir.Close()
	return control.DialAt(ctx, int(dir.Fd()), SocketName)
}

// upgradeRetry is the pause between tries of an upgrade while a monitor is adopted.
const upgradeRetry = 100 * time.Millisecond

// Upgrade has the holder r go on as the program c.Helper, which is also open as program.
// One of before that is ended, and another one takes its place: the monitors leave
// their descriptors with it. The result is who runs then.
func Upgrade(ctx context.Context, c Config, r *Running, program *os.File) (*Running, error) {
	for {
		now, err := upgrade(ctx, c, program)
		var refused *control.Error
		switch {
		case errors.As(err, &refused) && refused.Kind == control.KindVersion:
			return replace(ctx, c, r)
		case errors.As(err, &refused) && refused.Kind == control.KindBusy && ctx.Err() == nil:
			time.Sleep(upgradeRetry)
		case err != nil:
			return nil, fmt.Errorf("cannot upgrade the holder: %w", err)
		default:
			return now, nil
		}
	}
}

func upgrade(ctx context.Context, c Config, program *os.File) (*Running, error) {
	conn, err := dial(ctx, c)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	var resp control.Response
	_, err = conn.CallFDs(ctx, control.Request{Op: control.OpUpgrade, Helper: c.Helper}, []int{int(program.Fd())}, &resp)
	return &Running{resp.Pid, resp.Program}, err
}

// replace ends a holder, and starts another before anybody else does.
func replace(ctx context.Context, c Config, r *Running) (*Running, error) {
	pidfd, err := unix.PidfdOpen(r.Pid, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the holder, process %d: %w", r.Pid, err)
	}
	defer unix.Close(pidfd)
	if again, err := Find(ctx, c); err != nil || again.Pid != r.Pid {
		return nil, fmt.Errorf("cannot replace the holder: it changes: %w", err)
	}
	lock, err := flock.Acquire(ctx, filepath.Join(c.RunDir, lockName), false)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	if err := unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0); err != nil && err != unix.ESRCH {
		return nil, fmt.Errorf("cannot end the holder: %w", err)
	}
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for n := 0; n == 0; {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if n, err = unix.Poll(fds, int(upgradeRetry.Milliseconds())); err != nil && err != unix.EINTR {
			return nil, fmt.Errorf("cannot wait for the holder's end: %w", err)
		}
	}
	dir, err := os.Open(c.RunDir)
	if err != nil {
		return nil, fmt.Errorf("cannot open run directory: %w", err)
	}
	defer dir.Close()
	conn, err := launch(ctx, c, int(dir.Fd()))
	if err != nil {
		return nil, fmt.Errorf("cannot start the holder: %w", err)
	}
	conn.Close()
	return Find(ctx, c)
}
