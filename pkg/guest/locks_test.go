package guest_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
)

// warnings collects what a manager warns of.
type warnings struct {
	mu   sync.Mutex
	text string
}

func (w *warnings) add(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text += s + "\n"
}

// Write is for the standard error of a command.
func (w *warnings) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.text += string(p)
	return len(p), nil
}

func (w *warnings) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text
}

// stoppedVerb starts a verb that stops before a step, and waits until it has.
func (in *instance) stoppedVerb(step string, args ...string) *exec.Cmd {
	t := in.t
	t.Helper()
	path, err := failing()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = in.env("stop:" + step)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	standsStill(t, cmd)
	return cmd
}

// standsStill waits until a verb has stopped itself.
func standsStill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	eventually(t, "the verb stands still", func() error {
		data, err := os.ReadFile("/proc/" + strconv.Itoa(cmd.Process.Pid) + "/stat")
		if err == nil && !strings.Contains(string(data), ") T ") {
			err = errors.New(string(data))
		}
		return err
	})
}

// A verb that is stopped in the middle keeps its lock: who waits says whom for, and
// goes on as soon as it is killed.
func TestWhoHasTheLockIsSaid(t *testing.T) {
	in := newInstance(t)
	var said warnings
	m, err := guest.Open(guest.Options{Dirs: in.dirs, Helper: helper, Network: "none", Warn: said.add})
	if err != nil {
		t.Fatal(err)
	}
	stopped := in.stoppedVerb("publish", "create", "web", "-t", "busybox")
	done := make(chan error, 1)
	go func() { done <- m.Create(context.Background(), "web", guest.CreateOptions{Template: "busybox"}) }()
	eventually(t, "it is said who has the lock", func() error {
		if !strings.Contains(said.String(), "held by pid "+strconv.Itoa(stopped.Process.Pid)+" ") {
			return errors.New(said.String())
		}
		return nil
	})
	select {
	case err := <-done:
		t.Fatalf("it didn't wait: %v", err)
	default:
	}
	// Others aren't held up.
	in.create("other", "busybox", "overlay")
	if err := unix.Kill(stopped.Process.Pid, unix.SIGKILL); err != nil {
		t.Fatal(err)
	}
	stopped.Wait()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for a process that is dead")
	}
	in.wholeThenGone("web")
	in.collected()
}

// A waiter that is told to end does, and leaves nothing.
func TestAWaiterCanBeInterrupted(t *testing.T) {
	in := newInstance(t)
	in.create("web", "busybox", "overlay")
	stopped := in.stoppedVerb("take name", "destroy", "web")
	path, err := failing()
	if err != nil {
		t.Fatal(err)
	}
	waiter := exec.Command(path, "start", "web")
	waiter.Env = in.env("")
	var said warnings
	waiter.Stderr = &said
	if err := waiter.Start(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it says whom it waits for", func() error {
		if !strings.Contains(said.String(), "held by pid "+strconv.Itoa(stopped.Process.Pid)) {
			return errors.New(said.String())
		}
		return nil
	})
	waiter.Process.Signal(unix.SIGINT)
	if status := exitStatus(waiter.Wait()); status != 130 {
		t.Errorf("status %d: %s", status, &said)
	}
	unix.Kill(stopped.Process.Pid, unix.SIGCONT)
	if err := stopped.Wait(); err != nil || in.names() != "" {
		t.Errorf("let go: %v, the guests are %q", err, in.names())
	}
	in.collected()
}
