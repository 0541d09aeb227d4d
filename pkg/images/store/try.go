package store

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// TryIDMap says whether the file system of dir can map ids, here into the user
// namespace usernsFD: it maps those of a mount that nobody ever sees.
func TryIDMap(dir string, usernsFD int) error {
	fd, err := openForTry(dir)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	clone, err := mappedClone(fd, usernsFD, 0, dir)
	if err != nil {
		return err
	}
	return unix.Close(clone)
}

// TryOverlay says whether an overlay over mapped layers works in the state
// directory. It works in a directory that it removes again.
func TryOverlay(stateDir string) error {
	tried, err := inProbe(stateDir, tryOverlayIn)
	return errors.Join(tried, err)
}

// TryReflink says whether files in dir can share blocks, by two files that never
// have a name.
func TryReflink(dir string) error {
	var files [2]int
	for i := range files {
		fd, err := openNameless(dir)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		files[i] = fd
	}
	if _, err := unix.Pwrite(files[0], make([]byte, 4096), 0); err != nil {
		return fmt.Errorf("cannot write to a file in %s: %w", dir, err)
	}
	if err := unix.IoctlFileClone(files[1], files[0]); err != nil {
		return fmt.Errorf("cannot clone a file in %s: %w", dir, err)
	}
	return nil
}

// openNameless opens a file without a name in dir.
func openNameless(dir string) (int, error) {
	at, err := openForTry(dir)
	if err != nil {
		return -1, err
	}
	defer unix.Close(at)
	fd, err := openBeneath(at, ".", unix.O_TMPFILE|unix.O_RDWR, 0o600, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot make a file in %s: %w", dir, err)
	}
	return fd, nil
}

func openForTry(dir string) (int, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("cannot open %s: %w", dir, err)
	}
	return fd, nil
}
