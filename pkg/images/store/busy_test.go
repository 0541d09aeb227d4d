package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sitter is a process that keeps a directory busy.
func sitter(t *testing.T, cmd *exec.Cmd) int {
	t.Helper()
	cmd.Env = append(os.Environ(), roleVariable+"=guest")
	stdin, err := cmd.StdinPipe()
	must(t, err)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	cmd.Args = append(cmd.Args, "say ready", "wait")
	must(t, cmd.Start())
	_, err = stdout.Read(make([]byte, 16))
	must(t, err)
	t.Cleanup(func() {
		stdin.Close()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func wantHolder(t *testing.T, err error, pid int, what string) {
	t.Helper()
	var busy *BusyError
	if !errors.As(err, &busy) {
		t.Fatalf("error %v; want a BusyError", err)
	}
	for _, h := range busy.Holders {
		if h.Pid == pid && h.What == what {
			contains(t, err, "rootfs is in use by ", h.Command+" (pid "+strconv.Itoa(pid)+": "+what+")")
			return
		}
	}
	t.Errorf("holders %+v; want pid %d with %s", busy.Holders, pid, what)
}

// shown puts a mount on rootfs/, whatever the backend.
func shown(t *testing.T, l Layout) {
	t.Helper()
	root, done := openRoot(t, l)
	must(t, Expose(l, root))
	done()
}

func TestUnmountSaysWhoIsIn(t *testing.T) {
	sameMounts(t)
	beds(t, func(t *testing.T, b bed) {
		l := b.guest(t, "web")
		shown(t, l)
		rootfs := l.GuestDir + "/rootfs"

		t.Run("cwd", func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe")
			cmd.Dir = rootfs + "/etc"
			pid := sitter(t, cmd)
			wantHolder(t, Unmount(l), pid, "cwd")
			wantHolder(t, Destroy(l), pid, "cwd")
		})
		t.Run("descriptor", func(t *testing.T) {
			file, err := os.Open(rootfs + "/etc/hostname")
			must(t, err)
			cmd := exec.Command("/proc/self/exe")
			cmd.ExtraFiles = []*os.File{file}
			pid := sitter(t, cmd)
			must(t, file.Close())
			wantHolder(t, Unmount(l), pid, "fd 3")
		})
		t.Run("root", func(t *testing.T) {
			pid := sitter(t, exec.Command("/proc/self/exe", "chroot "+rootfs))
			wantHolder(t, Unmount(l), pid, "root")
		})
		t.Run("mapping", func(t *testing.T) {
			file, err := os.Open(rootfs + "/var/lib/deep/er/large")
			must(t, err)
			m, err := unix.Mmap(int(file.Fd()), 0, 4096, unix.PROT_READ, unix.MAP_PRIVATE)
			must(t, err)
			must(t, file.Close())
			wantHolder(t, Unmount(l), os.Getpid(), "mapped file")
			must(t, unix.Munmap(m))
		})
		t.Run("mount", func(t *testing.T) {
			run(t, "mount", "-t", "tmpfs", "tmpfs", rootfs+"/tmp")
			contains(t, Unmount(l), "rootfs is in use by a mount on "+rootfs+"/tmp")
			run(t, "umount", rootfs+"/tmp")
		})
		must(t, Unmount(l))
	})
}

func TestBusyErrorIsSafeToPrint(t *testing.T) {
	err := &BusyError{Path: "/state/web/rootfs"}
	contains(t, err, "something that /proc doesn't show")
	for i := range 12 {
		err.Holders = append(err.Holders, Holder{Pid: i + 1, Command: printable("sh\x1b[2J\n"), What: "cwd"})
	}
	contains(t, err, "sh?[2J? (pid 1: cwd), ", "(pid 8: cwd) and 4 more")
	if strings.ContainsAny(err.Error(), "\x1b\n") {
		t.Error("control characters pass")
	}
}

// A second superblock on an upper corrupts it. The first can live on where
// this mount namespace doesn't see it.
func TestAnOverlayThatLivesOnElsewhere(t *testing.T) {
	sameMounts(t)
	b := newBed(t, Overlay, t.TempDir())
	l := b.guest(t, "web")

	t.Run("in a namespace", func(t *testing.T) {
		must(t, MountPlain(l))
		// A copy goes by itself (elsewhere_test.go), but not if it was moved.
		pid := unshared(t, "mount --move "+l.GuestDir+"/rootfs "+t.TempDir())
		wantHolder(t, Unmount(l), pid, "mount namespace")
		// Nothing is mounted here any more, but it isn't forgotten.
		wantHolder(t, Unmount(l), pid, "mount namespace")
		wantHolder(t, MountPlain(l), pid, "mount namespace")
		wantHolder(t, second(OpenRoot(l, userNamespace(t))), pid, "mount namespace")
		// What is deleted needs no second superblock.
		other := b.layout("other")
		must(t, Create(context.Background(), other, b.image()))
		must(t, MountPlain(other))
		unshared(t, "mount --move "+other.GuestDir+"/rootfs "+t.TempDir())
		must(t, Destroy(other))
	})
	must(t, MountPlain(l)) // the process has ended
	if exists(l.GuestDir + "/" + noteName) {
		t.Error("the note is left")
	}

	t.Run("behind a descriptor", func(t *testing.T) {
		must(t, Unmount(l))
		root, done := openRoot(t, l)
		must(t, Expose(l, root))
		wantHolder(t, Unmount(l), os.Getpid(), "fd "+strconv.Itoa(root))
		done()
		must(t, Unmount(l))
	})
	t.Run("elsewhere here", func(t *testing.T) {
		must(t, MountPlain(l))
		at := t.TempDir()
		run(t, "mount", "--bind", l.GuestDir+"/rootfs", at)
		contains(t, Unmount(l), "in use by a mount on "+at)
		run(t, "umount", at)
		must(t, Unmount(l))
	})
	t.Run("under a reused number", func(t *testing.T) {
		must(t, MountPlain(l))
		g, err := openGuestDir(l.GuestDir)
		must(t, err)
		defer g.close()
		o, err := g.look(overlayBackend{})
		must(t, err)
		o.mount.source = plainSource + "another"
		must(t, g.writeNote(o.mount))
		must(t, g.refuseLingering(departGrace))
		if exists(l.GuestDir + "/" + noteName) {
			t.Error("the note is left")
		}
	})
	t.Run("under a number that another guest is started with", func(t *testing.T) {
		must(t, Unmount(l))
		other := b.layout("started")
		must(t, Create(context.Background(), other, b.image()))
		root, done := openRoot(t, other)
		st, err := statMount(root, "", unix.AT_EMPTY_PATH)
		must(t, err)
		g, err := openGuestDir(l.GuestDir)
		must(t, err)
		defer g.close()
		defer func(grace time.Duration) { departGrace = grace }(departGrace)
		departGrace = 20 * time.Second // the root is shown within, also on a busy host
		must(t, g.writeNote(mountEntry{dev: fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor), source: plainSource + l.GuestDir}))
		shown := make(chan error)
		go func() {
			time.Sleep(4 * departPause) // it is looked at meanwhile
			shown <- Expose(other, root)
		}()
		must(t, MountPlain(l))
		must(t, <-shown)
		done()
		must(t, Destroy(other))
	})
	t.Run("dead while it was looked for", func(t *testing.T) {
		must(t, MountPlain(l))
		g, err := openGuestDir(l.GuestDir)
		must(t, err)
		defer g.close()
		o, err := g.look(overlayBackend{})
		must(t, err)
		gone := departure{o.mount, watchDeath(l.GuestDir + "/rootfs")}
		defer gone.watch.close()
		must(t, unix.Unmount(l.GuestDir+"/rootfs", 0))
		// The next root, only a descriptor yet, gets its number.
		other := b.layout("next")
		must(t, Create(context.Background(), other, b.image()))
		root, done := openRoot(t, other)
		st, err := statMount(root, "", unix.AT_EMPTY_PATH)
		must(t, err)
		gone.mount.dev = fmt.Sprintf("%d:%d", st.Dev_major, st.Dev_minor)
		wantHolder(t, g.refuseHeld(departure{gone.mount, &deathWatch{fd: -1}}), os.Getpid(), "fd "+strconv.Itoa(root))
		must(t, g.refuseHeld(gone))
		done()
		must(t, Destroy(other))
	})
	t.Run("before this boot", func(t *testing.T) {
		for _, text := range []string{"", "garbage", "0-0 0:99 sysct/web\n"} {
			write(t, l.GuestDir+"/"+noteName, text)
			must(t, Unmount(l))
			if text != "" && exists(l.GuestDir+"/"+noteName) {
				t.Errorf("the note %q is left", text)
			}
		}
	})
}
