package enter

import (
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestTheSessionKeyringIsNotTheCallers(t *testing.T) {
	g := newGuest(t)
	g.installHelper()
	seen := map[string]bool{fmt.Sprintln(sessionKeyring()): true}
	for _, uid := range []uint32{0, 1000} {
		out, status := g.output(&Process{Args: []string{"/srv/helper"}, Env: []string{helperEnv + "=keyring"}, UID: uid, GID: uid})
		if status != 0 || seen[out] || !strings.HasSuffix(out, "<nil>\n") {
			t.Errorf("the keyring is %q, and before there were %v", out, seen)
		}
		seen[out] = true
	}
}

// sessionKeyring returns the serial number of the process's session keyring.
func sessionKeyring() (int, error) {
	return unix.KeyctlGetKeyringID(unix.KEY_SPEC_SESSION_KEYRING, false)
}
