// Package flock takes advisory locks on files. The kernel frees such a lock when
// its holder dies, so none is ever left over; nothing is written into the file.
//
// It is for locks among processes of this program, not within one process.
package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrHeld is the cause when somebody else holds the lock. The error that wraps
// it names the holder.
var ErrHeld = errors.New("lock is held")

// maxPause bounds the time between two tries of a waiter. A thread that blocks
// in flock(2) could not be called back when its context ends.
const maxPause = 20 * time.Millisecond

// Lock is a lock that is held until Release or the end of the process.
type Lock struct{ file *os.File }

// Acquire waits for the lock on the file at path, which is made (mode 0600) if
// it is missing; its last component must not be a symlink. A shared lock
// excludes exclusive ones only. If ctx ends first, the error wraps both ErrHeld
// and ctx's error and names the holder.
func Acquire(ctx context.Context, path string, shared bool) (*Lock, error) {
	how := unix.LOCK_EX
	if shared {
		how = unix.LOCK_SH
	}
	for pause := time.Millisecond; ; pause = min(2*pause, maxPause) {
		lock, err := try(path, how)
		if err == nil || !errors.Is(err, ErrHeld) {
			return lock, err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%w: %w", err, context.Cause(ctx))
		}
	}
}

// TryAcquire takes the exclusive lock on the file at path, as Acquire does, or
// fails at once with an error that wraps ErrHeld and names the holder.
func TryAcquire(path string) (*Lock, error) {
	return try(path, unix.LOCK_EX)
}

// Release frees the lock. The file stays: to remove it would let two processes
// hold "the" lock, one of them on the removed file.
func (l *Lock) Release() error {
	// Unlocked by itself first: a process that was forked meanwhile may have a
	// copy of the descriptor, and closing ours would leave the lock to it.
	err := unix.Flock(int(l.file.Fd()), unix.LOCK_UN)
	if closing := l.file.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return fmt.Errorf("cannot release lock %q: %w", l.file.Name(), err)
	}
	return nil
}

// try takes the lock or says at once why it can't.
func try(path string, how int) (*Lock, error) {
	for {
		file, err := open(path)
		if err != nil {
			return nil, fmt.Errorf("cannot open lock %q: %w", path, err)
		}
		err = flock(file, how|unix.LOCK_NB)
		if errors.Is(err, unix.EWOULDBLOCK) {
			err = held(path, file)
		} else if err != nil {
			err = fmt.Errorf("cannot lock %q: %w", path, err)
		} else if isCurrent(file, path) {
			return &Lock{file}, nil
		}
		file.Close()
		if err != nil {
			return nil, err
		}
	}
}

func open(path string) (*os.File, error) {
	flags := unix.O_RDWR | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY | unix.O_CLOEXEC
	fd, err := unix.Open(path, flags, 0o600)
	for errors.Is(err, unix.EINTR) {
		fd, err = unix.Open(path, flags, 0o600)
	}
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), path), nil
}

func flock(file *os.File, how int) error {
	for {
		if err := unix.Flock(int(file.Fd()), how); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// isCurrent tells whether path still names the locked file: its directory may
// have been removed and made anew between open and lock.
func isCurrent(file *os.File, path string) bool {
	var locked, named unix.Stat_t
	if unix.Fstat(int(file.Fd()), &locked) != nil || unix.Lstat(path, &named) != nil {
		return false
	}
	return locked.Dev == named.Dev && locked.Ino == named.Ino
}
