//go:build vm

// Package cases has the tests that are for a systemd host: `make test-vm` runs each of them in a fresh machine, as root, with sysct
// installed as its package installs it, under the names that an administrator uses. To add one, write a test function here; it may
// leave in the machine what it likes.
//
// A case that reboots the host is called once for each boot:
//
//	func TestX(t *testing.T) {
//		if boot(t) == 0 {
//			sh(t, "systemctl enable sysct@web")
//			reboot(t)
//			return
//		}
//		sh(t, "sysct wait web ready")
//	}
//
// CASES=X of make test-vm runs what the regular expression matches, and bin/vm tries commands in such a machine by hand.
package cases
