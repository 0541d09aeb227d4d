package store

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// livedIn is a guest that has changed what its image gave it: files are gone, renamed
// and replaced, and there are new ones of each kind.
func livedIn(t *testing.T, b bed, name string) Layout {
	t.Helper()
	l := b.guest(t, name)
	must(t, MountPlain(l))
	root := l.GuestDir + "/rootfs"
	must(t, os.Remove(root+"/etc/empty"))
	must(t, os.RemoveAll(root+"/srv"))
	must(t, os.Mkdir(root+"/srv", 0o711))
	must(t, os.Rename(root+"/var/lib", root+"/var/moved"))
	must(t, os.Mkdir(root+"/own", 0o755))
	write(t, root+"/etc/hostname", "lived in\n")
	for _, d := range []string{"dev", "etc", "tmp", "bin", "var/lib/deep/er"} {
		must(t, os.MkdirAll(root+"/own/"+d, 0o755))
	}
	write(t, root+"/own/a\nnew\tline \x01\xfe", "odd\n")
	write(t, root+"/own/"+strings.Repeat("n", 255), "long\n")
	must(t, os.Link(root+"/own/"+strings.Repeat("n", 255), root+"/own/tmp/link"))
	sampleSpecial(t, root+"/own")
	sampleSocket(t, root+"/own/tmp/socket")
	sampleSparse(t, root+"/own/sparse")
	huge := root + "/own/huge"
	write(t, huge, "x")
	must(t, os.Truncate(huge, 3<<30))
	f, err := os.OpenFile(huge, os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("the end"), 3<<30-7)
	must(t, errors.Join(err, f.Close()))
	must(t, unix.Setxattr(root+"/own", "user.note", []byte("note"), 0))
	must(t, unix.Setxattr(root+"/own/dev", "trusted.mark", []byte("mark"), 0))
	must(t, unix.Setxattr(root, "user.on-root", []byte("z"), 0))
	run(t, "setfacl", "-m", "u:33:rwx,d:u:34:rx", root+"/own/bin")
	must(t, unix.Chmod(root, 0o751))
	return l
}

// sight is all that a guest shows.
func sight(t *testing.T, l Layout) string {
	t.Helper()
	must(t, MountPlain(l))
	return dump(t, l.GuestDir+"/rootfs", false, "own/huge")
}

// clone makes a guest from another one and destroys it afterwards.
func (b bed) clone(t *testing.T, name string, from Layout, how func(context.Context, Layout, Layout) error) Layout {
	t.Helper()
	l := b.layout(name)
	l.Lower = from.Lower
	must(t, how(context.Background(), l, from))
	t.Cleanup(func() { must(t, Destroy(l)) })
	return l
}

func TestACopiedGuestIsTheSame(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		from := livedIn(t, b, "web")
		must(t, unix.Chmod(from.GuestDir+"/rootfs", 0o751))
		want := sight(t, from)
		part := "/rootfs"
		if b.backend == Overlay {
			part = "/upper"
		}
		must(t, Unmount(from))
		must(t, MountPlain(from)) // of what deleted, overlay clears work at the next mount
		must(t, Unmount(from))
		disk := dump(t, from.GuestDir+part, true, "own/huge")
		// The guest may run, with its root shown with other ids.
		root, done := openRoot(t, from)
		must(t, Expose(from, root))
		l := b.clone(t, "copy", from, Copy)
		must(t, SyncAll(l))
		done()
		must(t, Unmount(from))
		sameDump(t, "source on disk", disk, dump(t, from.GuestDir+part, true, "own/huge"))
		if b.backend != Overlay {
			sameDump(t, "copy with its access times", disk, dump(t, l.GuestDir+part, true, "own/huge"))
		}
		sameDump(t, "copy", want, sight(t, l))
		var st unix.Stat_t
		must(t, unix.Stat(l.GuestDir+"/rootfs/own/huge", &st))
		if st.Size != 3<<30 || st.Blocks > 100 {
			t.Errorf("a sparse file has %d bytes in %d blocks", st.Size, st.Blocks)
		}
		// They have nothing in common.
		write(t, l.GuestDir+"/rootfs/etc/hostname", "copy\n")
		must(t, os.RemoveAll(l.GuestDir+"/rootfs/own"))
		sameDump(t, "source", want, sight(t, from))
	})
}

