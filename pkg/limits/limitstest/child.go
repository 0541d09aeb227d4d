package limitstest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// child is a process in a guest.
type child struct {
	*exec.Cmd
	output bytes.Buffer
	done   chan struct{} // closed when it has ended and been waited for
}

// start runs a shell script in the guest as a start of a guest does: cloned into
// payload, in a user namespace of its own, and from there into the v1 groups by
// "0" on the fds that the host opened.
func start(t *testing.T, g limits.Group, script string) *child {
	t.Helper()
	c := prepare(g, g.PayloadFD(), script)
	ids := []syscall.SysProcIDMap{{ContainerID: 0, HostID: owner, Size: 65536}}
	c.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
	c.SysProcAttr.UidMappings, c.SysProcAttr.GidMappings = ids, ids
	c.SysProcAttr.GidMappingsEnableSetgroups = true
	c.SysProcAttr.Credential = &syscall.Credential{}
	c.run(t)
	return c
}

// startRole runs this test binary in the guest, as the host's root, in a part that Main plays.
func startRole(t *testing.T, g limits.Group, role string, flags uintptr) *child {
	t.Helper()
	c := prepare(g, g.PayloadFD(), `exec "$0"`)
	c.Args[3] = selfPath(t)
	c.Env = append(os.Environ(), roleVariable+"="+role)
	c.SysProcAttr.Cloneflags = flags
	c.run(t)
	return c
}

func selfPath(t *testing.T) string {
	t.Helper()
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// prepare makes the command: the shell has one thread, so "0" moves all of it.
func prepare(g limits.Group, fd int, script string) *child {
	c := &child{done: make(chan struct{})}
	var joins strings.Builder
	for i := range g.JoinFDs() {
		fmt.Fprintf(&joins, "echo 0 >&%d || exit 99; exec %d>&-\n", i+3, i+3)
	}
	c.Cmd = exec.Command("/bin/sh", "-c", joins.String()+script, "sh")
	c.Dir = "/"
	c.Stdout, c.Stderr = &c.output, &c.output
	for _, fd := range g.JoinFDs() {
		c.ExtraFiles = append(c.ExtraFiles, os.NewFile(duplicate(fd), "tasks"))
	}
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: fd}
	// The shell's own children may hold its output open after it has been killed.
	c.WaitDelay = 10 * time.Second
	return c
}

func duplicate(fd int) uintptr {
	dup, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		panic("cannot duplicate a tasks file: " + err.Error())
	}
	return uintptr(dup)
}

func (c *child) run(t *testing.T) {
	t.Helper()
	err := c.Start()
	for _, f := range c.ExtraFiles {
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		_ = c.Wait() // how it ended is in ProcessState
		close(c.done)
	}()
	t.Cleanup(func() {
		_ = c.Process.Kill() // most have ended by now
		<-c.done
	})
}

// wait waits until the child has ended.
func (c *child) wait(t *testing.T) *os.ProcessState {
	t.Helper()
	select {
	case <-c.done:
	case <-time.After(time.Minute):
		t.Fatal("the process doesn't end")
	}
	return c.ProcessState
}

// eventually waits for something that comes about by itself.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never came about: %s", what)
		}
	}
}

// running waits until the child has joined every group and runs command.
func (c *child) running(t *testing.T, command string) {
	t.Helper()
	eventually(t, command+" runs", func() bool {
		name, err := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/comm")
		return err == nil && strings.TrimSpace(string(name)) == command
	})
}
