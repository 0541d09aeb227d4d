package safefs

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"strconv"

	"github.com/sysct/sysct/internal/atomicfile"
	"golang.org/x/sys/unix"
)

// ReadFile returns the content of a regular file of up to max bytes, following
// symlinks inside the root. Anything else, a FIFO or a device for instance, is
// refused without being opened.
func (r *Root) ReadFile(name string, max int64) ([]byte, error) {
	file, _, err := r.openRegular(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	data, _, err := atomicfile.ReadFrom(file, max)
	return data, err
}

// Head returns the first n bytes, or all if there are fewer, and the mode of a file
// that ReadFile would read.
func (r *Root) Head(name string, n int) (head []byte, mode uint32, err error) {
	file, st, err := r.openRegular(name)
	if err != nil {
		return nil, 0, err
	}
	defer file.Close()
	head = make([]byte, n)
	n, err = io.ReadFull(file, head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, 0, fmt.Errorf("cannot read %q in the guest's tree: %w", name, err)
	}
	return head[:n], st.Mode, nil
}

// openRegular opens a regular file for reading.
func (r *Root) openRegular(name string) (*os.File, unix.Stat_t, error) {
	var st unix.Stat_t
	// First only a reference: to open a device node can do things (a watchdog
	// starts, a tape rewinds), and what has been looked at must be what is read.
	path, err := openat2(r.fd, relative(name), unix.O_PATH, 0, follow)
	if err != nil {
		return nil, st, fmt.Errorf("cannot open %q in the guest's tree: %w", name, err)
	}
	defer unix.Close(path)
	if err := unix.Fstat(path, &st); err != nil {
		return nil, st, fmt.Errorf("cannot stat %q in the guest's tree: %w", name, err)
	}
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return nil, st, fmt.Errorf("cannot read %q in the guest's tree: not a regular file", name)
	}
	fd, err := reopen(path, unix.O_RDONLY|unix.O_NONBLOCK)
	if err != nil {
		return nil, st, fmt.Errorf("cannot open %q in the guest's tree: %w", name, err)
	}
	return os.NewFile(uintptr(fd), name), st, nil
}

// Resolve returns the last component of what name leads to, links followed
// inside the root: the name that the file itself has.
func (r *Root) Resolve(name string) (string, error) {
	fd, err := openat2(r.fd, relative(name), unix.O_PATH, 0, follow)
	if err != nil {
		return "", fmt.Errorf("cannot open %q in the guest's tree: %w", name, err)
	}
	defer unix.Close(fd)
	target, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", fmt.Errorf("cannot name %q in the guest's tree: %w", name, err)
	}
	return path.Base(target), nil
}

// reopen opens what an O_PATH descriptor refers to.
func reopen(fd, flags int) (int, error) {
	return unix.Open("/proc/self/fd/"+strconv.Itoa(fd), flags|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
}

// WriteFile replaces the file name by data with exactly the permission bits of
// mode: a temporary file in the same directory, synced, then renamed, and the
// directory synced. Symlinks on the way to the directory are followed inside the
// root; a symlink called name is replaced. The file belongs to the calling
// process's user, so the tree must be one with plain ids.
func (r *Root) WriteFile(name string, data []byte, mode uint32) error {
	return r.writeFile(name, data, mode, atomicfile.Write)
}

// WriteVolatile is WriteFile without a sync, for a tree that the caller syncs later.
func (r *Root) WriteVolatile(name string, data []byte, mode uint32) error {
	return r.writeFile(name, data, mode, atomicfile.WriteVolatile)
}

func (r *Root) writeFile(name string, data []byte, mode uint32, write func(int, string, []byte, uint32) error) error {
	dir, base, err := r.parent(name)
	if err != nil {
		return fmt.Errorf("cannot write %q in the guest's tree: %w", name, err)
	}
	defer unix.Close(dir)
	// Whatever the guest renames from now on, dir was inside the root, and the
	// last component is never followed.
	return write(dir, base, data, mode)
}

// Symlink makes name a symlink to target, which may be any text. An existing name
// is fs.ErrExist.
func (r *Root) Symlink(target, name string) error {
	return r.at("link", name, func(dir int, base string) error {
		return unix.Symlinkat(target, dir, base)
	})
}

// Remove removes the file, the symlink itself or the empty directory name.
func (r *Root) Remove(name string) error {
	return r.at("remove", name, func(dir int, base string) error {
		err := unix.Unlinkat(dir, base, 0)
		if errors.Is(err, unix.EISDIR) {
			err = unix.Unlinkat(dir, base, unix.AT_REMOVEDIR)
		}
		return err
	})
}

// Lstat returns the attributes of name; if it is a symlink, the link's own.
func (r *Root) Lstat(name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := r.look("stat", name, func(fd int) error { return unix.Fstat(fd, &st) })
	return st, err
}

// Readlink returns the text of the symlink name (EINVAL if it is none). The text
// is the guest's: it is not a path of the host.
func (r *Root) Readlink(name string) (string, error) {
	target := make([]byte, unix.PathMax)
	err := r.look("read link", name, func(fd int) error {
		n, err := unix.Readlinkat(fd, "", target)
		if errors.Is(err, unix.ENOENT) {
			err = unix.EINVAL // what an empty path says of a file that is no link
		}
		target = target[:max(n, 0)]
		return err
	})
	return string(target), err
}

// look calls f with an O_PATH descriptor of name, of the link itself if it is one.
func (r *Root) look(verb, name string, f func(fd int) error) error {
	fd, err := openat2(r.fd, relative(name), unix.O_PATH|unix.O_NOFOLLOW, 0, follow)
	if err == nil {
		defer unix.Close(fd)
		err = f(fd)
	}
	if err != nil {
		return fmt.Errorf("cannot %s %q in the guest's tree: %w", verb, name, err)
	}
	return nil
}

// at calls f with name's directory and last component.
func (r *Root) at(verb, name string, f func(dir int, base string) error) error {
	dir, base, err := r.parent(name)
	if err == nil {
		defer unix.Close(dir)
		err = f(dir, base)
	}
	if err != nil {
		return fmt.Errorf("cannot %s %q in the guest's tree: %w", verb, name, err)
	}
	return nil
}
