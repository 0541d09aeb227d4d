package confine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// testBase is a range that no other process has: of this process alone among those of the tests.
func testBase() uint32 { return 0x70000000 + uint32(os.Getpid()%2000)<<16 }

// command runs a script in sh on an empty tree.
func command(t *testing.T, script string) (*Command, *bytes.Buffer) {
	t.Helper()
	dir, err := os.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dir.Close() })
	out := &bytes.Buffer{}
	return &Command{
		Args: []string{"/bin/sh", "-c", script}, Env: []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"},
		Dir: dir, IDBase: testBase(), Output: out,
	}, out
}

// What the program writes belongs to the guest's ids, not to shifted ones, with capabilities that are the guest's.
func TestTreeHasTheGuestsIDs(t *testing.T) {
	c, out := command(t, `cd `+Tree+` && cp /bin/true t && touch o u && chown 33:44 o && chown 65534 u && chmod 4755 o &&
		setcap cap_net_raw=ep t && cat `+Files+`/key`)
	c.Files = map[string][]byte{"key": []byte("content of key")}
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err, out)
	}
	if out.String() != "content of key" {
		t.Errorf("output %q", out)
	}
	for name, want := range map[string]string{"o": "33:44 4755", "t": "0:0 755", "u": "65534:0 644"} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(c.Dir.Name(), name), &st); err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%d:%d %o", st.Uid, st.Gid, st.Mode&0o7777); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	value := make([]byte, 64)
	n, err := unix.Lgetxattr(filepath.Join(c.Dir.Name(), "t"), "security.capability", value)
	if err != nil || n != 20 { // 20 bytes: version 2, without the id of a foreign user namespace
		t.Errorf("capability of %d bytes, %v", n, err)
	}
}

// The program is root over its tree and over nothing else.
func TestHostIsOutOfReach(t *testing.T) {
	canary := filepath.Join("/var/tmp", fmt.Sprintf("sysct-confine-%d", os.Getpid()))
	if err := os.WriteFile(canary, []byte("host"), 0o666); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(canary) })
	before := sysctls(t)
	c, out := command(t, `
		can() { echo "$*"; }
		(echo x > `+canary+`) 2>/dev/null && can write to the host
		mount -o remount,rw / 2>/dev/null && can remount
		mknod `+Tree+`/null c 1 3 2>/dev/null && can make devices
		mkdir `+Tree+`/proc && mount -t proc proc `+Tree+`/proc || can not mount proc
		for p in /proc `+Tree+`/proc; do
			for f in fs/protected_symlinks kernel/core_pattern vm/swappiness; do
				(cat $p/sys/$f > $p/sys/$f) 2>/dev/null && can write $p/sys/$f
			done
		done
		cat /etc/shadow > /dev/null 2>&1 && can read secrets
		kill -0 `+fmt.Sprint(os.Getpid())+` 2>/dev/null && can signal the host
		[ $$ = 1 ] || can see other processes
		hostname; exit 0`)
	if err := Run(t.Context(), c); err != nil {
		t.Fatal(err, out)
	}
	if out.String() != "localhost\n" {
		t.Errorf("the program can:\n%s", out)
	}
	if after := sysctls(t); after != before {
		t.Errorf("sysctls were %s and are %s", before, after)
	}
	if data, err := os.ReadFile(canary); err != nil || string(data) != "host" {
		t.Errorf("canary: %q, %v", data, err)
	}
}

