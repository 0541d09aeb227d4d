package images

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

// maxShadow bounds the guest's /etc/shadow, in bytes.
const maxShadow = 1 << 20

// apply changes a finished tree. What is in it was made by the guest's packages, so each path is reached through root. Nothing
// is synced: an image is, whole, when it is finished.
func (tree *Tree) apply(root *safefs.Root) error {
	for _, p := range tree.Remove {
		if err := remove(root, p); err != nil {
			return fmt.Errorf("cannot remove %s: %w", p, err)
		}
	}
	for _, d := range tree.Dirs {
		if err := makeDir(root, d); err != nil {
			return fmt.Errorf("cannot make %s: %w", d.Path, err)
		}
	}
	for _, p := range tree.Empty {
		if err := write(root, File{Path: p, Mode: 0o644}); err != nil {
			return err
		}
	}
	for _, f := range tree.Files {
		if err := write(root, f); err != nil {
			return err
		}
	}
	for _, l := range tree.Links {
		if err := link(root, l); err != nil {
			return fmt.Errorf("cannot link %s: %w", l.Path, err)
		}
	}
	if tree.LockRoot {
		return lockRoot(root)
	}
	return nil
}

// remove removes what matches the last part of the pattern in the directory that is the rest of it.
func remove(root *safefs.Root, pattern string) error {
	dir, err := root.Open(path.Dir(pattern), unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer dir.Close()
	// The directory is reached already; below it os.Root follows no link out.
	below, err := os.OpenRoot(fmt.Sprintf("/proc/self/fd/%d", dir.Fd()))
	if err != nil {
		return err
	}
	defer below.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if ok, _ := path.Match(path.Base(pattern), name); ok {
			err = errors.Join(err, below.RemoveAll(name))
		}
	}
	return err
}

func makeDir(root *safefs.Root, d Dir) error {
	if err := root.MkdirAll(d.Path, 0o755); err != nil {
		return err
	}
	dir, err := root.Open(d.Path, unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		return err
	}
	defer dir.Close()
	return unix.Fchmod(int(dir.Fd()), d.Mode)
}

// write makes the file anew; what had its name, a link too, goes.
func write(root *safefs.Root, f File) error {
	file, err := create(root, f.Path, f.Mode)
	if err == nil {
		_, err = file.WriteString(strings.TrimPrefix(f.Text, "\n"))
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		return fmt.Errorf("cannot write %s: %w", f.Path, err)
	}
	return nil
}

func create(root *safefs.Root, name string, mode uint32) (*os.File, error) {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return nil, err
	}
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	file, err := root.Open(name, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW, mode)
	if err != nil {
		return nil, err
	}
	if err := unix.Fchmod(int(file.Fd()), mode); err != nil { // the umask took some of it
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func link(root *safefs.Root, l Link) error {
	if err := root.MkdirAll(path.Dir(l.Path), 0o755); err != nil {
		return err
	}
	if err := root.Remove(l.Path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return root.Symlink(l.Target, l.Path)
}

// lockRoot leaves root without a password that fits.
func lockRoot(root *safefs.Root) error {
	const shadow = "/etc/shadow"
	text, err := root.ReadFile(shadow, maxShadow)
	if err != nil {
		return err
	}
	stat, err := root.Lstat(shadow)
	if err != nil {
		return err
	}
	lines := strings.Split(string(text), "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "root:") })
	if i < 0 {
		return errors.New("cannot lock root: no such user")
	}
	fields := strings.Split(lines[i], ":")
	if fields[1] == "*" {
		return nil
	}
	fields[1] = "*"
	lines[i] = strings.Join(fields, ":")
	if err := write(root, File{shadow, stat.Mode & 0o777, strings.Join(lines, "\n")}); err != nil {
		return err
	}
	file, err := root.OpenStrict(shadow, unix.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	return file.Chown(int(stat.Uid), int(stat.Gid))
}
