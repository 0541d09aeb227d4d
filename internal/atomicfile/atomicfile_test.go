package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"
)

func openDir(t *testing.T, path string) int {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, e.Name())
	}
	return strings.Join(list, " ")
}

func TestWriteReplacesContentAndMode(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "state.json")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(openDir(t, dir), "state.json", []byte("new"), 0o666); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != "new" {
		t.Fatalf("content %q, %v", got, err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode() != 0o666 {
		t.Fatalf("mode %v, %v: the umask must not count", info.Mode(), err)
	}
	if got := names(t, dir); got != "state.json" {
		t.Fatalf("directory holds %q", got)
	}
}

func TestWriteReplacesASymlinkWithoutFollowingIt(t *testing.T) {
	dir, canary := t.TempDir(), filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(canary, []byte("canary"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "f")
	if err := os.Symlink(canary, path); err != nil {
		t.Fatal(err)
	}
	if err := WritePath(path, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(canary); string(got) != "canary" {
		t.Fatalf("canary is %q", got)
	}
	if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() {
		t.Fatalf("%v, %v", info, err)
	}
}

func TestWriteRefusesWhatIsNoName(t *testing.T) {
	dir := openDir(t, t.TempDir())
	for _, name := range []string{"", ".", "..", "a/b", "/etc/x", "a\x00b"} {
		err := Write(dir, name, nil, 0o600)
		if err == nil || !strings.Contains(err.Error(), "not the name of a file") {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestWriteOverADirectoryLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "d"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := Write(openDir(t, dir), "d", []byte("x"), 0o600); err == nil {
		t.Fatal("a directory was replaced")
	}
	if got := names(t, dir); got != "d" {
		t.Fatalf("directory holds %q", got)
	}
}

func TestReadersSeeOldOrNew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	old, new := bytes.Repeat([]byte("o"), 1<<16), bytes.Repeat([]byte("n"), 1<<16)
	if err := WritePath(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	var readers sync.WaitGroup
	done := make(chan struct{})
	readers.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
			}
			if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, old) && !bytes.Equal(got, new) {
				t.Errorf("a mix of %d bytes, %v", len(got), err)
				return
			}
		}
	})
	for i := range 100 {
		if err := WritePath(path, [][]byte{old, new}[i%2], 0o600); err != nil {
			t.Fatal(err)
		}
	}
	close(done)
	readers.Wait()
}

// A full disk is a real one: a tmpfs of one page in a mount namespace of the
// test's own thread.
func TestFullDiskKeepsTheOldFile(t *testing.T) {
	dir := t.TempDir()
	var thread sync.WaitGroup
	thread.Go(func() {
		// Never unlocked: the thread dies with its namespace.
		runtime.LockOSThread()
		if err := mountTiny(dir); err != nil {
			t.Error(err)
			return
		}
		defer unix.Unmount(dir, unix.MNT_DETACH)
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Error(err)
			return
		}
		defer unix.Close(fd)
		if err := Write(fd, "f", []byte("old"), 0o600); err != nil {
			t.Error(err)
		}
		if err := Write(fd, "f", make([]byte, 1<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Errorf("got %v, want ENOSPC", err)
		}
		if got, _, err := Read(fd, "f", 10); err != nil || string(got) != "old" {
			t.Errorf("content %q, %v", got, err)
		}
		if got := names(t, dir); got != "f" {
			t.Errorf("directory holds %q", got)
		}
	})
	thread.Wait()
}

func mountTiny(dir string) error {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16k")
}

func TestReadRefuses(t *testing.T) {
	dir := t.TempDir()
	fd := openDir(t, dir)
	if err := unix.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hostname", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "big"), make([]byte, 11), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"fifo": "not a regular file", ".": "not a regular file",
		"link": "too many levels", "big": "larger than 10 bytes", "none": "no such file",
	} {
		if _, _, err := Read(fd, name, 10); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
	}
	if _, _, err := Read(fd, "none", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestWriteLikeKeepsModeAndOwner(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "config.toml")
	if err := errors.Join(os.WriteFile(path, []byte("old"), 0o600), os.Chown(path, 12, 34), os.Chmod(path, 0o640)); err != nil {
		t.Fatal(err)
	}
	var before, after unix.Stat_t
	if err := unix.Stat(path, &before); err != nil {
		t.Fatal(err)
	}
	if err := WriteLike(openDir(t, dir), "config.toml", []byte("new"), &before); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err := errors.Join(err, unix.Stat(path, &after)); err != nil {
		t.Fatal(err)
	}
	if string(got) != "new" || after.Mode != before.Mode || after.Uid != 12 || after.Gid != 34 || after.Ino == before.Ino {
		t.Errorf("%q, mode %o, owner %d:%d", got, after.Mode, after.Uid, after.Gid)
	}
	if err := WriteLike(openDir(t, dir), "a/b", nil, &before); err == nil {
		t.Error("a path was taken for a name")
	}
}
