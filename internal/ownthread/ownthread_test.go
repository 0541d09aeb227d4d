package ownthread

import (
	"errors"
	"os"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// TestRun: whatever the function does to its thread, the process stays where it was, also if
// nothing but the main thread is free to take it.
func TestRun(t *testing.T) {
	before, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	old := runtime.GOMAXPROCS(1)
	defer runtime.GOMAXPROCS(old)
	for range 300 {
		err := Run(func() error {
			if unix.Gettid() == unix.Getpid() {
				t.Error("on the main thread")
			}
			return unix.Unshare(unix.CLONE_NEWNET)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 300 {
		if err := Run(func() error { _, err := os.Readlink("/proc/thread-self/ns/net"); return err }); err != nil {
			t.Fatal(err)
		}
	}
	if after, err := os.Readlink("/proc/self/ns/net"); err != nil || after != before {
		t.Errorf("the process is in %s, %v, and was in %s", after, err, before)
	}
	fault := errors.New("fault")
	if err := Run(func() error { return fault }); err != fault {
		t.Errorf("the error is %v", err)
	}
}
