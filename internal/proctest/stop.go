// Package proctest does to processes what tests need done, and returns when it has
// happened. It is for tests only, and for processes that the test started.
package proctest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Stop sends SIGSTOP to a process and returns when all its threads have stopped: the
// signal is sent to the process, and on a busy host its threads go on for a while
// after kill(2) has returned. It fails the test if the process isn't there or goes on
// for a minute.
func Stop(t testing.TB, pid int) {
	t.Helper()
	if pid <= 1 {
		t.Fatalf("no process to stop: %d", pid)
	}
	if err := unix.Kill(pid, unix.SIGSTOP); err != nil {
		t.Fatalf("stop %d: %v", pid, err)
	}
	var going string
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if going = runs(pid); going == "" {
			return
		}
	}
	t.Fatalf("process %d was sent SIGSTOP and goes on: %s", pid, going)
}

// runs returns the stat line of a thread that hasn't stopped, or nothing.
func runs(pid int) string {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil || len(tasks) == 0 {
		return "no threads to be seen"
	}
	for _, task := range tasks {
		stat, err := os.ReadFile(task)
		if err != nil {
			continue // a thread that has ended since
		}
		// The name before the state may hold anything, parentheses too.
		if i := bytes.LastIndexByte(stat, ')'); i < 0 || !bytes.HasPrefix(stat[i:], []byte(") T ")) {
			return string(stat)
		}
	}
	return ""
}
