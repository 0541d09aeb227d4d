package spec

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func write(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

// guestDir makes a guest's directory and opens it.
func guestDir(t *testing.T) (fd int, config string) {
	t.Helper()
	path := t.TempDir()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd, filepath.Join(path, "config.toml")
}

func TestLoad(t *testing.T) {
	fd, config := guestDir(t)
	if _, err := (*Layers)(nil).Load(fd, "web"); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("missing: %v", err)
	}
	g := Default()
	g.Hostname = "web"
	write(t, config, string(Render(g)), 0o644)
	if got, err := (*Layers)(nil).Load(fd, "web"); err != nil || !reflect.DeepEqual(got, g) {
		t.Fatalf("%+v, %v", got, err)
	}
}

func TestLoadRefuses(t *testing.T) {
	for want, prepare := range map[string]func(config string) error{
		"web/config.toml: is a symlink":             func(c string) error { return os.Symlink("/etc/hostname", c) },
		"web/config.toml: is not a regular file":    func(c string) error { return unix.Mkfifo(c, 0o600) },
		"web/config.toml: is not a regular file ":   func(c string) error { return os.Mkdir(c, 0o700) },
		"web/config.toml: cannot open: no such dev": func(c string) error { return unix.Mknod(c, unix.S_IFSOCK|0o600, 0) },
		"can be written by others (mode 0620)":      func(c string) error { return put(c, "", 0o620, 0) },
		"can be written by others (mode 0602)":      func(c string) error { return put(c, "", 0o602, 0) },
		"belongs to user 1000, not to root":         func(c string) error { return put(c, "", 0o600, 1000) },
		"web/config.toml: is larger than 1 MiB":     func(c string) error { return put(c, strings.Repeat("#", 1<<20+1), 0o600, 0) },
		"web/config.toml:1:1: x: unknown key":       func(c string) error { return put(c, "x = 1", 0o600, 0) },
		"web/config.toml: is larger than 1 MiB (hole)": func(c string) error {
			return errors.Join(put(c, "", 0o600, 0), os.Truncate(c, 1<<40))
		},
	} {
		fd, config := guestDir(t)
		if err := prepare(config); err != nil {
			t.Fatal(err)
		}
		_, err := (*Layers)(nil).Load(fd, "web")
		checkRefusal(t, want, err, strings.TrimSuffix(strings.TrimSuffix(want, " (hole)"), " "))
		var parseError *ParseError
		if !errors.As(err, &parseError) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %T", want, err)
		}
	}
	fd, config := guestDir(t)
	write(t, config, strings.Repeat("#", 1<<20), 0o600)
	if _, err := (*Layers)(nil).Load(fd, "web"); err != nil {
		t.Errorf("exactly 1 MiB: %v", err)
	}
}

func put(path, text string, mode os.FileMode, uid int) error {
	return errors.Join(os.WriteFile(path, []byte(text), mode), os.Chmod(path, mode), os.Chown(path, uid, uid))
}
