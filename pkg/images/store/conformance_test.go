package store

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// What every backend has to do. beds runs a test on each.

func TestCreateGivesTheImagesTree(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		sampleSocket(t, b.image()+"/tmp/socket")
		want := dump(t, b.image(), true)
		l := b.guest(t, "web")
		must(t, Sync(l))
		sameDump(t, "image after create", want, dump(t, b.image(), true))
		must(t, MountPlain(l))
		plain := dump(t, b.image(), false)
		sameDump(t, "guest", plain, dump(t, l.GuestDir+"/rootfs", false))
	})
}

func TestCreateRefusesWhatIsThere(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		write(t, l.GuestDir+"/config.toml", "version = 1\n")
		contains(t, Create(context.Background(), l, b.image()), "rootfs", "exists")
		if !exists(l.GuestDir + "/config.toml") {
			t.Error("the refused create took the guest's files")
		}
	})
}

func TestCancelledCreateLeavesNothing(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		l := b.layout("web")
		if err := Create(ctx, l, b.image()); !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		if exists(l.GuestDir) {
			t.Error("the guest's directory is left")
		}
		must(t, os.Mkdir(l.GuestDir, 0o700))
		write(t, l.GuestDir+"/config.toml", "")
		contains(t, Create(context.Background(), l, b.dir+"/no/image"), "/no", "no such file")
		if entries, err := os.ReadDir(l.GuestDir); err != nil || len(entries) != 1 {
			t.Errorf("after a failed create: %v %v", entries, err)
		}
	})
}

func TestOpenRootShiftsIDs(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		before := dump(t, b.image(), true)
		l := b.guest(t, "web")
		mounts := mountTable(t)
		root, done := openRoot(t, l)
		if after := mountTable(t); after != mounts {
			t.Errorf("a detached root shows among the mounts:\n%s", after)
		}
		got := asGuest(t, root, "own .", "own bin/suid", "own etc/hostname", "create etc/new", "append etc/hostname",
			"remove bin/ping", "own etc/new", "chown etc/new", "own etc/new", "open dev/null")
		want := "0:0\n65533:42\n0:0\n0:0\n33:33\nopen dev/null: permission denied\n"
		if got != want {
			t.Errorf("the guest says:\n%s\nwant:\n%s", got, want)
		}
		var st unix.Stat_t
		must(t, unix.Fstatat(root, "etc/new", &st, 0))
		if st.Uid != testBase+33 {
			t.Errorf("the host sees uid %d through the guest's root", st.Uid)
		}
		done()
		must(t, MountPlain(l))
		must(t, unix.Lstat(l.GuestDir+"/rootfs/etc/new", &st))
		if st.Uid != 33 || st.Gid != 33 {
			t.Errorf("on disk the guest's file is %d:%d", st.Uid, st.Gid)
		}
		if text := read(t, l.GuestDir+"/rootfs/etc/hostname"); text != "sample\nmore\n" {
			t.Errorf("etc/hostname is %q", text)
		}
		if exists(l.GuestDir + "/rootfs/bin/ping") {
			t.Error("what the guest removed is there")
		}
		sameDump(t, "image", before, dump(t, b.image(), true))
	})
}

func TestOpenRootRefusesAnOpenDirectory(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		must(t, os.Chmod(l.GuestDir, 0o711))
		_, err := OpenRoot(l, userNamespace(t))
		contains(t, err, "0711", "chmod")
	})
}

func TestExposeAndUnmount(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		must(t, Unmount(l))
		before := mountTable(t)
		root, done := openRoot(t, l)
		must(t, Expose(l, root))
		must(t, Expose(l, root))
		var st unix.Stat_t
		must(t, unix.Lstat(l.GuestDir+"/rootfs/bin/suid", &st))
		if st.Uid != testBase+65_533 {
			t.Errorf("rootfs/ shows uid %d", st.Uid)
		}
		if _, err := os.Open(l.GuestDir + "/rootfs/dev/null"); !errors.Is(err, unix.EACCES) {
			t.Errorf("a device opens on the host: %v", err)
		}
		asGuest(t, root, "create etc/new")
		if text := read(t, l.GuestDir+"/rootfs/etc/new"); text != "of the guest\n" {
			t.Errorf("rootfs/ shows %q", text)
		}
		done()
		must(t, Unmount(l))
		must(t, Unmount(l))
		if after := mountTable(t); after != before {
			t.Errorf("mounts are left:\n%s", after)
		}
		must(t, MountPlain(l))
		must(t, unix.Lstat(l.GuestDir+"/rootfs/etc/new", &st))
		if st.Uid != 0 {
			t.Errorf("afterwards rootfs/ shows uid %d", st.Uid)
		}
	})
}

