// Package atomicfile reads and replaces small files whole: a reader sees the
// old content or the new, and after a crash or a power loss one of the two is
// there.
//
// It is for files of the program's own (state.json, run.json, config.toml). It
// is not for paths inside a guest's tree: those are reached through safefs,
// which hands the directory it found to Write.
package atomicfile

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// TempPrefix begins the name of every temporary file of this package. A file
// with it was left by a crash in the middle of a Write and may be removed once
// its directory is locked.
const TempPrefix = ".tmp-"

// Write replaces the file name in the directory dirfd (O_PATH is enough, as is
// unix.AT_FDCWD) by data with exactly the given permission bits, whatever the
// umask. name is one path component; a symlink of that name is replaced, not
// followed. On an error before the rename the old file is untouched and nothing
// is left behind; an error of the last step, the fsync of the directory, means
// that the new content is there but may not survive a power loss.
func Write(dirfd int, name string, data []byte, mode uint32) error {
	return replaceNamed(dirfd, name, data, attributes{mode: mode, uid: keep, gid: keep, sync: true})
}

// WriteVolatile is Write for what is worth nothing after the host's next boot, or is
// synced later with all that is around it: it syncs nothing. Readers see the old content or the new, as with Write; after a power
// loss the file may be the old one, the new one, or empty.
func WriteVolatile(dirfd int, name string, data []byte, mode uint32) error {
	return replaceNamed(dirfd, name, data, attributes{mode: mode, uid: keep, gid: keep})
}

// WriteLike is Write with the permission bits and the owner of another file, most
// likely the one that is replaced.
func WriteLike(dirfd int, name string, data []byte, like *unix.Stat_t) error {
	return replaceNamed(dirfd, name, data, attributes{mode: like.Mode & 0o7777, uid: int(like.Uid), gid: int(like.Gid), sync: true})
}

// attributes are those of a new file, and whether it is to last.
type attributes struct {
	mode     uint32
	uid, gid int
	sync     bool
}

// keep is fchown's word for the owner that a file has.
const keep = -1

func replaceNamed(dirfd int, name string, data []byte, a attributes) error {
	if !isComponent(name) {
		return fmt.Errorf("cannot write %q: not the name of a file", name)
	}
	if err := replace(dirfd, name, data, a); err != nil {
		return fmt.Errorf("cannot write %q: %w", name, err)
	}
	return nil
}

// WritePath is Write for a file named by its path, whose directory must exist.
func WritePath(path string, data []byte, mode uint32) error {
	dir, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open directory %q: %w", filepath.Dir(path), err)
	}
	defer unix.Close(dir)
	return Write(dir, filepath.Base(path), data, mode)
}

func isComponent(name string) bool {
	return name != "" && name != "." && name != ".." && !strings.ContainsAny(name, "/\x00")
}

func replace(dirfd int, name string, data []byte, a attributes) error {
	// An O_PATH descriptor can't be synced, and opening the directory last
	// could fail when the file is already replaced.
	dir, err := unix.Openat(dirfd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open directory: %w", err)
	}
	defer unix.Close(dir)
	temp, err := writeTemp(dir, data, a)
	if err != nil {
		return err
	}
	if err := unix.Renameat(dir, temp, dir, name); err != nil {
		return discard(dir, temp, fmt.Errorf("rename: %w", err))
	}
	if !a.sync {
		return nil
	}
	// EINVAL is the answer of a file system that has nothing to sync for a
	// directory; EIO and its like are real.
	if err := unix.Fsync(dir); err != nil && !errors.Is(err, unix.EINVAL) {
		return fmt.Errorf("fsync directory: %w", err)
	}
	return nil
}

// writeTemp makes a file with data in dir and returns its name.
func writeTemp(dir int, data []byte, a attributes) (string, error) {
	file, err := createTemp(dir)
	if err != nil {
		return "", fmt.Errorf("create temporary file: %w", err)
	}
	if err := fill(file, data, a); err != nil {
		return "", discard(dir, file.Name(), err)
	}
	return file.Name(), nil
}

// createTemp makes a new file with a name that nobody can guess: the directory
// may be one that a guest writes to, and then O_EXCL fails on a squatted name.
func createTemp(dir int) (*os.File, error) {
	for try := 0; ; try++ {
		var random [8]byte
		if _, err := unix.Getrandom(random[:], 0); err != nil {
			return nil, err
		}
		name := TempPrefix + hex.EncodeToString(random[:])
		fd, err := unix.Openat(dir, name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		if err == nil {
			return os.NewFile(uintptr(fd), name), nil
		}
		if try >= 8 || !errors.Is(err, unix.EEXIST) && !errors.Is(err, unix.EINTR) {
			return nil, err
		}
	}
}

// fill writes data to file, syncs it if that is asked for, and closes it.
func fill(file *os.File, data []byte, a attributes) error {
	fd := int(file.Fd())
	_, err := file.Write(data)
	if err == nil && (a.uid != keep || a.gid != keep) {
		// Before chmod: it takes the set-id bits away.
		err = wrap("chown", unix.Fchown(fd, a.uid, a.gid))
	}
	if err == nil {
		err = wrap("chmod", unix.Fchmod(fd, a.mode))
	}
	if err == nil && a.sync {
		err = wrap("fsync", unix.Fsync(fd))
	}
	if closing := file.Close(); err == nil {
		err = closing
	}
	return err
}

// discard removes the temporary file name after the failure cause, and returns
// both failures, on one line, if that fails too.
func discard(dir int, name string, cause error) error {
	if err := unix.Unlinkat(dir, name, 0); err != nil {
		return fmt.Errorf("%w (and %s stays: %w)", cause, name, err)
	}
	return cause
}

func wrap(step string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", step, err)
}
