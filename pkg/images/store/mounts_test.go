package store

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestParseMountinfo(t *testing.T) {
	text := "22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
		"36 35 98:0 /mnt1 /mnt\\0402\\134x rw,noatime master:1 propagate_from:2 - ext3 /dev/root rw,errors=continue\n" +
		"99 36 0:77 / /state/web/rootfs rw - overlay sysct/web rw,lowerdir+=/a - b\n" +
		"100 36 0:78 / /odd\\9 rw - fuse.x  rw\n" +
		"garbage\n\n1 2 3:4 / /short rw -\nx 2 3:4 / / rw - a b c\n"
	want := []mountEntry{
		{22, 27, "0:21", "/proc", "proc", "proc"},
		{36, 35, "98:0", "/mnt 2\\x", "ext3", "/dev/root"},
		{99, 36, "0:77", "/state/web/rootfs", "overlay", "sysct/web"},
		{100, 36, "0:78", "/odd\\9", "fuse.x", ""},
	}
	if got := parseMountinfo([]byte(text)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v", got)
	}
}

func FuzzParseMountinfo(f *testing.F) {
	f.Add([]byte("36 35 98:0 /mnt1 /mnt\\0402 rw,noatime master:1 - ext3 /dev/root rw\n"))
	f.Add([]byte("\\"))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, m := range parseMountinfo(text) {
			if m.dev == "" && !strings.Contains(string(text), "  ") {
				t.Errorf("no device in %+v", m)
			}
		}
	})
}

// On most hosts systemd makes all mounts shared. What a guest mounts must
// still not show on the host, nor what is mounted in the exposed root in the
// guest.
func TestNothingPropagatesFromSharedMounts(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		run(t, "mount", "--bind", b.dir, b.dir)
		run(t, "mount", "--make-shared", b.dir)
		defer run(t, "umount", b.dir)
		l := b.layout("web")
		must(t, Create(context.Background(), l, b.image()))
		root, err := OpenRoot(l, userNamespace(t))
		must(t, err)
		// A further place of the same mount, which a shared one would reach.
		at := t.TempDir()
		run(t, "mount", "--bind", b.dir, at)
		must(t, Expose(l, root))

		guests := t.TempDir()
		clone, err := Clone(root)
		must(t, err)
		must(t, unix.MoveMount(clone, "", unix.AT_FDCWD, guests, unix.MOVE_MOUNT_F_EMPTY_PATH))
		unix.Close(clone)
		for _, at := range []string{guests + "/tmp", l.GuestDir + "/rootfs/srv"} {
			run(t, "mount", "-t", "tmpfs", "inside", at)
			if n := strings.Count(mountTable(t), " inside"); n != 1 {
				t.Errorf("a mount on %s is there %d times", at, n)
			}
			run(t, "umount", at)
		}
		run(t, "umount", guests)
		unix.Close(root)
		// What is mounted on rootfs/ shows at the other place too: that can't be
		// helped. But it goes with it.
		must(t, Unmount(l))
		must(t, Destroy(l))
		run(t, "umount", at)
	})
}

// A detached root can't be cloned before Linux 6.15, so it is attached itself.
// Nothing else in this package asks for a clone of one.
func TestAttachedRootCanBeCloned(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		root, done := openRoot(t, l)
		target, err := unix.Open(l.GuestDir+"/rootfs", unix.O_PATH, 0)
		must(t, err)
		must(t, attachMount(root, target))
		unix.Close(target)
		guests, err := Clone(root)
		must(t, err)
		if got := asGuest(t, guests, "create etc/new", "own etc/new"); got != "0:0\n" {
			t.Errorf("the guest says %q", got)
		}
		unix.Close(guests)
		done()
		must(t, Unmount(l))
	})
}

func TestFileSystemWithoutIdmap(t *testing.T) {
	dir := t.TempDir()
	run(t, "mount", "-t", "ramfs", "ramfs", dir)
	defer run(t, "umount", dir)
	must(t, os.MkdirAll(dir+"/image/etc", 0o755))
	l := Layout{Backend: Dir, GuestDir: dir + "/web"}
	must(t, Create(context.Background(), l, dir+"/image"))
	_, err := OpenRoot(l, userNamespace(t))
	contains(t, err, "cannot map the ids of "+dir, "ramfs", "ext4, xfs, btrfs")
	must(t, Destroy(l))
}

func TestAuto(t *testing.T) {
	sameMounts(t)
	ramfs := t.TempDir()
	run(t, "mount", "-t", "ramfs", "ramfs", ramfs)
	defer run(t, "umount", ramfs)
	for dir, want := range map[string]string{
		t.TempDir(): Overlay,
		ramfs:       Shift,
		mountLoop(t, "btrfs", "mkfs.btrfs", "-q"): Btrfs,
	} {
		got, err := Auto(dir)
		must(t, err)
		if got != want {
			t.Errorf("%s: got %s, want %s", dir, got, want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: left %v %v", dir, left, err)
		}
	}
	_, err := Auto(ramfs + "/none")
	contains(t, err, "/none")
}

func TestUnknownBackend(t *testing.T) {
	l := Layout{Backend: "zfs", GuestDir: t.TempDir() + "/web"}
	contains(t, Create(context.Background(), l, "/"), `unknown storage backend "zfs"`)
	contains(t, Unmount(l), "zfs")
	contains(t, Destroy(l), "zfs")
}

func TestInsideAUserNamespace(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Chmod(filepath.Dir(dir), 0o711))
	must(t, os.Chown(dir, testBase, testBase))
	cmd := guestCommand(testBase, "nested "+dir)
	cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS
	out, err := cmd.CombinedOutput()
	must(t, err)
	for _, want := range []string{"auto: shift\n", "cannot map the ids of " + dir, "operation not permitted",
		"sysct runs inside a user namespace"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if exists(dir + "/web") {
		t.Error("the nested guest is left")
	}
}
