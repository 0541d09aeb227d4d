package cgroupfs

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// dir is an open group. Everything goes through its fd; path is for messages.
type dir struct {
	fd   int
	path string
}

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openMount opens the root of a hierarchy, by the path that it is mounted on.
func openMount(path string) (*dir, error) {
	fd, err := openat(unix.AT_FDCWD, path, dirFlags)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return &dir{fd, path}, nil
}

func (d *dir) open(name string) (*dir, error) {
	fd, err := openat(d.fd, name, dirFlags)
	if err != nil {
		return nil, d.fail("open", name, err)
	}
	return &dir{fd, d.path + "/" + name}, nil
}

// create makes the group name and opens it; fs.ErrExist if there is one.
func (d *dir) create(name string) (*dir, error) {
	if err := unix.Mkdirat(d.fd, name, 0o755); err != nil {
		return nil, d.fail("mkdir", name, err)
	}
	sub, err := d.open(name)
	if err != nil {
		return nil, err
	}
	// The caller's umask must not hide the guest's groups from the guest.
	if err := unix.Fchmod(sub.fd, 0o755); err != nil {
		sub.close()
		return nil, d.fail("chmod", name, err)
	}
	return sub, nil
}

func (d *dir) remove(name string) error {
	if err := unix.Unlinkat(d.fd, name, unix.AT_REMOVEDIR); err != nil {
		return d.fail("rmdir", name, err)
	}
	return nil
}

// file opens one of the group's files.
func (d *dir) file(name string, flags int) (int, error) {
	fd, err := openat(d.fd, name, flags|unix.O_NOFOLLOW|unix.O_CLOEXEC)
	if err != nil {
		return -1, d.fail("open", name, err)
	}
	return fd, nil
}

func (d *dir) read(name string) (string, error) {
	fd, err := d.file(name, unix.O_RDONLY)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	text, err := readAll(fd)
	if err != nil {
		return "", d.fail("read", name, err)
	}
	return text, nil
}

// write writes a value in one call, as the kernel wants it.
func (d *dir) write(name, value string) error {
	fd, err := d.file(name, unix.O_WRONLY)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = again(func() error { _, err := unix.Write(fd, []byte(value)); return err })
	if err != nil {
		return d.fail("write", name, err)
	}
	return nil
}

// words reads a file of names between white space.
func (d *dir) words(name string) ([]string, error) {
	text, err := d.read(name)
	return strings.Fields(text), err
}

func (d *dir) close() {
	if d != nil {
		unix.Close(d.fd)
	}
}

func (d *dir) fail(op, name string, err error) error {
	return &os.PathError{Op: op, Path: d.path + "/" + name, Err: err}
}

func openat(at int, name string, flags int) (fd int, err error) {
	err = again(func() error { fd, err = unix.Openat(at, name, flags, 0); return err })
	return fd, err
}

// again repeats a call that a signal interrupted: the runtime sends itself some.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}

func readAll(fd int) (string, error) {
	var text []byte
	buf := make([]byte, 4096)
	for {
		var n int
		err := again(func() (err error) { n, err = unix.Read(fd, buf); return err })
		if err != nil {
			return "", err
		}
		if n == 0 {
			return string(text), nil
		}
		text = append(text, buf[:n]...)
	}
}

// gone says that err is of a group that is no longer there: ENODEV is for one
// that was removed while it was open.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV)
}
