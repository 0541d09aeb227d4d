package flock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func must(t *testing.T, lock *Lock, err error) *Lock {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	return lock
}

func release(t *testing.T, lock *Lock) {
	t.Helper()
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
}

func TestTryAcquireNamesTheHolder(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := TryAcquire(path)
	must(t, first, err)
	_, err = TryAcquire(path)
	want := fmt.Sprintf("held by pid %d (%s", os.Getpid(), os.Args[0][:20])
	if !errors.Is(err, ErrHeld) || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	release(t, first)
	again, err := TryAcquire(path)
	release(t, must(t, again, err))
}

func TestSharedLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, err := Acquire(t.Context(), path, true)
	must(t, one, err)
	two, err := Acquire(t.Context(), path, true)
	must(t, two, err)
	if _, err := TryAcquire(path); !errors.Is(err, ErrHeld) {
		t.Fatalf("exclusive beside shared: %v", err)
	}
	release(t, one)
	release(t, two)
	three, err := TryAcquire(path)
	release(t, must(t, three, err))
}

func TestAcquireGivesUpWithItsContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := TryAcquire(path)
	defer release(t, must(t, lock, err))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = Acquire(ctx, path, false)
	if !errors.Is(err, ErrHeld) || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "by pid") {
		t.Fatalf("got %v", err)
	}
}

func TestOnlyOneHoldsIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() {
			lock, err := Acquire(t.Context(), path, false)
			if err != nil {
				t.Error(err)
				return
			}
			if n := inside.Add(1); n != 1 {
				t.Errorf("%d inside", n)
			}
			inside.Add(-1)
			if err := lock.Release(); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
}

// The lock of a killed process is free, without anybody's doing.
func TestAKilledHolderFreesIt(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	holder := exec.Command("flock", "--no-fork", path, "sleep", "1000")
	if err := holder.Start(); err != nil {
		t.Fatal(err)
	}
	for {
		lock, err := TryAcquire(path)
		if errors.Is(err, ErrHeld) {
			if want := fmt.Sprintf("pid %d (", holder.Process.Pid); !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want %q", err, want)
			}
			break
		}
		release(t, must(t, lock, err))
		time.Sleep(time.Millisecond)
	}
	if err := holder.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	lock, err := Acquire(t.Context(), path, false)
	release(t, must(t, lock, err))
	if err := holder.Wait(); err == nil {
		t.Error("the holder was not killed")
	}
}

// A copy of the descriptor in a child must not keep a released lock.
func TestReleaseCountsForCopies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	lock, err := TryAcquire(path)
	must(t, lock, err)
	dup, err := unix.FcntlInt(lock.file.Fd(), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(dup)
	release(t, lock)
	again, err := TryAcquire(path)
	release(t, must(t, again, err))
}

// Somebody removed and made the lock file anew between open and lock: the lock
// that is returned must be on the file that others will open.
func TestAReplacedFileIsNotTheLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	old, err := open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	if !isCurrent(old, path) {
		t.Error("the file at its path is not current")
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if isCurrent(old, path) {
		t.Error("a removed file is current")
	}
	other, err := TryAcquire(path)
	defer release(t, must(t, other, err))
	if isCurrent(old, path) {
		t.Error("a replaced file is current")
	}
}

func TestALinkIsNotFollowed(t *testing.T) {
	dir := t.TempDir()
	target, link := filepath.Join(dir, "target"), filepath.Join(dir, "link")
	if err := os.Symlink(target, link); err != nil {
		t.Fatal(err)
	}
	if _, err := TryAcquire(link); err == nil {
		t.Error("a link was followed")
	}
	if _, err := os.Lstat(target); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

func TestFindHolder(t *testing.T) {
	table := []byte(`1: POSIX  ADVISORY  WRITE 11 fe:00:42 0 EOF
2: FLOCK  ADVISORY  WRITE 12 00:1f:42 0 EOF
3: FLOCK  ADVISORY  WRITE 13 fe:00:42 0 EOF
3: -> FLOCK  ADVISORY  WRITE 14 fe:00:42 0 EOF
4: FLOCK  ADVISORY  READ  0 fe:00:43 0 EOF
5: FLOCK
`)
	for _, c := range []struct {
		dev, ino uint64
		want     int
	}{
		{unix.Mkdev(0xfe, 0), 42, 13}, {unix.Mkdev(0, 0x1f), 42, 12}, {unix.Mkdev(9, 9), 42, 13},
		{unix.Mkdev(0xfe, 0), 43, 0}, {unix.Mkdev(0xfe, 0), 2, 0},
	} {
		if got := findHolder(table, c.dev, c.ino); got != c.want {
			t.Errorf("%x %d: pid %d, want %d", c.dev, c.ino, got, c.want)
		}
	}
}

func TestCommandIsPrintable(t *testing.T) {
	hostile := exec.Command("/bin/sleep", "1000")
	hostile.Args = []string{"a\x1b[2J\nb", "1000"}
	if err := hostile.Start(); err != nil {
		t.Fatal(err)
	}
	defer hostile.Wait()
	defer hostile.Process.Kill()
	got := command(hostile.Process.Pid)
	// The kernel closes the pipe that Start waits for before it sets the arguments.
	for got == "no command line" {
		time.Sleep(time.Millisecond)
		got = command(hostile.Process.Pid)
	}
	if got != `a\x1b[2J\nb 1000` {
		t.Errorf("got %s", got)
	}
}

// TestHolderOfALockThatWasPassedOn: who took the lock has gone, and its child has
// the open file.
func TestHolderOfALockThatWasPassedOn(t *testing.T) {
	dir := t.TempDir()
	file, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	// The outer shell takes the lock and ends, sleep keeps it.
	taker := exec.Command("sh", "-c", "flock 3; sleep 60 & echo $!")
	taker.ExtraFiles = []*os.File{file}
	out, err := taker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := taker.Start(); err != nil {
		t.Fatal(err)
	}
	defer taker.Wait()
	file.Close()
	var pid int
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	defer unix.Kill(pid, unix.SIGKILL)
	file, err = os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	got, line := Holder(int(file.Fd()))
	for end := time.Now().Add(time.Minute); got == pid && line != "sleep 60" && time.Now().Before(end); {
		time.Sleep(time.Millisecond) // it hasn't been executed yet, or lacks its arguments
		got, line = Holder(int(file.Fd()))
	}
	if got != pid || line != "sleep 60" {
		t.Errorf("the holder is %d, %q, want %d", got, line, pid)
	}
}
