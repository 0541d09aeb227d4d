package store

import (
	"context"
	"os"
	"testing"

	"golang.org/x/sys/unix"
)

func btrfsBed(t *testing.T) bed {
	t.Helper()
	return newBed(t, Btrfs, mountLoop(t, "btrfs", "mkfs.btrfs", "-q"))
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	must(t, unix.Lstat(path, &st))
	return st.Ino
}

func TestBtrfsTakesSnapshots(t *testing.T) {
	b := btrfsBed(t)
	l := b.guest(t, "web")
	if inodeOf(t, b.image()) != btrfsRootInode || inodeOf(t, l.GuestDir+"/rootfs") != btrfsRootInode {
		t.Error("image or guest isn't a subvolume")
	}
	// A snapshot keeps the inode numbers, a copy doesn't.
	if inodeOf(t, b.image()+"/etc/hostname") != inodeOf(t, l.GuestDir+"/rootfs/etc/hostname") {
		t.Error("the guest is a copy")
	}
	write(t, l.GuestDir+"/rootfs/etc/hostname", "web\n")
	if read(t, b.image()+"/etc/hostname") != "sample\n" {
		t.Error("the image changed")
	}
}

func TestBtrfsCopiesWhatIsNoSubvolume(t *testing.T) {
	b := btrfsBed(t)
	plain := b.dir + "/image/plain"
	must(t, os.Mkdir(plain, 0o755))
	sampleTree(t, plain)
	elsewhere := t.TempDir() + "/tree"
	must(t, os.Mkdir(elsewhere, 0o755))
	sampleTree(t, elsewhere)
	other := btrfsBed(t) // a subvolume, but of another file system
	for _, image := range []string{plain, elsewhere, other.image()} {
		l := b.layout("web")
		must(t, Create(context.Background(), l, image))
		sameDump(t, "copy", dump(t, image, true), dump(t, l.GuestDir+"/rootfs", true))
		if inodeOf(t, l.GuestDir+"/rootfs") != btrfsRootInode {
			t.Error("the guest isn't a subvolume")
		}
		must(t, Destroy(l))
	}
}

// A guest can make subvolumes, in each other, and read-only ones.
func TestBtrfsDestroysNestedSubvolumes(t *testing.T) {
	b := btrfsBed(t)
	l := b.layout("web")
	must(t, Create(context.Background(), l, b.image()))
	r := l.GuestDir + "/rootfs"
	run(t, "btrfs", "subvolume", "create", r+"/var/one")
	run(t, "btrfs", "subvolume", "create", r+"/var/one/two")
	must(t, os.MkdirAll(r+"/var/one/two/deep/er", 0o755))
	run(t, "btrfs", "subvolume", "create", r+"/var/one/two/deep/er/three")
	write(t, r+"/var/one/two/deep/er/three/file", "x")
	nest(t, r+"/var/one/two/deep", 300)
	run(t, "btrfs", "subvolume", "snapshot", "-r", r+"/var/one/two", r+"/var/snap")
	run(t, "btrfs", "property", "set", r+"/var/one/two/deep/er/three", "ro", "true")
	run(t, "btrfs", "property", "set", r+"/var/one/two", "ro", "true")
	must(t, Destroy(l))
	if exists(l.GuestDir) {
		t.Error("the guest's directory is left")
	}
	if !exists(b.image() + "/etc/hostname") {
		t.Error("the image is gone")
	}
}

func TestBtrfsNeedsBtrfs(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	l := b.layout("web")
	l.Backend = Btrfs
	contains(t, Create(context.Background(), l, b.image()), "cannot create the subvolume")
	if exists(l.GuestDir) {
		t.Error("the failed guest is left")
	}
}
