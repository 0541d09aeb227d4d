package enter

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/context/caps"
	"golang.org/x/sys/unix"
)

func TestTheSessionKeyringIsNotTheCallers(t *testing.T) {
	g := newGuest(t)
	g.installHelper()
	dup, err := unix.Dup(g.target.PidFD)
	must(t, err)
	pidfd := os.NewFile(uintptr(dup), "pidfd")
	defer pidfd.Close()
	// A program of its own, since a keyring is each thread's.
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = []string{helperEnv + "=keyring-enter"}
	cmd.ExtraFiles = []*os.File{pidfd}
	cmd.Stderr = os.Stderr
	var out []byte
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		_, err := unix.KeyctlJoinSessionKeyring("sysct-test")
		if err == nil {
			out, err = cmd.Output()
		}
		done <- err
	}()
	must(t, <-done)
	lines := strings.Split(string(out), "\n")
	if len(lines) != 4 || lines[0] == lines[1] || lines[1] == lines[2] || strings.Count(string(out), "<nil>") != 3 {
		t.Errorf("the keyrings of the caller, of root and of a user are %q", lines)
	}
}

// enterWithKeyring is the caller: it says its keyring, and has two programs in
// the guest say theirs.
func enterWithKeyring() {
	fmt.Println(sessionKeyring())
	for _, uid := range []uint32{0, 1000} {
		c, err := Start(&Target{PidFD: 3, LeafFD: -1, Keep: caps.Default()}, &Process{
			Args: []string{"/srv/helper"}, Env: []string{helperEnv + "=keyring"}, UID: uid, GID: uid, Files: [3]int{0, 1, 2},
		})
		if err == nil {
			_, err = c.Wait()
		}
		if err != nil {
			fmt.Println(err)
		}
	}
}

// sessionKeyring returns the serial number of the process's session keyring.
func sessionKeyring() (int, error) {
	return unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
}
