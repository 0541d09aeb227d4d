package store

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMeasure has a tree with whatever could be counted wrongly, and du as the judge.
func TestMeasure(t *testing.T) {
	dir := t.TempDir()
	root := filepath.Join(dir, "rootfs")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Join(root, "a/b/c"), 0o755))
	for _, name := range []string{"a/one", "a/b/two", "a/b/c/three"} {
		must(os.WriteFile(filepath.Join(root, name), make([]byte, 100_000), 0o600))
	}
	must(os.Link(filepath.Join(root, "a/one"), filepath.Join(root, "a/b/c/again")))
	must(os.Symlink("/usr", filepath.Join(root, "a/out")))
	must(os.Symlink("..", filepath.Join(root, "a/b/up")))
	must(os.WriteFile(filepath.Join(root, "hole"), nil, 0o600))
	must(os.Truncate(filepath.Join(root, "hole"), 1<<40))
	must(unix.Mkfifo(filepath.Join(root, "a/fifo"), 0o600))
	for i := range 300 { // more than one read of a directory
		must(os.WriteFile(filepath.Join(root, "a/b", "many"+strconv.Itoa(i)), []byte("x"), 0o600))
	}
	got, err := MeasureGuest(context.Background(), Layout{Backend: Dir, GuestDir: dir})
	must(err)
	out, err := exec.Command("du", "-s", "-B512", root).Output()
	must(err)
	blocks, err := strconv.ParseInt(strings.Fields(string(out))[0], 10, 64)
	must(err)
	// The directories are rootfs, a, b and c; one of the files has two names.
	if want := int64(4 + 3 + 2 + 1 + 1 + 300); got.Files != want || got.Bytes != blocks*512 || got.Partial || got.Size <= got.Available || got.Available <= 0 {
		t.Errorf("got %+v, want %d files and %d bytes", got, want, blocks*512)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := MeasureGuest(ctx, Layout{Backend: Dir, GuestDir: dir}); err == nil {
		t.Error("it goes on when nobody wants it any more")
	}
	if _, err := MeasureGuest(context.Background(), Layout{Backend: Overlay, GuestDir: dir}); err == nil {
		t.Error("an overlay without upper is no error")
	}
}

// TestMeasureTooDeep has directories in one another whose path is longer than a path may be.
func TestMeasureTooDeep(t *testing.T) {
	dir := t.TempDir()
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	name := "upper"
	for i := 0; i < 30 && err == nil; i++ {
		if err = unix.Mkdirat(fd, name, 0o700); err != nil {
			break
		}
		var next int
		next, err = unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		unix.Close(fd)
		fd, name = next, strings.Repeat("d", 200)
	}
	unix.Close(fd)
	if err != nil {
		t.Fatal(err)
	}
	got, err := MeasureGuest(context.Background(), Layout{Backend: Overlay, GuestDir: dir})
	if err != nil || !got.Partial || got.Files < 20 {
		t.Errorf("got %+v, %v", got, err)
	}
}
