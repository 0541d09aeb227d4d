package store

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Auto chooses the backend for guests in stateDir, which must be there: Btrfs
// if it is on btrfs, else Overlay if the whole of it works there, which is
// tried in a directory that is removed again, else Dir, or Shift where ids can't be mapped.
func Auto(stateDir string) (string, error) {
	fd, err := unix.Open(stateDir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("cannot open the state directory %s: %w", stateDir, err)
	}
	defer unix.Close(fd)
	if onBtrfs(fd) {
		return Btrfs, nil
	}
	tried, err := inProbe(stateDir, tryOverlayIn)
	if err != nil {
		return "", err
	}
	if tried == nil {
		return Overlay, nil
	}
	if mapped, err := inProbe(stateDir, tryIDMapIn); err != nil || mapped != nil {
		return Shift, err
	}
	return Dir, nil
}

func tryIDMapIn(dir string) error {
	userns, err := newUserNamespace()
	if err != nil {
		return err
	}
	defer unix.Close(userns)
	return TryIDMap(dir, userns)
}

// ProbePrefix begins the names of directories in which something is tried.
const ProbePrefix = ".probe-"

// inProbe tries something in a new directory, which it removes again. err is that
// there can't be such a directory.
func inProbe(stateDir string, try func(dir string) error) (tried, err error) {
	dir, lock, err := newProbe(stateDir)
	if err != nil {
		return nil, fmt.Errorf("cannot make a directory to try overlay in: %w", err)
	}
	defer unix.Close(lock)
	tried = try(dir)
	return tried, RemoveTree(dir)
}

// newProbe makes a directory and takes the lock that tells it from one that a killed
// program has left. It is made anew if it was collected before it was locked.
func newProbe(stateDir string) (dir string, lock int, err error) {
	for {
		dir, err = os.MkdirTemp(stateDir, ProbePrefix)
		if err != nil {
			return "", -1, err
		}
		lock, err = lockProbe(dir)
		if err == nil || !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EWOULDBLOCK) {
			return dir, lock, err
		}
	}
}

// lockProbe locks a directory. EWOULDBLOCK: somebody has it; ENOENT: it has gone.
func lockProbe(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var st unix.Stat_t
	err = unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB)
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	if err == nil && st.Nlink == 0 {
		err = unix.ENOENT
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// CollectProbe removes a directory in which something was tried, and tells whether it
// did, or with dry would. One that is in use stays.
func CollectProbe(dir string, dry bool) (bool, error) {
	lock, err := lockProbe(dir)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.ENOENT) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("cannot collect %s: %w", dir, err)
	}
	defer unix.Close(lock)
	if dry {
		return true, nil
	}
	return true, RemoveTree(dir)
}

// tryOverlayIn makes a guest in dir, changes it, and opens it with mapped ids.
func tryOverlayIn(dir string) error {
	image, guest := dir+"/image", dir+"/guest"
	for _, d := range []string{image, image + "/lower"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return fmt.Errorf("cannot make a directory: %w", err)
		}
	}
	l := Layout{Backend: Overlay, GuestDir: guest, Lower: []string{image}}
	if err := Create(context.Background(), l, image); err != nil {
		return err
	}
	userns, err := newUserNamespace()
	if err != nil {
		return err
	}
	defer unix.Close(userns)
	root, err := OpenRoot(l, userns)
	if err != nil {
		return err
	}
	unix.Close(root)
	return changePlain(l)
}

// changePlain does what needs an upper with extended attributes and whiteouts:
// overlay comes up read-only, or fails only then, where they are missing.
func changePlain(l Layout) error {
	g, err := openGuestDir(l.GuestDir)
	if err != nil {
		return err
	}
	defer g.close()
	layers, done, err := overlayBackend{lower: l.Lower}.openLayers(g)
	if err != nil {
		return err
	}
	defer done()
	root, err := newOverlay(layers, plainSource+g.base, 0, layers.attachedWays()...)
	if err != nil {
		return err
	}
	defer unix.Close(root)
	return errors.Join(
		unix.Renameat(root, "lower", root, "renamed"),
		unix.Mkdirat(root, "lower", 0o755),
		unix.Unlinkat(root, "renamed", unix.AT_REMOVEDIR),
	)
}
