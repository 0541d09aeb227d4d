// Package caps reduces the capabilities of the calling thread to those a guest keeps. It is
// not for granting any, and no boundary by itself: inside a nested user namespace a process
// has them all again. What it keeps from guests are calls that need a capability in
// the guest's own user namespace.
package caps

import (
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/sys/unix"
)

// A Set is a set of capabilities, a bit each, numbered as the kernel does.
type Set uint64

// names has the capabilities known here, by number, as in linux/capability.h without CAP_.
var names = [...]string{
	"CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID",
	"SETPCAP", "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
	"SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
	"SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
	"MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
	"CHECKPOINT_RESTORE",
}

// dropped is what no guest needs and the kernel's surface is smaller without. A capability
// that names lacks, of a newer kernel, is dropped as well.
const dropped Set = 1<<unix.CAP_SYS_MODULE | 1<<unix.CAP_SYS_RAWIO | 1<<unix.CAP_SYS_TIME |
	1<<unix.CAP_MAC_ADMIN | 1<<unix.CAP_MAC_OVERRIDE | 1<<unix.CAP_SYSLOG |
	1<<unix.CAP_WAKE_ALARM | 1<<unix.CAP_BLOCK_SUSPEND |
	1<<unix.CAP_AUDIT_CONTROL | 1<<unix.CAP_AUDIT_READ | 1<<unix.CAP_AUDIT_WRITE |
	1<<unix.CAP_PERFMON | 1<<unix.CAP_BPF | 1<<unix.CAP_CHECKPOINT_RESTORE | 1<<unix.CAP_SYS_PACCT

// upTo returns the capabilities from 0 to last.
func upTo(last int) Set {
	return Set(1)<<(last+1) - 1
}

// Default returns what a guest keeps: everything known less a fixed list.
func Default() Set {
	return upTo(len(names)-1) &^ dropped
}

// Kept returns what a guest keeps on a kernel whose newest capability is last (see Last).
func Kept(last int) Set {
	return Default() & upTo(last)
}

// Last returns the running kernel's newest capability, which /proc/sys/kernel/cap_last_cap
// tells too where there is a /proc.
func Last() int {
	last := -1
	for last < 63 && known(last+1) {
		last++
	}
	return last
}

// known tells whether the kernel has capability c: of others it says EINVAL.
func known(c int) bool {
	_, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, uintptr(c), 0, 0, 0)
	return err == nil
}

// Parse returns the set of the one named capability. Case and a leading CAP_ don't matter.
func Parse(name string) (Set, error) {
	short := strings.TrimPrefix(strings.ToUpper(name), "CAP_")
	for c, n := range names {
		if n == short {
			return 1 << c, nil
		}
	}
	return 0, fmt.Errorf("cannot parse capability %q: no such capability", name)
}

// Names returns the names of the capabilities in s by number, such as CAP_CHOWN; one that
// isn't known here is named by its number, such as CAP_41.
func (s Set) Names() []string {
	list := make([]string, 0, bits.OnesCount64(uint64(s)))
	for c := range 64 {
		switch {
		case s&(1<<c) == 0:
		case c < len(names):
			list = append(list, "CAP_"+names[c])
		default:
			list = append(list, fmt.Sprintf("CAP_%d", c))
		}
	}
	return list
}