// All builds have the same ids: one must not find the processes of another, nor those of the host.
func TestOtherProcessesAreOutOfSight(t *testing.T) {
	other, _ := command(t, "echo begun; exec sleep 1000")
	begun := make(chan struct{}, 1)
	other.Output = writerFunc(func(p []byte) (int, error) { begun <- struct{}{}; return len(p), nil })
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, other) }()
	<-begun
	c, out := command(t, `
		echo /proc/[0-9]*
		mkdir `+Tree+`/proc && mount -t proc proc `+Tree+`/proc || echo no proc in the tree
		echo `+Tree+`/proc/[0-9]*; umount `+Tree+`/proc
		grep -c " - proc " /proc/self/mountinfo
		umount `+oldRoot+` 2>/dev/null && echo the old root is there
		umount /proc && ls /proc `+newRoot+`/proc `+oldRoot+` `+newRoot+oldRoot+` 2>/dev/null | grep '^[0-9]' ; exit 0`)
	if err := Run(t.Context(), c); err != nil {
		t.Error(err)
	}
	if want := "/proc/1\n" + Tree + "/proc/1\n1\n"; out.String() != want {
		t.Errorf("it sees\n%s", out)
	}
	cancel()
	<-ended
	noProcess(t)
}

func sysctls(t *testing.T) string {
	t.Helper()
	var all []string
	for _, name := range []string{"fs/protected_symlinks", "fs/protected_hardlinks", "fs/protected_fifos", "fs/protected_regular", "kernel/core_pattern", "kernel/hostname"} {
		data, err := os.ReadFile(filepath.Join("/proc/sys", name))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimSpace(string(data)))
	}
	return strings.Join(all, " ")
}

// However it ends, all of it ends: the background process too.
func TestNothingIsLeft(t *testing.T) {
	const hang = `(setsid sleep 1000 &) ; echo begun; sleep 1000`
	t.Run("idle", func(t *testing.T) {
		c, out := command(t, hang)
		c.Idle = 3 * time.Second // to say so much, on a busy host too
		if err := Run(t.Context(), c); !errors.Is(err, ErrIdle) || out.String() != "begun\n" {
			t.Errorf("%v, output %q", err, out)
		}
		noProcess(t)
	})
	t.Run("cancelled", func(t *testing.T) {
		c, _ := command(t, hang)
		ctx, cancel := context.WithCancel(t.Context())
		c.Output = writerFunc(func(p []byte) (int, error) { cancel(); return len(p), nil })
		if err := Run(ctx, c); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		noProcess(t)
	})
	t.Run("failed", func(t *testing.T) {
		c, _ := command(t, `(setsid sleep 1000 &); exit 7`)
		var exit *exec.ExitError
		if err := Run(t.Context(), c); !errors.As(err, &exit) || exit.ExitCode() != 7 {
			t.Error(err)
		}
		noProcess(t)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// noProcess fails if a process with ids of the test's range lives.
func noProcess(t *testing.T) {
	t.Helper()
	statuses, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range statuses {
		text, _ := os.ReadFile(file) // it may have ended
		if strings.Contains(string(text), fmt.Sprintf("\nUid:\t%d\t", testBase())) {
			t.Errorf("still there: %s", text)
		}
	}
}

// The caller stays where it is, whichever threads its builds have run on.
func TestCallerStays(t *testing.T) {
	where := func() (all string) {
		for _, ns := range []string{"mnt", "uts", "ipc"} {
			link, err := os.Readlink("/proc/self/ns/" + ns)
			if err != nil {
				t.Fatal(err)
			}
			all += link
		}
		return all
	}
	before := where()
	var wait sync.WaitGroup
	for range 16 {
		c, _ := command(t, "exit 0")
		wait.Go(func() {
			if err := Run(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if after := where(); after != before {
		t.Errorf("was in %s, is in %s", before, after)
	}
}

// A tree on a file system without idmapped mounts is an error that says so.
func TestNoIdmap(t *testing.T) {
	dir, err := os.Open("/proc/self")
	if err != nil {
		t.Fatal(err)
	}
	defer dir.Close()
	err = Run(t.Context(), &Command{Args: []string{"/bin/true"}, Dir: dir, IDBase: testBase()})
	if err == nil || !strings.Contains(err.Error(), "no idmapped mounts") {
		t.Error(err)
	}
}
