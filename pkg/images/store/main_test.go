package store

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The environment variable by which this test program knows that it was
// started by itself, and as what.
const roleVariable = "SYSCT_STORE_TEST_ROLE"

// TestMain runs all tests in a mount namespace of their own, so that nothing
// stays mounted on the host, whatever happens. It also is the guest's process
// (guest_test.go).
func TestMain(m *testing.M) {
	switch os.Getenv(roleVariable) {
	case "guest":
		os.Exit(guestMain(os.Args[1:]))
	case "tests":
		os.Exit(m.Run())
	}
	if os.Geteuid() != 0 {
		fmt.Fprintln(os.Stderr, "these tests mount and change owners: run them as root")
		os.Exit(1)
	}
	cmd := exec.Command("/proc/self/exe", os.Args[1:]...)
	cmd.Env = append(os.Environ(), roleVariable+"=tests")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Unshareflags: unix.CLONE_NEWNS, // Go makes all mounts private with it
		Pdeathsig:    syscall.SIGKILL,
	}
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
