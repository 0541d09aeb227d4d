package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func run(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o644))
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	must(t, err)
	return string(text)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// contains fails unless err's text has each of the parts.
func contains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", parts)
	}
	for _, p := range parts {
		if !strings.Contains(err.Error(), p) {
			t.Errorf("error %q doesn't contain %q", err, p)
		}
	}
}

// bed is a file system for guests and images, and a backend on it.
type bed struct {
	backend string
	dir     string
}

func (b bed) image() string { return b.dir + "/image/rootfs" }

func (b bed) layout(name string) Layout {
	l := Layout{Backend: b.backend, GuestDir: b.dir + "/state/" + name}
	if b.backend == Overlay {
		l.Lower = []string{b.image()}
	}
	return l
}

// guest creates a guest with the sample image and destroys it afterwards.
func (b bed) guest(t *testing.T, name string) Layout {
	t.Helper()
	l := b.layout(name)
	must(t, Create(context.Background(), l, b.image()))
	t.Cleanup(func() {
		if err := Destroy(l); err != nil {
			t.Error(err)
		}
	})
	return l
}

// newBed makes a bed with the sample image on the file system of dir.
func newBed(t *testing.T, backend, dir string) bed {
	t.Helper()
	b := bed{backend: backend, dir: dir}
	must(t, os.MkdirAll(dir+"/state", 0o700))
	must(t, os.MkdirAll(dir+"/image", 0o700))
	must(t, MakeTree(b.image()))
	sampleTree(t, b.image())
	return b
}

// mountLoop makes a file system of a type in a file and mounts it until the
// end of the test.
func mountLoop(t *testing.T, fsType string, mkfs ...string) string {
	t.Helper()
	dir := t.TempDir()
	file, at := filepath.Join(dir, "file"), filepath.Join(dir, "mount")
	must(t, os.Mkdir(at, 0o700))
	write(t, file, "")
	must(t, os.Truncate(file, 512<<20))
	run(t, append(mkfs, file)...)
	run(t, "mount", "-t", fsType, "-o", "loop", file, at)
	t.Cleanup(func() { run(t, "umount", at) })
	return at
}

// beds calls f for each backend, on a file system where it works.
func beds(t *testing.T, f func(*testing.T, bed)) {
	t.Helper()
	t.Run(Dir, func(t *testing.T) { f(t, newBed(t, Dir, t.TempDir())) })
	t.Run(Overlay, func(t *testing.T) { f(t, newBed(t, Overlay, t.TempDir())) })
	t.Run(Btrfs, func(t *testing.T) { f(t, newBed(t, Btrfs, mountLoop(t, "btrfs", "mkfs.btrfs", "-q"))) })
}

// openRoot opens a guest's root for as long as the test runs, or until done.
func openRoot(t *testing.T, l Layout) (root int, done func()) {
	t.Helper()
	root, err := OpenRoot(l, userNamespace(t))
	must(t, err)
	closed := false
	done = func() {
		if !closed {
			unix.Close(root)
		}
		closed = true
	}
	t.Cleanup(done)
	return root, done
}

// mountTable is what is mounted here and by the tests, without ids, as text.
func mountTable(t *testing.T) string {
	t.Helper()
	mounts, err := ownMounts()
	must(t, err)
	name, _, _ := strings.Cut(t.Name(), "/")
	var table strings.Builder
	for _, m := range mounts {
		// Guests of other instances come and go on this host.
		if strings.HasSuffix(m.point, "/rootfs") && !strings.Contains(m.point, name) {
			continue
		}
		fmt.Fprintln(&table, m.dev, m.point, m.fsType, m.source)
	}
	return table.String()
}

// sameMounts fails if the mounts at the end of the test aren't those of now.
func sameMounts(t *testing.T) {
	t.Helper()
	before := mountTable(t)
	t.Cleanup(func() {
		if after := mountTable(t); after != before {
			t.Errorf("mounts before:\n%s\nafter:\n%s", before, after)
		}
	})
}
