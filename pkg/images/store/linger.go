package store

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A mount can be gone from here while its superblock lives on: in a mount
// namespace that was copied from the host's while it was there, or behind a
// descriptor of a detached mount. For an overlay that matters: a second
// superblock on the same upper corrupts it. The kernel tells when a superblock
// dies (inotify's IN_UNMOUNT). If that doesn't come in time, a note in the
// guest's directory keeps the next caller from going on as if it had.

const (
	noteName = ".superblock"
	maxNote  = 4096
	// The last to let it go writes out the file system of the upper first,
	// which a slow disk with much to write makes long.
	departSync = 20 * time.Second
	// After this long it is worth a look at who is still there.
	departPause = 50 * time.Millisecond
)

// Other starts' throw-away namespaces and a guest's last processes are gone
// in milliseconds; the rest is for a loaded host. Tests have more.
var departGrace = 2 * time.Second

// departure is a superblock whose last mount here was taken off.
type departure struct {
	mount mountEntry
	watch *deathWatch
}

// awaitDeparted returns when all the superblocks are dead, or with a
// *BusyError. It also looks for one that an earlier call left.
func (g *guestDir) awaitDeparted(b backend, leaving map[string]departure) error {
	if !b.wholeSuperblock() {
		return nil
	}
	for _, d := range leaving {
		if d.watch.dead(0) {
			continue
		}
		if err := g.writeNote(d.mount); err != nil {
			return err
		}
		if err := g.awaitDeath(d); err != nil {
			return err
		}
	}
	return g.refuseLingering(departGrace)
}

// awaitDeath removes the note of a superblock once the watch has seen it die.
// Without a watch the note stays, for refuseLingering.
func (g *guestDir) awaitDeath(d departure) error {
	if !d.watch.dead(departPause) {
		g.lingering(d.mount) // copies that nobody uses go
		if d.watch.fd < 0 {
			return nil
		}
		if !d.watch.dead(departGrace) {
			if err := g.refuseHeld(d); err != nil {
				return err
			}
		}
	}
	return g.removeNote()
}

// refuseHeld is a *BusyError if somebody keeps the superblock. If nobody is
// found it is being written out.
func (g *guestDir) refuseHeld(d departure) error {
	holders, _ := g.lingering(d.mount)
	if len(holders) == 0 {
		d.watch.dead(departSync)
		return nil
	}
	if d.watch.dead(0) {
		return nil // what was found has its number since
	}
	return &BusyError{Path: g.path + "/" + rootfsName, Holders: holders}
}

// refuseLingering is a *BusyError if the superblock of the note lives, for more
// than copies in others' mount namespaces. Nothing is mounted on rootfs/ here. What
// can't be told from another guest's is looked at for the time of grace.
func (g *guestDir) refuseLingering(grace time.Duration) error {
	m, err := g.readNote()
	if err != nil || m.dev == "" {
		return err
	}
	for until := time.Now().Add(grace); ; time.Sleep(departPause) {
		holders, sure := g.lingering(m)
		if len(holders) == 0 {
			return g.removeNote()
		}
		if sure || time.Now().After(until) {
			return &BusyError{Path: g.path + "/" + rootfsName, Holders: holders}
		}
	}
}

func (g *guestDir) writeNote(m mountEntry) error {
	boot, err := bootID()
	if err != nil {
		return err
	}
	fd, err := openBeneath(g.fd, noteName, unix.O_WRONLY|unix.O_CREAT|unix.O_TRUNC, 0o600, 0)
	if err == nil {
		// Not synced: it means nothing after the next boot.
		_, err = unix.Write(fd, []byte(boot+" "+m.dev+" "+m.source+"\n"))
		unix.Close(fd)
	}
	if err != nil {
		return fmt.Errorf("cannot write %s/%s: %w", g.path, noteName, err)
	}
	return nil
}

// readNote returns the superblock of the note as dev and source; without a
// note, or with one of another boot or without sense, dev is "".
func (g *guestDir) readNote() (mountEntry, error) {
	fd, err := openBeneath(g.fd, noteName, unix.O_RDONLY|unix.O_NONBLOCK, 0, 0)
	if errors.Is(err, unix.ENOENT) {
		return mountEntry{}, nil
	}
	if err != nil {
		return mountEntry{}, fmt.Errorf("cannot open %s/%s: %w", g.path, noteName, err)
	}
	defer unix.Close(fd)
	buf := make([]byte, maxNote)
	n, err := unix.Read(fd, buf)
	if err != nil {
		return mountEntry{}, fmt.Errorf("cannot read %s/%s: %w", g.path, noteName, err)
	}
	boot, err := bootID()
	if err != nil {
		return mountEntry{}, err
	}
	field := strings.SplitN(strings.TrimSuffix(string(buf[:n]), "\n"), " ", 3)
	if len(field) != 3 || field[0] != boot {
		return mountEntry{}, g.removeNote()
	}
	return mountEntry{dev: field[1], source: field[2]}, nil
}

func (g *guestDir) removeNote() error {
	err := unix.Unlinkat(g.fd, noteName, 0)
	if err != nil && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("cannot remove %s/%s: %w", g.path, noteName, err)
	}
	return nil
}

func bootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("cannot read the boot id: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}
