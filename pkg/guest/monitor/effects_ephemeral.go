package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/images/store"
)

// mark is not synced: what a crash of the host leaves of a guest that had just booted
// is like one that hadn't.
func (m *monitor) mark() {
	if m.guestDir < 0 {
		return
	}
	flags := unix.O_WRONLY | unix.O_CREAT | unix.O_NOFOLLOW | unix.O_CLOEXEC
	fd, err := unix.Openat(m.guestDir, state.EphemeralMark, flags, 0o600)
	if err != nil {
		m.log.say(fmt.Sprintf("cannot mark the guest as ephemeral: %v", err))
		return
	}
	unix.Close(fd)
}

// destroyJob destroys the guest as the verb does.
func (m *monitor) destroyJob(patience time.Duration) func() func() {
	plan := m.plan
	return func() func() {
		err := destroy(plan, patience)
		return func() {
			if err != nil {
				m.log.say(fmt.Sprintf("cannot destroy the guest yet: %v", err))
			}
			m.emit(Destroyed{Held: errors.Is(err, flock.ErrHeld)})
		}
	}
}

// destroy takes the guest's name first: what is left if this is killed is gc's.
func destroy(p *Plan, patience time.Duration) error {
	ctx := context.Background()
	path := filepath.Join(p.RunDir, ".lock", p.Name)
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	lock, err := flock.Acquire(bounded, path, false)
	if err != nil {
		return err
	}
	defer lock.Release()
	root := p.Context.Root
	fd, err := openLocked(root.GuestDir)
	var held *heldError
	switch {
	case errors.Is(err, unix.ENOENT):
		return os.Remove(path) // somebody else has done it
	case errors.As(err, &held):
		return nil // it was started again
	case err != nil:
		return err
	}
	defer unix.Close(fd)
	if err := store.Unmount(root); err != nil {
		return err
	}
	guest := root.GuestDir
	if root.GuestDir, err = takeName(guest); err != nil {
		return err
	}
	ledger := idledger.Ledger{Dir: idledger.DefaultDir}
	return errors.Join(store.Destroy(root), ledger.Free(ctx, guest), removeFiles(p), os.Remove(path))
}

// takeName renames the guest's directory to what nobody takes for a guest.
func takeName(dir string) (string, error) {
	gone := idledger.Removing(dir)
	err := unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, gone, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EEXIST) { // of a destroy that was killed
		if err = store.RemoveTree(gone); err == nil {
			err = unix.Renameat2(unix.AT_FDCWD, dir, unix.AT_FDCWD, gone, unix.RENAME_NOREPLACE)
		}
	}
	if err != nil {
		return "", fmt.Errorf("cannot take the guest's name: %w", err)
	}
	return gone, nil
}

// removeFiles removes the logs and the run directory.
func removeFiles(p *Plan) error {
	run := filepath.Join(p.RunDir, p.Name)
	var errs []error
	for _, path := range append(state.LogFiles(p.LogDir, p.Name), filepath.Join(run, "run.json"), run) {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
