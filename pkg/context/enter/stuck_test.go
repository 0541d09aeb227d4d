package enter

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestAFrozenGuestEndsInTimeout(t *testing.T) {
	g := newGuest(t)
	freeze := filepath.Join(v2Root, g.group, "payload", ".sysct", "cgroup.freeze")
	must(t, os.WriteFile(freeze, []byte("1"), 0))
	n := null(t)
	_, err := g.try(&Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}, Timeout: 1})
	if !errors.Is(err, unix.ETIMEDOUT) {
		t.Errorf("error is %v", err)
	}
	// removeGroup shows that the child was killed.
}

func TestADeadGuestCannotBeEntered(t *testing.T) {
	g := newGuest(t)
	must(t, unix.PidfdSendSignal(g.target.PidFD, unix.SIGKILL, nil, 0))
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(g.target.PidFD), Events: unix.POLLIN}}, -1)
	must(t, err)
	n := null(t)
	p := &Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}}
	for _, flags := range []int{0, unix.CLONE_NEWUSER | unix.CLONE_NEWPID} {
		g.target.Flags = flags
		if _, err := g.try(p); !errors.Is(err, unix.ESRCH) {
			t.Errorf("with flags %#x: %v", flags, err)
		}
	}
	if _, err := GuestRoot(g.target.PidFD); err == nil {
		t.Error("its root could be opened")
	}
}

// A child that is frozen at birth has a copy of all descriptors of this program.
func TestAStuckChildDoesNotHoldUpOthers(t *testing.T) {
	frozen, g := newGuest(t), newGuest(t)
	leaf := filepath.Join(v2Root, frozen.group, "payload", ".sysct")
	must(t, os.WriteFile(filepath.Join(leaf, "cgroup.freeze"), []byte("1"), 0))
	n := null(t)
	p := Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}}
	done := make(chan error)
	for range 4 {
		go func() {
			p := p
			_, err := frozen.try(&p)
			done <- err
		}()
		if status := g.run(&p); status != 0 {
			t.Errorf("status %#x", int(status))
		}
	}
	for procs := []byte(nil); bytes.Count(procs, []byte("\n")) < 4; time.Sleep(time.Millisecond) {
		var err error
		procs, err = os.ReadFile(filepath.Join(leaf, "cgroup.procs"))
		must(t, err)
	}
	for range 100 {
		if status := g.run(&p); status != 0 {
			t.Errorf("status %#x", int(status))
		}
	}
	must(t, os.WriteFile(filepath.Join(leaf, "cgroup.freeze"), []byte("0"), 0))
	for range 4 {
		must(t, <-done)
	}
}
