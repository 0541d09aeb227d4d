// Package seccomp builds and loads the system call filter of a guest: a deny-list among
// known calls, and ENOSYS for everything that it doesn't know. The filter narrows the
// kernel's surface for a guest that is held by its user namespace anyway; it is neither
// the only wall nor a sandbox for single programs, and it takes no profiles from users.
//
// Build is pure: it turns a Policy into classic BPF. Load installs a program.
//
// What a filter can't see are bytes behind pointers. On i386 socket(2) can also be
// reached through socketcall(2), whose arguments lie in memory: the address families
// refused here can be opened that way by a 32-bit program.
package seccomp

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// Policy says what a guest's filter does beyond the fixed default.
type Policy struct {
	// Nesting allows what managers of containers inside the guest need: the keyring calls.
	Nesting bool
	// Privileged is for a guest without a user namespace. Its root file system may be a part
	// of the host's: options of a whole file system can't be changed, as at the end of a
	// system that remounts its root read-only. Those of single mounts can.
	Privileged bool
	// Notify lists calls by their kernel names (see the syscalls(2) manual page) that
	// are handed to the listener instead of the kernel. They fail with ENOSYS in
	// a process whose filter was loaded without a listener. A call that the policy
	// refuses or looks into can't be listed. An ABI that lacks a listed call is no error.
	// Of reboot(2) only those calls are handed over that end a pid namespace if they succeed.
	Notify []string
}

// forbidden fail with EPERM: programs know that answer from missing privilege. All of them
// would reach past the guest into the kernel, the hardware, or the host's clock.
var forbidden = [...]string{
	"kexec_load", "kexec_file_load",
	"init_module", "finit_module", "delete_module",
	"open_by_handle_at", // CVE-2014-3519: reaches every file of a file system
	"bpf", "perf_event_open", "userfaultfd",
	"swapon", "swapoff", "acct",
	"iopl", "ioperm",
	"clock_settime", "clock_settime64", "settimeofday", "stime",
	"syslog", "lookup_dcookie", "nfsservctl",
}

// absent fail with ENOSYS: programs fall back from a kernel that lacks them.
var absent = [...]string{"io_uring_setup", "io_uring_enter", "io_uring_register"}

// keyring calls are absent too: keyrings don't belong to a namespace. They are allowed with
// Policy.Nesting, for container managers give each container a session keyring.
var keyring = [...]string{"add_key", "request_key", "keyctl"}

// rules returns what happens to each call that isn't simply allowed.
func (p Policy) rules() (map[string]block, error) {
	rules := make(map[string]block)
	for _, name := range forbidden {
		rules[name] = fail(unix.EPERM)
	}
	for _, name := range absent {
		rules[name] = fail(unix.ENOSYS)
	}
	if !p.Nesting {
		for _, name := range keyring {
			rules[name] = fail(unix.ENOSYS)
		}
	}
	rules["ioctl"] = ioctlRule()
	rules["socket"] = socketRule()
	// socketpair makes the sockets before it finds that the family has no pairs.
	rules["socketpair"] = socketRule()
	if p.Privileged {
		rules["mount"], rules["fsconfig"] = mountRule(), fsconfigRule()
	}
	return rules, p.addNotified(rules)
}

func (p Policy) addNotified(rules map[string]block) error {
	for _, name := range slices.Compact(slices.Sorted(slices.Values(p.Notify))) {
		if !slices.ContainsFunc(calls[:], func(c call) bool { return c.name == name }) {
			return fmt.Errorf("cannot notify of %q: no such system call", name)
		}
		if _, taken := rules[name]; taken {
			return fmt.Errorf("cannot notify of %q: the policy refuses it or looks into it", name)
		}
		rules[name] = ret(unix.SECCOMP_RET_USER_NOTIF)
		if name == "reboot" {
			rules[name] = rebootRule(rules[name])
		}
	}
	return nil
}

// RebootMagics2 are what the second argument of reboot(2) may be.
func RebootMagics2() []uint32 { return []uint32{672274793, 85072278, 369367448, 537993216} }

// rebootRule goes on with ends for a call of reboot(2) that restarts, powers off or halts.
// All else is the kernel's at once: nobody may keep a listener busy with what means nothing.
// Source: reboot(2); kernel/pid_namespace.c, reboot_pid_ns.
func rebootRule(ends block) block {
	allow := ret(unix.SECCOMP_RET_ALLOW)
	command := loadArg(2, ifAnyOf(ends, allow, unix.LINUX_REBOOT_CMD_RESTART, unix.LINUX_REBOOT_CMD_RESTART2,
		unix.LINUX_REBOOT_CMD_POWER_OFF, unix.LINUX_REBOOT_CMD_HALT))
	magic2 := loadArg(1, ifAnyOf(command, allow, RebootMagics2()...))
	return loadArg(0, ifEqual(unix.LINUX_REBOOT_MAGIC1, magic2, allow))
}

// ioctlRule refuses the requests that put input into a terminal or a console
// (CVE-2016-10124, 2017-5226). All described ABIs have the same numbers for them.
func ioctlRule() block {
	allow, deny := ret(unix.SECCOMP_RET_ALLOW), fail(unix.EPERM)
	return loadArg(1, ifEqual(unix.TIOCSTI, deny, ifEqual(unix.TIOCLINUX, deny, allow)))
}

// mountRule refuses a remount of the file system: without MS_BIND, with which it is of the
// mount alone. Source: mount(2).
func mountRule() block {
	allow, deny := ret(unix.SECCOMP_RET_ALLOW), fail(unix.EPERM)
	return loadArg(3, ifAnyBit(unix.MS_REMOUNT, ifAnyBit(unix.MS_BIND, allow, deny), allow))
}

// fsconfigRule refuses the same of the new calls.
func fsconfigRule() block {
	return loadArg(1, ifEqual(unix.FSCONFIG_CMD_RECONFIGURE, fail(unix.EPERM), ret(unix.SECCOMP_RET_ALLOW)))
}

func socketRule() block {
	allow, deny := ret(unix.SECCOMP_RET_ALLOW), fail(unix.EAFNOSUPPORT)
	audit := loadArg(2, ifEqual(unix.NETLINK_AUDIT, deny, allow))
	return loadArg(0, ifEqual(unix.AF_ALG, deny, ifEqual(unix.AF_VSOCK, deny,
		ifEqual(unix.AF_NETLINK, audit, allow))))
}
