package safefs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWriteFile(t *testing.T) {
	root, guest, host := tree(t)
	canary := filepath.Join(host, "canary")
	check(t, os.Symlink(canary, filepath.Join(guest, "etc/resolv.conf")))
	check(t, os.Symlink("/etc", filepath.Join(guest, "conf")))
	for _, name := range []string{"etc/resolv.conf", "/etc/machine-id", "conf/new", "top"} {
		check(t, root.WriteFile(name, []byte("data"), 0o644))
		path := filepath.Join(guest, strings.Replace(name, "conf/", "etc/", 1))
		info, err := os.Lstat(path)
		if err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != "data" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"", "/", ".", "..", "etc/..", "etc/.", "none/x", "etc/hostname/x", "etc"} {
		if err := root.WriteFile(name, nil, 0o600); err == nil {
			t.Errorf("%q: written", name)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(guest, "etc")); err != nil || len(entries) != 4 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	checkHost(t, host)
}

// CVE-2018-15664: etc is a directory when it is looked at and a link to the host
// a moment later.
func TestWriteFileAgainstAnExchangingRacer(t *testing.T) {
	root, guest, host := tree(t)
	check(t, os.Symlink(host, filepath.Join(guest, "evil")))
	stop := race(t, filepath.Join(guest, "etc"), filepath.Join(guest, "evil"))
	written, refused := 0, 0
	for i := 0; i < 400 || (written == 0 || refused == 0) && i < 20000; i++ {
		if err := root.WriteFile("etc/canary", []byte("guest"), 0o666); err == nil {
			written++
		} else {
			refused++
		}
		_ = root.MkdirAll("etc/a/b", 0o755)
		_ = root.Symlink("x", "etc/link")
		_ = root.Remove("etc/link")
		if data, err := root.ReadFile("etc/canary", 100); err == nil && string(data) == canaryText {
			t.Error("the host's file was read")
		}
	}
	stop()
	checkHost(t, host)
	if written == 0 || refused == 0 {
		t.Errorf("no race happened: %d written, %d refused", written, refused)
	}
}

// A directory in the middle of the path goes up and down the tree, so that ".."
// of a half-resolved path changes its meaning.
func TestDotDotAgainstAMovingDirectory(t *testing.T) {
	root, guest, host := tree(t)
	check(t, os.MkdirAll(filepath.Join(guest, "a/b/c"), 0o755))
	check(t, os.Mkdir(filepath.Join(guest, "flat"), 0o755))
	stop := race(t, filepath.Join(guest, "a/b/c"), filepath.Join(guest, "flat"))
	for range 2000 {
		data, err := root.ReadFile("a/b/c/../../../../host/canary", 100)
		if err == nil {
			t.Fatalf("read %q", data)
		}
	}
	stop()
	checkHost(t, host)
}

// race exchanges two names again and again until the returned function is called.
func race(t *testing.T, a, b string) (stop func()) {
	t.Helper()
	done := make(chan struct{})
	var racer sync.WaitGroup
	racer.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if err := unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE); err != nil {
				t.Error(err)
				return
			}
		}
	})
	return func() {
		close(done)
		racer.Wait()
	}
}

func TestMkdirAll(t *testing.T) {
	root, guest, host := tree(t)
	check(t, os.Mkdir(filepath.Join(guest, "real"), 0o700))
	check(t, os.Symlink("/real", filepath.Join(guest, "link")))
	check(t, os.Symlink("/nothing", filepath.Join(guest, "dangling")))
	check(t, os.Symlink(host, filepath.Join(guest, "to-host")))
	for _, name := range []string{"a/b/c", "/a/b/d/", "link/x/y", "a", ".", "/"} {
		check(t, root.MkdirAll(name, 0o777))
	}
	for _, name := range []string{"a", "a/b", "a/b/c", "a/b/d", "real/x", "real/x/y"} {
		if info, err := os.Lstat(filepath.Join(guest, name)); err != nil || info.Mode() != fs.ModeDir|0o777 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if info, err := os.Lstat(filepath.Join(guest, "real")); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("an existing directory was changed: %v, %v", info, err)
	}
	for _, name := range []string{"dangling/x", "dangling", "to-host/x", "etc/hostname", "etc/hostname/x", "a/../x", ".."} {
		if err := root.MkdirAll(name, 0o755); err == nil {
			t.Errorf("%s: made", name)
		}
	}
	checkHost(t, host)
}

func TestLinksAndRemoval(t *testing.T) {
	root, guest, host := tree(t)
	check(t, root.Symlink(host, "link"))
	if got, err := root.Readlink("link"); err != nil || got != host {
		t.Errorf("%q, %v", got, err)
	}
	if st, err := root.Lstat("/link"); err != nil || st.Mode&unix.S_IFMT != unix.S_IFLNK {
		t.Errorf("%o, %v", st.Mode, err)
	}
	if st, err := root.Lstat("/"); err != nil || st.Mode&unix.S_IFMT != unix.S_IFDIR {
		t.Errorf("%o, %v", st.Mode, err)
	}
	if _, err := root.Lstat("link/canary"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("through the link: %v", err)
	}
	if err := root.Symlink("x", "link"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over the link: %v", err)
	}
	if _, err := root.Readlink("etc/hostname"); !errors.Is(err, unix.EINVAL) {
		t.Errorf("readlink of a file: %v", err)
	}
	if _, err := root.Readlink("none"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("readlink of nothing: %v", err)
	}
	if err := root.Remove("etc"); !errors.Is(err, unix.ENOTEMPTY) {
		t.Errorf("remove a full directory: %v", err)
	}
	for _, name := range []string{"link", "etc/hostname", "etc"} {
		check(t, root.Remove(name))
	}
	if entries, err := os.ReadDir(guest); err != nil || len(entries) != 0 {
		t.Errorf("left over: %v, %v", entries, err)
	}
	checkHost(t, host)
}
