package events

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// Watch wakes up who waits for the log in a directory to grow (inotify(7)).
type Watch struct {
	inotify *os.File
	dir     string
}

// OpenWatch watches the log in the directory dir. To be opened before what is there is
// read: what comes in between is then seen.
func OpenWatch(dir string) (*Watch, error) {
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot watch the log of events: %w", os.NewSyscallError("inotify_init1", err))
	}
	w := &Watch{inotify: os.NewFile(uintptr(fd), "inotify"), dir: dir}
	// Of the directory only its names: the other logs in it are written to all the time.
	if err := w.add(dir, unix.IN_CREATE|unix.IN_MOVED_TO|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_ONLYDIR); err != nil {
		w.Close()
		return nil, err
	}
	if err := w.renew(); err != nil {
		w.Close()
		return nil, err
	}
	return w, nil
}

// renew watches the file that has the name now; one that is watched already stays.
func (w *Watch) renew() error {
	err := w.add(filepath.Join(w.dir, fileName), unix.IN_MODIFY|unix.IN_DONT_FOLLOW)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

func (w *Watch) add(path string, mask uint32) error {
	conn, err := w.inotify.SyscallConn()
	if err != nil {
		return err
	}
	var werr error
	err = conn.Control(func(fd uintptr) { _, werr = unix.InotifyAddWatch(int(fd), path, mask) })
	if err = errors.Join(err, werr); err != nil {
		return fmt.Errorf("cannot watch the log of events: %w", &os.PathError{Op: "inotify_add_watch", Path: path, Err: err})
	}
	return nil
}

// Wait returns when something has happened to the log since the last Wait, or with ctx's
// error.
func (w *Watch) Wait(ctx context.Context) error {
	defer context.AfterFunc(ctx, func() { w.inotify.SetReadDeadline(time.Unix(1, 0)) })()
	var buf [4096]byte
	_, err := w.inotify.Read(buf[:])
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("cannot watch the log of events: %w", err)
	}
	if _, err := os.Lstat(w.dir); err != nil {
		return fmt.Errorf("cannot go on with the log of events: its directory is gone: %w", err)
	}
	return w.renew()
}

// Close ends the watch.
func (w *Watch) Close() error { return w.inotify.Close() }

// Follow calls do for the events that come after those that r has read, until it
// returns an error or ctx ends, which is no error.
func (r *Reader) Follow(ctx context.Context, w *Watch, do func(*Event) error) error {
	for {
		if err := w.Wait(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if err := r.Read(ctx, do); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
}
