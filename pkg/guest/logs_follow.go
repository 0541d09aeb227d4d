package guest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"time"

	"github.com/sysct/sysct/pkg/guest/state"
)

// followPause is how often a log that is followed is looked at.
const followPause = 200 * time.Millisecond

// FollowLogs is Logs, and then writes what comes, also into the file after a rotation,
// until ctx ends or the guest is destroyed. Its error is nil then.
func (m *Manager) FollowLogs(ctx context.Context, name string, w io.Writer, tail int) error {
	if err := m.check(name); err != nil {
		return err
	}
	f := &follower{path: m.monitorLog(name)}
	defer f.close()
	if err := f.open(); err != nil {
		return err
	}
	data, err := f.all()
	if err != nil {
		return err
	}
	if _, err := w.Write(lastLines(data, tail)); err != nil {
		return err
	}
	for {
		there := m.isGuest(name)
		if err := f.copy(w); err != nil || !there {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(followPause):
		}
	}
}

// follower reads what is appended to a file, and goes on with the next of its name.
type follower struct {
	path string
	file *os.File // nil: there is none yet
}

// all reads the file to its end, with those before it.
func (f *follower) all() ([]byte, error) {
	older := slices.DeleteFunc(state.Rotated(f.path), func(path string) bool { return path == f.path })
	data, err := readFiles(older)
	if err != nil || f.file == nil {
		return data, err
	}
	rest, err := io.ReadAll(f.file)
	return append(data, rest...), err
}

// copy writes what is there, of the file and of the one that has taken its name.
func (f *follower) copy(w io.Writer) error {
	for {
		if f.file != nil {
			if _, err := io.Copy(w, f.file); err != nil {
				return fmt.Errorf("cannot follow log: %w", err)
			}
			now, err := os.Lstat(f.path)
			was, werr := f.file.Stat()
			if err != nil || werr != nil || os.SameFile(now, was) {
				return nil
			}
			f.close()
		}
		if err := f.open(); err != nil || f.file == nil {
			return err
		}
	}
}

func (f *follower) open() (err error) {
	f.file, err = os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		f.file, err = nil, nil
	}
	if err != nil {
		f.file = nil
		return fmt.Errorf("cannot follow log: %w", err)
	}
	return nil
}

func (f *follower) close() {
	if f.file != nil {
		f.file.Close()
	}
	f.file = nil
}