func TestACopyThatIsCancelledLeavesNothing(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		from := b.guest(t, "web")
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		l := b.layout("copy")
		if err := Copy(ctx, l, from); !errors.Is(err, context.Canceled) {
			t.Errorf("copy: %v", err)
		}
		if exists(l.GuestDir) {
			t.Error("the guest's directory is left")
		}
	})
}

func TestBtrfsSnapshotHasTheSubvolumesInIt(t *testing.T) {
	b := btrfsBed(t)
	from := livedIn(t, b, "web")
	root := from.GuestDir + "/rootfs"
	for _, sub := range []string{"/own/machines", "/own/machines/inner", "/top"} {
		run(t, "btrfs", "subvolume", "create", root+sub)
		write(t, root+sub+"/file", sub)
	}
	want := sight(t, from)
	for name, how := range map[string]func(context.Context, Layout, Layout) error{"copy": Copy, "snapshot": Snapshot} {
		l := b.clone(t, name, from, how)
		for _, sub := range []string{"/own/machines", "/own/machines/inner", "/top"} {
			if got := read(t, l.GuestDir+"/rootfs"+sub+"/file"); got != sub {
				t.Errorf("%s: %s has %q", name, sub, got)
			}
			write(t, l.GuestDir+"/rootfs"+sub+"/file", "changed")
		}
	}
	sameDump(t, "source", want, sight(t, from))
	l := b.clone(t, "plain", from, Snapshot)
	if inodeOf(t, l.GuestDir+"/rootfs/etc/hostname") != inodeOf(t, root+"/etc/hostname") {
		t.Error("the snapshot is a copy")
	}
}

func TestOverlayGuestsShareALayer(t *testing.T) {
	sameMounts(t)
	b := newBed(t, Overlay, t.TempDir())
	from := livedIn(t, b, "web")
	want := sight(t, from)
	layer := b.dir + "/state/layer"
	must(t, Unmount(from))
	must(t, NewLayer(from, layer))
	t.Cleanup(func() { must(t, RemoveTree(layer)) })
	between := from
	between.Lower = append([]string{LayerTree(layer)}, from.Lower...)
	sameDump(t, "with an empty layer", want, sight(t, between))
	must(t, Unmount(between))
	must(t, Split(between, layer))
	if empty, err := UpperIsEmpty(between); err != nil || !empty {
		t.Errorf("its own layer is empty: %v, %v", empty, err)
	}
	sameDump(t, "source", want, sight(t, between))
	disk := dump(t, LayerTree(layer), true, "own/huge")
	l := b.clone(t, "copy", between, CreateAbove)
	sameDump(t, "clone", want, sight(t, l))
	for i, guest := range []Layout{between, l} {
		root := guest.GuestDir + "/rootfs"
		write(t, root+"/etc/hostname", "changed\n")
		must(t, os.RemoveAll(root+"/own"))
		must(t, os.Rename(root+"/var/moved", root+"/var/again"))
		if i == 0 {
			sameDump(t, "clone after its source changed", want, sight(t, l))
		}
	}
	sameDump(t, "layer", disk, dump(t, LayerTree(layer), true, "own/huge"))
}

func TestSnapshotsWhereThereAreNone(t *testing.T) {
	b := newBed(t, Dir, t.TempDir())
	from := b.guest(t, "web")
	if err := Snapshot(context.Background(), b.layout("copy"), from); !errors.Is(err, errNoSnapshot) {
		t.Errorf("snapshot: %v", err)
	}
}