// A start after a crash of everything but the kernel.
func TestWhatACrashedLifeLeft(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		root, done := openRoot(t, l)
		must(t, Expose(l, root))
		done()
		if b.backend == Overlay {
			must(t, MountPlain(l)) // the clone goes first
			var st unix.Stat_t
			must(t, unix.Lstat(l.GuestDir+"/rootfs", &st))
			if st.Uid != 0 {
				t.Errorf("rootfs/ shows uid %d", st.Uid)
			}
		}
		_, err := OpenRoot(l, userNamespace(t))
		contains(t, err, "something is mounted on rootfs")
		must(t, Unmount(l))
		root, done = openRoot(t, l)
		if got := asGuest(t, root, "own ."); got != "0:0\n" {
			t.Errorf("the guest's root belongs to %s", got)
		}
		done()
	})
}

func TestDestroyDeletesAll(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		before := dump(t, b.image(), true)
		canary := t.TempDir()
		write(t, canary+"/keep", "keep\n")
		l := b.layout("web")
		must(t, Create(context.Background(), l, b.image()))
		must(t, MountPlain(l))
		rootfs := l.GuestDir + "/rootfs"
		must(t, os.Symlink(canary, rootfs+"/out"))
		must(t, os.Symlink(canary, l.GuestDir+"/out"))
		write(t, l.GuestDir+"/config.toml", "")
		lockedFiles(t, rootfs)
		must(t, Destroy(l))
		if exists(l.GuestDir) {
			t.Error("the guest's directory is left")
		}
		if read(t, canary+"/keep") != "keep\n" {
			t.Error("the canary is gone")
		}
		sameDump(t, "image", before, dump(t, b.image(), true))
		must(t, Destroy(l)) // again
	})
}

// lockedFiles makes what chattr makes hard to delete.
func lockedFiles(t *testing.T, root string) {
	t.Helper()
	must(t, os.MkdirAll(root+"/locked/dir/sub", 0o755))
	write(t, root+"/locked/file", "x")
	write(t, root+"/locked/append", "x")
	write(t, root+"/locked/dir/sub/file", "x")
	run(t, "chattr", "+i", root+"/locked/file")
	run(t, "chattr", "+a", root+"/locked/append")
	run(t, "chattr", "+i", root+"/locked/dir/sub", root+"/locked/dir")
}

func TestDestroyOfATreeDeeperThanPaths(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.layout("web")
		must(t, Create(context.Background(), l, b.image()))
		must(t, MountPlain(l))
		nest(t, l.GuestDir+"/rootfs", 1000)
		must(t, Unmount(l))
		must(t, Destroy(l))
		if exists(l.GuestDir) {
			t.Error("the guest's directory is left")
		}
	})
}

// nest makes directories in each other, far beyond PATH_MAX.
func nest(t *testing.T, root string, depth int) {
	t.Helper()
	fd, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY, 0)
	must(t, err)
	for range depth {
		must(t, unix.Mkdirat(fd, "deeper", 0o700))
		next, err := unix.Openat(fd, "deeper", unix.O_PATH|unix.O_DIRECTORY, 0)
		must(t, err)
		unix.Close(fd)
		fd = next
	}
	unix.Close(fd)
}

// CVE-2026-23954 and its kind: rootfs itself leads out.
func TestRootfsThatIsALink(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.layout("web")
		must(t, Create(context.Background(), l, b.image()))
		canary := t.TempDir()
		write(t, canary+"/keep", "keep\n")
		must(t, os.Rename(l.GuestDir+"/rootfs", l.GuestDir+"/aside"))
		must(t, os.Symlink(canary, l.GuestDir+"/rootfs"))
		for what, err := range map[string]error{
			"open":    second(OpenRoot(l, userNamespace(t))),
			"unmount": Unmount(l),
			"destroy": Destroy(l),
			"expose":  Expose(l, 0),
		} {
			contains(t, err, "symbolic link")
			if !exists(canary+"/keep") || !exists(l.GuestDir+"/aside") {
				t.Fatalf("%s went out of the store", what)
			}
		}
		must(t, os.Remove(l.GuestDir+"/rootfs"))
		must(t, Destroy(l))
	})
}

