package stage

import (
	"errors"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/context/mounts"
)

// place puts the root at a path of the host's tree, as this mount namespace has it: hooks
// have to name what they mount there. Where the guest's ids may not go, as into the state
// directory, the path is made anew on an empty file system over the first directory that
// is closed to them. The old root goes with all that by the pivot.
func place(root int, path string) error {
	dir, at, err := reach(path)
	if err != nil {
		return err
	}
	if at != path {
		if dir, err = remake(dir, at, path); err != nil {
			return err
		}
	}
	defer unix.Close(dir)
	if err := mounts.Attach(root, dir); err != nil {
		return &mounts.CallError{Call: "move_mount", Path: path, Err: err}
	}
	return nil
}

// reach opens the path, or the nearest directory above it that can be opened.
func reach(path string) (fd int, at string, err error) {
	for at = path; ; at = filepath.Dir(at) {
		fd, err = unix.Open(at, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err == nil {
			return fd, at, nil
		}
		if at == "/" || !errors.Is(err, unix.EACCES) && !errors.Is(err, unix.ENOENT) {
			return -1, at, &mounts.CallError{Call: "open", Path: at, Err: err}
		}
	}
}

// remake mounts an empty file system on the directory at and makes the rest of the path
// on it. It closes dir, which is open on at.
func remake(dir int, at, path string) (int, error) {
	defer unix.Close(dir)
	over, err := mounts.New("tmpfs", "hooks", []mounts.Option{{Key: "mode", Value: "0755"}, {Key: "size", Value: "64k"}}, mounts.AttrNosuid|mounts.AttrNodev)
	if err != nil {
		return -1, &mounts.CallError{Call: "mount", Path: at, Err: err}
	}
	if err := mounts.Attach(over, dir); err != nil {
		unix.Close(over)
		return -1, &mounts.CallError{Call: "move_mount", Path: at, Err: err}
	}
	rest := strings.TrimPrefix(strings.TrimPrefix(path, at), "/")
	for name := range strings.SplitSeq(rest, "/") {
		below, err := subdir(over, name)
		unix.Close(over)
		if err != nil {
			return -1, &mounts.CallError{Call: "mkdirat", Path: path, Err: err}
		}
		over = below
	}
	return over, nil
}

func subdir(dir int, name string) (int, error) {
	if err := unix.Mkdirat(dir, name, 0o755); err != nil {
		return -1, err
	}
	return unix.Openat(dir, name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}
