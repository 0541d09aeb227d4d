package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/proctest"
	"github.com/sysct/sysct/pkg/context/caps"
	"github.com/sysct/sysct/pkg/context/enter"
	"github.com/sysct/sysct/pkg/context/seccomp"
	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/state"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// TestStoppedClient: a client that was stopped doesn't reap what it runs in a
// guest, whose init then can't end. If it is sysct, it is ended.
func TestStoppedClient(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	client := g.enter("sysct")
	g.must(control.Request{Op: control.OpKill, Signal: int(unix.SIGKILL)})
	if e := g.ended().Exit; e.Reason != state.ReasonKilled {
		t.Errorf("exit is %+v", e)
	}
	err := client.Wait()
	if st, ok := client.ProcessState.Sys().(interface{ Signal() unix.Signal }); !ok || st.Signal() != unix.SIGKILL {
		t.Errorf("the client ended with %v", err)
	}
	log, err := os.ReadFile(g.conf.LogDir + "/web.log")
	want := fmt.Sprintf("ended sysct exec (pid %d), which was stopped and kept the guest from ending", client.Process.Pid)
	if err != nil || !strings.Contains(string(log), want) {
		t.Errorf("the log has no %q: %v\n%s", want, err, log)
	}
}

// TestStoppedStranger: another program is named, and left alone.
func TestStoppedStranger(t *testing.T) {
	g := newWorld(t).guest("web", obedient)
	g.start()
	client := g.enter("nsenter")
	req := control.Request{Op: control.OpStop}
	req.SetTimeout(0)
	want := fmt.Sprintf("waits for process %d (nsenter), which does not reap", client.Process.Pid)
	_, err := g.ask(req)
	if !errors.Is(err, &control.Error{Kind: control.KindFailed}) || !strings.Contains(err.Error(), want) {
		t.Errorf("stop: %v, want %q", err, want)
	}
	kill(t, client.Process.Pid, unix.SIGCONT)
	g.ended()
	if err := client.Wait(); err != nil {
		t.Errorf("the stranger: %v", err)
	}
}

// enter runs a program of this name that has entered the guest, and stops it.
func (g *guest) enter(name string) *exec.Cmd {
	g.t.Helper()
	program := filepath.Join(g.t.TempDir(), name)
	copyFile(g.t, g.conf.Helper, program)
	client := exec.Command(program, "enter", g.conf.Base, g.name, strconv.Itoa(g.status().Pid))
	client.Stderr = os.Stderr
	out, err := client.StdoutPipe()
	if err == nil {
		err = client.Start()
	}
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out); err != nil {
		g.t.Fatalf("%s: %v", name, err)
	}
	proctest.Stop(g.t, client.Process.Pid)
	return client
}

// enterGuest runs sleep in a guest and waits for it, as `sysct exec` does.
func enterGuest(base, name, initPid string) int {
	pid, err := strconv.Atoi(initPid)
	if err != nil {
		return 1
	}
	if err := enterAndWait(base, name, pid); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func enterAndWait(base, name string, pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	backend, err := detect.Detect()
	if err != nil {
		return err
	}
	group, err := backend.Open(base, name)
	if err != nil {
		return err
	}
	leaf, err := group.Leaf()
	if err != nil {
		return err
	}
	filter, err := seccomp.Build(seccomp.Policy{})
	if err != nil {
		return err
	}
	null, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	if err != nil {
		return err
	}
	fd := int(null.Fd())
	child, err := enter.Start(
		&enter.Target{PidFD: pidfd, LeafFD: leaf, JoinFDs: group.JoinFDs(), Filter: filter, Keep: caps.Default()},
		&enter.Process{Args: []string{"/bin/sleep", "1000"}, Dir: "/", Files: [3]int{fd, fd, fd}})
	if err != nil {
		return err
	}
	fmt.Println()
	_, err = child.Wait()
	return err
}
