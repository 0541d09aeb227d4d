package events

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
)

// Reader reads the log in a directory, from its oldest line on and over its rotations.
// A line that can't be read, as a newer version's, is left out.
type Reader struct {
	dir string
	// Missed is told how many events were rotated away before they were read; nil: nobody.
	Missed func(n uint64)

	empty bool     // nothing was written when it was opened
	file  *os.File // the file that is read; nil: there is none yet
	rest  []byte   // of a line that isn't whole yet
	last  uint64   // the number of the last line
	next  []*os.File
}

// OpenReader opens the log in the directory dir, which has to be there. That nothing was
// written yet is no error.
func OpenReader(ctx context.Context, dir string) (*Reader, error) {
	r := &Reader{dir: dir}
	if err := r.look(ctx); err != nil {
		return nil, err
	}
	r.empty = len(r.next) == 0
	return r, nil
}

// Read calls do for all events that are there, until it returns an error.
func (r *Reader) Read(ctx context.Context, do func(*Event) error) error {
	for {
		if r.file != nil {
			if err := r.drain(do); err != nil {
				return err
			}
		}
		if len(r.next) > 0 {
			r.begin()
			continue
		}
		moved, err := r.moved()
		if err != nil || !moved {
			return err
		}
		if err := r.look(ctx); err != nil {
			return err
		}
		if len(r.next) == 0 && r.file == nil {
			return nil
		}
		if r.file != nil {
			// What was appended between the last read and the rotation.
			if err := r.drain(do); err != nil {
				return err
			}
		}
		if len(r.next) == 0 {
			return nil
		}
		r.begin()
	}
}

// begin goes on with the next file.
func (r *Reader) begin() {
	r.closeFile()
	r.file, r.next = r.next[0], r.next[1:]
}

// moved says whether the file isn't the one that is appended to any more.
func (r *Reader) moved() (bool, error) {
	named, err := os.Lstat(filepath.Join(r.dir, fileName))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil // it comes with the next event
	}
	if err != nil {
		return false, fmt.Errorf("cannot read the log of events: %w", err)
	}
	if r.file == nil {
		return true, nil
	}
	mine, err := r.file.Stat()
	return err == nil && !os.SameFile(mine, named), err
}

// look opens what comes after the file that is read. The lock keeps both files what they
// are meanwhile.
func (r *Reader) look(ctx context.Context) error {
	lock, err := flock.Acquire(ctx, filepath.Join(r.dir, lockName), true)
	if err != nil {
		return fmt.Errorf("cannot read the log of events: %w", err)
	}
	defer lock.Release()
	for _, name := range []string{oldName, fileName} {
		f, err := openRegular(filepath.Join(r.dir, name), unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC|unix.O_NONBLOCK|unix.O_NOCTTY)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot read the log of events: %w", err)
		}
		if r.isRead(f) {
			// It, and those before it, are known.
			f.Close()
			r.closeNext()
			continue
		}
		r.next = append(r.next, f)
	}
	return nil
}

func (r *Reader) isRead(f *os.File) bool {
	if r.file == nil {
		return false
	}
	mine, err := r.file.Stat()
	theirs, err2 := f.Stat()
	return err == nil && err2 == nil && os.SameFile(mine, theirs)
}

// drain reads what the file has more.
func (r *Reader) drain(do func(*Event) error) error {
	buf := make([]byte, 64<<10)
	for {
		n, err := r.file.Read(buf)
		r.rest = append(r.rest, buf[:n]...)
		for {
			line, rest, whole := bytes.Cut(r.rest, []byte{'\n'})
			if !whole {
				break
			}
			r.rest = rest
			if err := r.line(line, do); err != nil {
				return err
			}
		}
		r.rest = bytes.Clone(r.rest)
		switch {
		case err == io.EOF:
			return r.rewind()
		case err != nil:
			return fmt.Errorf("cannot read the log of events: %w", err)
		}
	}
}

// rewind forgets the beginning of a line: a writer that found the disk full takes it off
// again, and who comes next writes another in its place.
func (r *Reader) rewind() error {
	if len(r.rest) == 0 {
		return nil
	}
	_, err := r.file.Seek(-int64(len(r.rest)), io.SeekCurrent)
	r.rest = nil
	if err != nil {
		return fmt.Errorf("cannot read the log of events: %w", err)
	}
	return nil
}

func (r *Reader) line(line []byte, do func(*Event) error) error {
	seq := seqOf(line)
	// The first number of all is given again where somebody has removed the log.
	if (r.last > 0 || r.empty) && seq > r.last+1 && r.Missed != nil {
		r.Missed(seq - r.last - 1)
	}
	if seq > 0 {
		r.last = seq
	}
	e, err := Decode(line)
	if err != nil {
		return nil
	}
	return do(e)
}

func (r *Reader) closeFile() {
	if r.file != nil {
		r.file.Close()
	}
	r.file, r.rest = nil, nil
}

func (r *Reader) closeNext() {
	for _, f := range r.next {
		f.Close()
	}
	r.next = nil
}

// Close closes the files.
func (r *Reader) Close() error {
	r.closeFile()
	r.closeNext()
	return nil
}
