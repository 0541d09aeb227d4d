package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestCopyIsWhatCpMakes(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	run(t, "cp", "-a", b.image(), b.dir+"/cp")
	l := b.guest(t, "web")
	// Without access times: cp changed those of the image.
	sameDump(t, "copy", dump(t, b.dir+"/cp", false), dump(t, l.GuestDir+"/rootfs", false))
	sameDump(t, "copy", dump(t, b.image(), true), dump(t, l.GuestDir+"/rootfs", true))
}

func TestCopyKeepsHoles(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	l := b.guest(t, "web")
	var from, to unix.Stat_t
	must(t, unix.Stat(b.image()+"/var/lib/sparse", &from))
	must(t, unix.Stat(l.GuestDir+"/rootfs/var/lib/sparse", &to))
	if to.Size != from.Size || to.Blocks > from.Blocks+64 {
		t.Errorf("%d bytes in %d blocks became %d in %d", from.Size, from.Blocks, to.Size, to.Blocks)
	}
}

func TestCopyBetweenFileSystems(t *testing.T) {
	tmpfs := t.TempDir()
	run(t, "mount", "-t", "tmpfs", "tmpfs", tmpfs)
	defer run(t, "umount", tmpfs)
	from := newBed(t, Dir, tmpfs)
	l := Layout{Backend: Dir, GuestDir: t.TempDir() + "/web"}
	must(t, Create(context.Background(), l, from.image()))
	sameDump(t, "copy", dump(t, from.image(), true), dump(t, l.GuestDir+"/rootfs", true))
	must(t, Destroy(l))
}

// Where blocks can be shared, a copy takes none.
func TestCopySharesBlocks(t *testing.T) {
	dir := mountLoop(t, "xfs", "mkfs.xfs", "-q", "-m", "reflink=1")
	b := newBed(t, Dir, dir)
	big := b.image() + "/big"
	write(t, big, strings.Repeat("not a hole, not a hole\n", 4<<20))
	free := func() uint64 {
		var st unix.Statfs_t
		fd, err := unix.Open(dir, unix.O_RDONLY, 0)
		must(t, err)
		defer unix.Close(fd)
		must(t, unix.Syncfs(fd))
		must(t, unix.Fstatfs(fd, &st))
		return st.Bavail * uint64(st.Bsize)
	}
	before := free()
	l := b.guest(t, "web")
	if used := before - free(); used > 16<<20 {
		t.Errorf("the copy takes %d bytes", used)
	}
	sameDump(t, "copy", dump(t, b.image(), true), dump(t, l.GuestDir+"/rootfs", true))
}

func TestCopyOfManyLinksAndDirectories(t *testing.T) {
	dir := t.TempDir()
	image := dir + "/image"
	for i := range 60 {
		d := filepath.Join(image, "d"+strconv.Itoa(i%7), "e"+strconv.Itoa(i))
		must(t, os.MkdirAll(d, 0o755))
		for j := range 40 {
			file := filepath.Join(d, strconv.Itoa(j))
			first := filepath.Join(image, "first"+strconv.Itoa(j))
			if i == 0 {
				write(t, first, "linked "+strconv.Itoa(j))
			}
			must(t, os.Link(first, file))
		}
	}
	l := Layout{Backend: Dir, GuestDir: dir + "/web"}
	must(t, Create(context.Background(), l, image))
	sameDump(t, "copy", dump(t, image, true), dump(t, l.GuestDir+"/rootfs", true))
	must(t, Destroy(l))
}

func TestCopyDoesNotLeaveTheImage(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	// A mount in the image is not part of it; what lies below is.
	write(t, b.image()+"/tmp/below", "below\n")
	run(t, "mount", "-t", "tmpfs", "tmpfs", b.image()+"/tmp")
	write(t, b.image()+"/tmp/above", "above\n")
	l := b.guest(t, "web")
	run(t, "umount", b.image()+"/tmp")
	if exists(l.GuestDir+"/rootfs/tmp/above") || !exists(l.GuestDir+"/rootfs/tmp/below") {
		t.Error("the copy went into a mount")
	}
	alias := b.dir + "/image/alias"
	must(t, os.Symlink(b.image(), alias))
	contains(t, Create(context.Background(), b.layout("other"), alias), "symbolic link")
	contains(t, Create(context.Background(), b.layout("other"), b.image()+"/etc/hostname"), "not a directory")
}

// Wherever a cancellation hits, the outcome is all or nothing.
func TestCopyCancelledInTheMiddle(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	for i := range 40 {
		write(t, b.image()+"/etc/"+strconv.Itoa(i), strings.Repeat("x", i*10_000))
	}
	want := dump(t, b.image(), true)
	cancelled := 0
	for i := range 40 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i)*200*time.Microsecond)
		l := b.layout("web")
		err := Create(ctx, l, b.image())
		cancel()
		switch {
		case err == nil:
			sameDump(t, "copy", want, dump(t, l.GuestDir+"/rootfs", true))
			must(t, Destroy(l))
		case !errors.Is(err, context.DeadlineExceeded):
			t.Error(err)
		case exists(l.GuestDir):
			t.Fatal("a cancelled copy is left")
		default:
			cancelled++
		}
	}
	if cancelled == 0 {
		t.Error("nothing was cancelled")
	}
}

func TestCopyTooDeep(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	nest(t, b.image()+"/empty", 700)
	l := b.layout("web")
	contains(t, Create(context.Background(), l, b.image()), "cannot copy", "name too long")
	if exists(l.GuestDir) {
		t.Error("the failed copy is left")
	}
	must(t, RemoveTree(b.dir+"/image"))
}
