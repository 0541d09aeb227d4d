package store

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/ownthread"
)

// inUse tells whether the kernel has guest's upper in a live overlay: with
// index=on it refuses a second one.
func inUse(t *testing.T, l Layout) bool {
	t.Helper()
	options := "index=on,lowerdir=" + l.Lower[0] + ",upperdir=" + l.GuestDir + "/upper,workdir=" + l.GuestDir + "/work"
	at := t.TempDir()
	err := unix.Mount("probe", at, "overlay", 0, options)
	if err == nil {
		must(t, unix.Unmount(at, 0))
	}
	return err == unix.EBUSY
}

func TestOverlayIsGoneWithItsDescriptors(t *testing.T) {
	sameMounts(t)
	b := newBed(t, Overlay, t.TempDir())
	l := b.guest(t, "web")
	userns := userNamespace(t)
	for range 20 {
		root, err := OpenRoot(l, userns)
		must(t, err)
		unix.Close(root)
		must(t, MountPlain(l))
		must(t, MountPlain(l)) // idempotent
		must(t, Unmount(l))
	}
	root, done := openRoot(t, l)
	if !inUse(t, l) {
		t.Error("the probe doesn't see an open root")
	}
	_ = root
	done()
	if inUse(t, l) {
		t.Error("the upper is in use after its descriptor was closed")
	}
}

// The ways for kernels before 6.15, which work on later ones too.
func TestOverlayWithAttachedLayers(t *testing.T) {
	sameMounts(t)
	b := newBed(t, Overlay, t.TempDir())
	l := b.guest(t, "web")
	for name, way := range map[string]handing{"descriptor": byDescriptor, "path": byPath, "list": byList} {
		t.Run(name, func(t *testing.T) {
			root := attachedRoot(t, l, way)
			if got := asGuest(t, root, "own .", "create etc/"+name, "own etc/"+name); got != "0:0\n0:0\n" {
				t.Errorf("the guest says %q", got)
			}
			unix.Close(root)
			if text := read(t, l.GuestDir+"/upper/etc/"+name); text != "of the guest\n" {
				t.Errorf("upper has %q", text)
			}
			if inUse(t, l) {
				t.Error("the upper stays in use")
			}
		})
	}
}

func attachedRoot(t *testing.T, l Layout, way handing) int {
	t.Helper()
	g, err := openGuestDir(l.GuestDir)
	must(t, err)
	defer g.close()
	layers, mounts, err := overlayBackend{lower: l.Lower}.mapLayers(g, userNamespace(t))
	must(t, err)
	defer mounts.close()
	root := -1
	must(t, ownthread.Run(func() error {
		if err := becomeRootOf(layers.work); err != nil {
			return err
		}
		root, err = attachedOverlay(layers, mounts, guestSource+g.base, way)
		return err
	}))
	return root
}

func TestOverlayOnSeveralImages(t *testing.T) {
	b := newBed(t, Overlay, t.TempDir())
	l := b.layout("web")
	l.Lower = nil
	for i := range 20 {
		dir := b.dir + "/layer :,\\" + strconv.Itoa(i)
		must(t, os.MkdirAll(dir, 0o755))
		write(t, dir+"/which", strconv.Itoa(i))
		write(t, dir+"/only-"+strconv.Itoa(i), "")
		l.Lower = append(l.Lower, dir)
	}
	must(t, Create(context.Background(), l, l.Lower[0]))
	defer func() { must(t, Destroy(l)) }()
	must(t, MountPlain(l))
	if text := read(t, l.GuestDir+"/rootfs/which"); text != "0" {
		t.Errorf("layer %s is on top", text)
	}
	if !exists(l.GuestDir + "/rootfs/only-19") {
		t.Error("the lowest layer is missing")
	}
	must(t, Unmount(l))
	root, done := openRoot(t, l)
	if got := asGuest(t, root, "own only-0", "own only-19"); got != "0:0\n0:0\n" {
		t.Errorf("the guest says %q", got)
	}
	done()
}

func TestOverlayOptions(t *testing.T) {
	b := newBed(t, Overlay, t.TempDir())
	l := b.guest(t, "web")
	must(t, MountPlain(l))
	var line string
	for l := range strings.SplitSeq(read(t, "/proc/self/mountinfo"), "\n") {
		if strings.Contains(l, plainSource+"web ") {
			line = l
		}
	}
	for _, want := range []string{"nosuid,nodev", "redirect_dir=on"} {
		if !strings.Contains(line, want) {
			t.Errorf("no %s in %q", want, line)
		}
	}
	for _, not := range []string{"index=on", "metacopy=on", "shared:"} {
		if strings.Contains(line, not) {
			t.Errorf("%s in %q", not, line)
		}
	}
	// A directory of the image can be renamed, which needs redirect_dir.
	must(t, os.Rename(l.GuestDir+"/rootfs/etc", l.GuestDir+"/rootfs/etc2"))
	if !exists(l.GuestDir + "/rootfs/etc2/hostname") {
		t.Error("the renamed directory is empty")
	}
}

func TestOverlayNeedsAnUpperThatCanBeOne(t *testing.T) {
	b := newBed(t, Overlay, t.TempDir())
	// An overlay upon an overlay: no upper.
	outer := b.guest(t, "outer")
	must(t, MountPlain(outer))
	inner := bed{backend: Overlay, dir: outer.GuestDir + "/rootfs"}
	l := Layout{Backend: Overlay, GuestDir: inner.dir + "/inner", Lower: []string{b.image()}}
	must(t, Create(context.Background(), l, b.image()))
	err := MountPlain(l)
	contains(t, err, "overlay")
	t.Log(err)
	_, err = OpenRoot(l, userNamespace(t))
	contains(t, err, "cannot map the ids", "overlay", "ext4, xfs, btrfs")
	t.Log(err)
	must(t, Destroy(l))
}

func TestOverlayWithoutItsImage(t *testing.T) {
	b := newBed(t, Overlay, t.TempDir())
	l := b.layout("web")
	must(t, Create(context.Background(), l, b.image()))
	must(t, MountPlain(l))
	l.Lower = nil
	must(t, Unmount(l))
	contains(t, MountPlain(l), "needs an image")
	contains(t, second(OpenRoot(l, userNamespace(t))), "needs an image")
	contains(t, Create(context.Background(), Layout{Backend: Overlay, GuestDir: b.dir + "/x"}, b.image()), "needs an image")
	must(t, Destroy(l))
}

// An image with overlay's marks on its root must not steer the guest's layer.
func TestOverlayMarksOfAnImage(t *testing.T) {
	b := newBed(t, Overlay, t.TempDir())
	must(t, unix.Setxattr(b.image(), "trusted.overlay.opaque", []byte("y"), 0))
	l := b.guest(t, "web")
	if got := attributesOf(t, l.GuestDir+"/upper"); got != " trusted.on-root=79" {
		t.Errorf("upper has%s", got)
	}
	must(t, MountPlain(l))
	if !exists(l.GuestDir + "/rootfs/etc/hostname") {
		t.Error("the image doesn't show")
	}
}
