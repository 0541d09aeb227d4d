package monitor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/internal/tomltext"
	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/events"
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

// unmark says that the guest isn't what is left of a life.
func (m *monitor) unmark() {
	if m.guestDir < 0 {
		return
	}
	if err := unix.Unlinkat(m.guestDir, state.EphemeralMark, 0); err != nil && err != unix.ENOENT {
		m.log.say(fmt.Sprintf("cannot mark the guest as kept: %v", err))
	}
}

// destroyJob destroys the guest as the verb does.
func (m *monitor) destroyJob(patience time.Duration) func() func() {
	plan, dir := m.plan, m.guestDir
	last := m.destroyHooks()
	ctx, giveWay := context.WithTimeout(context.Background(), patience)
	m.giveWay = giveWay
	return func() func() {
		defer giveWay()
		gone, err := destroy(ctx, plan, dir, last)
		return func() {
			if err != nil {
				m.log.say(fmt.Sprintf("cannot destroy the guest: %v", err))
			}
			if gone {
				t := now()
				m.note(events.Event{Kind: events.Destroy, Time: t.Wall, Mono: t.Mono.Microseconds()})
			}
			m.emit(Destroyed{Held: errors.Is(err, flock.ErrHeld)})
		}
	}
}

// destroy removes the guest whose directory dir is open on, and no other that has its
// name by now. The name goes first: what is left if this is killed is gc's. ctx bounds
// only the wait for the guest's lock. last is run when nothing keeps it any more. gone: the
// guest is there no more by this call.
func destroy(ctx context.Context, p *Plan, dir int, last func()) (gone bool, err error) {
	if dir < 0 {
		return false, errors.New("its directory was never locked: it is left to gc")
	}
	path := filepath.Join(p.RunDir, ".lock", p.Name)
	lock, err := flock.Acquire(ctx, path, false)
	if err != nil {
		return false, err
	}
	defer lock.Release()
	root := p.Context.Root
	var held *heldError
	switch err := lockOpen(dir, root.GuestDir); {
	case errors.Is(err, unix.ENOENT):
		return false, removeUnused(path, root.GuestDir) // somebody else has done it
	case errors.As(err, &held):
		return false, nil // it was started again
	case err != nil:
		return false, err
	}
	defer unix.Flock(dir, unix.LOCK_UN)
	if err := stillEphemeral(dir); err != nil {
		unix.Unlinkat(dir, state.EphemeralMark, 0) // no rest of a life; gc looks at the configuration too
		return false, err
	}
	last()
	if err := store.Unmount(root); err != nil {
		return false, err
	}
	guest := root.GuestDir
	if root.GuestDir, err = takeName(guest); err != nil {
		return false, err
	}
	ledger := idledger.Ledger{Dir: idledger.DefaultDir}
	return true, errors.Join(store.Destroy(root), ledger.Free(context.Background(), guest), freeAddresses(p), removeFiles(p), os.Remove(path))
}

// freeAddresses returns what the guest has on networks.
func freeAddresses(p *Plan) error {
	_, err := sysctx.RunNetwork(&p.Context.Net, "release", p.Context.Net.Setup)
	return err
}

// removeUnused removes a lock that we have, unless a guest has the name.
func removeUnused(lock, guest string) error {
	var st unix.Stat_t
	if err := unix.Lstat(guest, &st); !errors.Is(err, unix.ENOENT) {
		return err
	}
	return os.Remove(lock)
}

// stillEphemeral says why a guest that was started as an ephemeral one is to stay: its
// configuration, as it is now, doesn't say plainly that it goes.
func stillEphemeral(dir int) error {
	const most = 1 << 20 // bytes
	data, _, err := atomicfile.Read(dir, "config.toml", most)
	if err != nil {
		return err
	}
	config, err := tomltext.Parse(string(data))
	if err != nil {
		return fmt.Errorf("config.toml %w", err)
	}
	value := func(key string) string {
		text, _ := config.Text(tomltext.Key{tomltext.Named(key)})
		return text
	}
	switch {
	case value("ephemeral") != "true":
		return errors.New("it is not ephemeral any more")
	case strings.Contains(value("protect"), "delete"):
		return errors.New("it is protected from delete")
	}
	return nil
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