func second(_ int, err error) error { return err }

func TestGuestDirectoryThatIsALink(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		alias := b.layout("alias")
		must(t, os.Symlink(l.GuestDir, alias.GuestDir))
		contains(t, Destroy(alias), "symbolic link")
		contains(t, Create(context.Background(), alias, b.image()), "symbolic link")
		for _, odd := range []string{"", "/", "relative", b.dir + "/state/../state/web", b.dir + "/state/web/"} {
			contains(t, Destroy(Layout{Backend: b.backend, GuestDir: odd, Lower: alias.Lower}), "clean absolute path")
		}
	})
}

func TestForeignMountsStay(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		for _, at := range []string{"/rootfs", "/extra", "/rootfs/tmp"} {
			must(t, os.MkdirAll(l.GuestDir+at, 0o700))
			run(t, "mount", "-t", "tmpfs", "foreign", l.GuestDir+at)
			write(t, l.GuestDir+at+"/keep", "keep\n")
			err := Destroy(l)
			if err == nil || !strings.Contains(err.Error(), "mount") {
				t.Errorf("%s: error %v", at, err)
			}
			if read(t, l.GuestDir+at+"/keep") != "keep\n" {
				t.Fatalf("%s: a foreign mount was emptied", at)
			}
			run(t, "umount", l.GuestDir+at)
		}
	})
}

// A racer swaps a directory in the tree for a link to the canary, all the
// time, while the tree is deleted.
func TestDestroyAgainstARacer(t *testing.T) {
	beds(t, func(t *testing.T, b bed) {
		canary := t.TempDir()
		write(t, canary+"/keep", "keep\n")
		l := b.layout("web")
		must(t, Create(context.Background(), l, b.image()))
		tree := l.GuestDir + "/rootfs"
		if b.backend == Overlay {
			tree = l.GuestDir + "/upper"
		}
		for _, d := range []string{"a", "b", "c", "d"} {
			nest(t, tree, 60)
			must(t, os.Rename(tree+"/deeper", tree+"/"+d))
			must(t, os.Symlink(canary, tree+"/link-"+d))
		}
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
				}
				for _, d := range []string{"a", "b", "c", "d"} {
					_ = unix.Renameat2(unix.AT_FDCWD, tree+"/"+d, unix.AT_FDCWD, tree+"/link-"+d, unix.RENAME_EXCHANGE)
				}
			}
		}()
		_ = Destroy(l) // it may fail; it may not leave the tree
		close(stop)
		<-stopped
		if read(t, canary+"/keep") != "keep\n" {
			t.Error("the canary is gone")
		}
		must(t, Destroy(l))
	})
}

// Set-uid programs and those with file capabilities are the guest's root's in
// the guest, and nobody's special on the host.
func TestSetUIDAndCapabilitiesInTheGuest(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		self, err := os.Executable()
		must(t, err)
		for _, name := range []string{"suid", "cap"} {
			run(t, "cp", self, b.image()+"/bin/run-"+name)
		}
		must(t, unix.Chmod(b.image()+"/bin/run-suid", 0o4755))
		capNetRaw := "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"
		must(t, unix.Setxattr(b.image()+"/bin/run-cap", "security.capability", []byte(capNetRaw), 0))
		l := b.guest(t, "web")
		root, done := openRoot(t, l)
		cmd := guestCommand(testBase, "attach /mnt", "run /mnt/bin/run-cap", "run /mnt/bin/run-suid")
		cmd.SysProcAttr.Cloneflags |= unix.CLONE_NEWNS
		clone, err := Clone(root)
		must(t, err)
		got := outputWith(t, cmd, clone)
		unix.Close(clone)
		if !strings.HasPrefix(got, "uid 1000 capabilities 2000\nuid 0 capabilities ") || strings.Count(got, "\n") != 2 {
			t.Errorf("in the guest: %s", got)
		}
		must(t, Expose(l, root))
		done()
		out, err := exec.Command("setpriv", "--reuid=1000", "--clear-groups", l.GuestDir+"/rootfs/bin/run-suid").CombinedOutput()
		if err == nil {
			t.Errorf("a user of the host runs the guest's program: %s", out)
		}
	})
}
