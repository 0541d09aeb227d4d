package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
)

// Names in the log directory. No guest has a log of such a name: those end in .log and
// .boot.json.
const (
	fileName = "events.jsonl"
	oldName  = fileName + ".1"
	lockName = "events.lock"
)

// DefaultSize is how large a file may grow before the next one is begun, in bytes: some
// ten thousand events. There are two.
const DefaultSize = 2 << 20

// Append writes events into the log in the directory dir, whole lines or none, and
// numbers them. It waits for others that write, as long as ctx allows. size is
// [DefaultSize] but in tests.
func Append(ctx context.Context, dir string, size int64, all ...*Event) error {
	if err := appendAll(ctx, dir, size, all); err != nil {
		return fmt.Errorf("cannot write to the log of events: %w", err)
	}
	return nil
}

func appendAll(ctx context.Context, dir string, size int64, all []*Event) error {
	lock, err := flock.Acquire(ctx, filepath.Join(dir, lockName), false)
	if err != nil {
		return err
	}
	defer lock.Release()
	w := &writer{dir: dir, size: size}
	defer w.close()
	if err := w.open(); err != nil {
		return err
	}
	for _, e := range all {
		if err := w.append(e); err != nil {
			return err
		}
	}
	return nil
}

// writer is the log in the hands of who has its lock.
type writer struct {
	dir  string
	size int64

	file *os.File
	used int64  // of file, in bytes
	last uint64 // the number of the last line
}

func (w *writer) path(name string) string { return filepath.Join(w.dir, name) }

func (w *writer) open() error {
	flags := unix.O_RDWR | unix.O_APPEND | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC | unix.O_NONBLOCK | unix.O_NOCTTY
	file, err := openRegular(w.path(fileName), flags)
	if err != nil {
		return err
	}
	w.file = file
	if w.used, w.last, err = w.tail(file); err != nil {
		return err
	}
	if w.used > 0 {
		return nil
	}
	// Nothing is in it yet: the numbers go on from the one before.
	old, err := openRegular(w.path(oldName), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return err
	}
	defer old.Close()
	_, last, err := w.tail(old)
	w.last = max(w.last, last)
	return err
}

// tail gives the size of a file and the number of its last line. What a crash has left of
// a line at the end of the one that is written to is taken off.
func (w *writer) tail(f *os.File) (size int64, last uint64, err error) {
	st, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	size = st.Size()
	from := max(0, size-2*maxLine)
	data := make([]byte, size-from)
	if _, err := f.ReadAt(data, from); err != nil {
		return 0, 0, err
	}
	whole := data[:bytes.LastIndexByte(data, '\n')+1]
	if torn := len(data) - len(whole); torn > 0 && f == w.file {
		size -= int64(torn)
		if err := f.Truncate(size); err != nil {
			return 0, 0, err
		}
	}
	for len(whole) > 0 {
		begin := bytes.LastIndexByte(whole[:len(whole)-1], '\n') + 1
		if last = seqOf(whole[begin:]); last > 0 {
			break
		}
		whole = whole[:begin]
	}
	return size, last, nil
}

func (w *writer) append(e *Event) error {
	e.Seq = w.last + 1
	line, err := Encode(e)
	if err != nil {
		return err
	}
	if w.used > 0 && w.used+int64(len(line)) > w.size {
		if err := w.rotate(); err != nil {
			return err
		}
	}
	n, err := w.file.Write(line)
	if err != nil {
		if n > 0 {
			err = errors.Join(err, w.file.Truncate(w.used)) // a full disk: no half line stays
		}
		return err
	}
	w.used += int64(n)
	w.last = e.Seq
	return nil
}

// rotate begins the next file. The older one is unlinked first: ext4 writes a file to the
// disk at once that is renamed over another.
func (w *writer) rotate() error {
	if err := os.Remove(w.path(oldName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if err := os.Rename(w.path(fileName), w.path(oldName)); err != nil {
		return err
	}
	last := w.last
	w.close()
	err := w.open()
	w.last = max(w.last, last)
	return err
}

func (w *writer) close() {
	if w.file != nil {
		w.file.Close()
		w.file = nil
	}
}

// openRegular opens a file that is neither a link nor anything that could make one wait.
func openRegular(path string, flags int) (*os.File, error) {
	fd, err := unix.Open(path, flags, 0o600)
	for err == unix.EINTR {
		fd, err = unix.Open(path, flags, 0o600)
	}
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
		unix.Close(fd)
		return nil, &os.PathError{Op: "open", Path: path, Err: errors.New("it is not a regular file")}
	}
	return os.NewFile(uintptr(fd), path), nil
}
