package seccomp

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

var everyArch = []Arch{AMD64, ARM64}

// eachABI runs f for each ABI of each architecture.
func eachABI(t *testing.T, p Policy, f func(t *testing.T, m *machine, a abi)) {
	for _, arch := range everyArch {
		m := newMachine(t, arch, p)
		for _, a := range arch.abis() {
			t.Run(string(arch)+"/"+abiName(a), func(t *testing.T) { f(t, m, a) })
		}
	}
}

func abiName(a abi) string {
	return map[uint32]string{unix.AUDIT_ARCH_X86_64: "x86_64", unix.AUDIT_ARCH_I386: "i386",
		unix.AUDIT_ARCH_AARCH64: "aarch64", unix.AUDIT_ARCH_ARM: "arm"}[a.audit]
}

func find(t *testing.T, name string) *call {
	t.Helper()
	for i := range calls {
		if calls[i].name == name {
			return &calls[i]
		}
	}
	t.Fatalf("no call %q in the table", name)
	return nil
}

// want checks the verdict on a call where the ABI has it, and returns whether it has.
func want(t *testing.T, m *machine, a abi, name, verdict string, args ...uint64) bool {
	t.Helper()
	n := a.number(find(t, name))
	if n == none {
		return false
	}
	e := event{number: uint32(n), arch: a.audit}
	copy(e.args[:], args)
	if got := describe(m.run(e)); got != verdict {
		t.Errorf("%s(%#x) = %s, want %s", name, args, got, verdict)
	}
	return true
}

// The words of the security document, kept apart from the lists in the code.
const (
	wantEPERM = `kexec_load kexec_file_load init_module finit_module delete_module open_by_handle_at bpf
		perf_event_open userfaultfd swapon swapoff acct iopl ioperm clock_settime clock_settime64 settimeofday
		stime syslog lookup_dcookie nfsservctl`
	wantENOSYS  = `io_uring_setup io_uring_enter io_uring_register`
	wantKeyring = `keyctl add_key request_key`
	wantAllow   = `read write openat close execve execveat exit exit_group clone clone3 mount umount2 fsopen fsconfig
		fsmount fspick move_mount open_tree open_tree_attr mount_setattr statmount listmount unshare setns pivot_root
		chroot pidfd_open pidfd_send_signal pidfd_getfd name_to_handle_at ptrace process_vm_readv process_vm_writev
		reboot sethostname setdomainname prctl seccomp capset setuid setgroups mknodat personality quotactl
		fanotify_init inotify_init1 adjtimex clock_adjtime clock_gettime sysinfo bind connect sendmsg landlock_create_ruleset
		memfd_create rseq futex futex_waitv epoll_pwait2 cachestat restart_syscall rt_sigreturn`
)

func TestDenied(t *testing.T) {
	eachABI(t, Policy{}, func(t *testing.T, m *machine, a abi) {
		for _, name := range strings.Fields(wantEPERM) {
			want(t, m, a, name, "EPERM")
		}
		for _, name := range strings.Fields(wantENOSYS + " " + wantKeyring) {
			if !want(t, m, a, name, "ENOSYS") {
				t.Errorf("%s has no number", name)
			}
		}
	})
}

// Each denied name must mean something in at least one form: a misspelt one denies nothing.
func TestDeniedForms(t *testing.T) {
	lacks := map[string]string{ // ABIs without the call
		"iopl":            "aarch64 arm",
		"ioperm":          "aarch64 arm",
		"stime":           "x86_64 aarch64 arm",
		"clock_settime64": "x86_64 aarch64",
		"kexec_file_load": "i386",
	}
	for _, arch := range everyArch {
		for _, a := range arch.abis() {
			for _, name := range strings.Fields(wantEPERM) {
				missing := slices.Contains(strings.Fields(lacks[name]), abiName(a))
				if has := a.number(find(t, name)) != none; has == missing {
					t.Errorf("%s: %s in the table: %v", abiName(a), name, has)
				}
			}
		}
	}
}

func TestMustWork(t *testing.T) {
	eachABI(t, Policy{}, func(t *testing.T, m *machine, a abi) {
		for _, name := range strings.Fields(wantAllow) {
			if !want(t, m, a, name, "allow") {
				t.Errorf("%s has no number", name)
			}
		}
	})
}

func TestNestingAllowsKeyring(t *testing.T) {
	eachABI(t, Policy{Nesting: true}, func(t *testing.T, m *machine, a abi) {
		for _, name := range strings.Fields(wantKeyring) {
			want(t, m, a, name, "allow")
		}
		want(t, m, a, "bpf", "EPERM")
		want(t, m, a, "io_uring_setup", "ENOSYS")
	})
}

// A privileged guest changes no options of a whole file system; those of a mount it may.
func TestPrivilegedRemounts(t *testing.T) {
	eachABI(t, Policy{Privileged: true}, func(t *testing.T, m *machine, a abi) {
		for _, flags := range []uint64{unix.MS_REMOUNT, unix.MS_REMOUNT | unix.MS_RDONLY, 0xc0ed0000 | unix.MS_REMOUNT} {
			want(t, m, a, "mount", "EPERM", 0, 0, 0, flags)
			want(t, m, a, "mount", "allow", 0, 0, 0, flags|unix.MS_BIND)
		}
		want(t, m, a, "mount", "allow", unix.MS_REMOUNT, unix.MS_REMOUNT, 0, unix.MS_RDONLY)
		want(t, m, a, "fsconfig", "EPERM", 0, unix.FSCONFIG_CMD_RECONFIGURE)
		want(t, m, a, "fsconfig", "EPERM", 0, rubbish|unix.FSCONFIG_CMD_RECONFIGURE)
		want(t, m, a, "fsconfig", "allow", 0, unix.FSCONFIG_CMD_CREATE)
		want(t, m, a, "mount_setattr", "allow")
		want(t, m, a, "bpf", "EPERM")
	})
}

// rubbish in the upper half of an int argument is dropped by the kernel.
const rubbish = 0xdeadbeef << 32

func TestSockets(t *testing.T) {
	eachABI(t, Policy{}, func(t *testing.T, m *machine, a abi) {
		for _, name := range []string{"socket", "socketpair"} {
			for _, high := range []uint64{0, rubbish} {
				want(t, m, a, name, "EAFNOSUPPORT", high|unix.AF_ALG, unix.SOCK_SEQPACKET, 0)
				want(t, m, a, name, "EAFNOSUPPORT", high|unix.AF_VSOCK, unix.SOCK_STREAM, 0)
				want(t, m, a, name, "EAFNOSUPPORT", high|unix.AF_NETLINK, unix.SOCK_RAW, high|unix.NETLINK_AUDIT)
				want(t, m, a, name, "allow", high|unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
				want(t, m, a, name, "allow", unix.AF_INET, unix.SOCK_RAW, high|unix.NETLINK_AUDIT)
				want(t, m, a, name, "allow", unix.AF_UNIX, unix.SOCK_STREAM, 0)
			}
		}
		want(t, m, a, "socketcall", "allow", 1) // documented: its arguments can't be seen
	})
}

func TestTerminalRequests(t *testing.T) {
	eachABI(t, Policy{}, func(t *testing.T, m *machine, a abi) {
		for _, high := range []uint64{0, rubbish, 1 << 63} {
			want(t, m, a, "ioctl", "EPERM", 0, high|unix.TIOCSTI)
			want(t, m, a, "ioctl", "EPERM", 0, high|unix.TIOCLINUX)
			want(t, m, a, "ioctl", "allow", 0, high|unix.TIOCGWINSZ)
		}
		want(t, m, a, "ioctl", "allow", unix.TIOCSTI, unix.TCGETS, unix.TIOCSTI)
	})
}

// Every number of every ABI that the table lacks is ENOSYS: all of x32, what newer kernels
// add, and 512 to 547, which older kernels ran as x32 calls without its bit.
func TestUnknownNumbers(t *testing.T) {
	eachABI(t, Policy{Nesting: true}, func(t *testing.T, m *machine, a abi) {
		known := map[uint32]bool{skipped: true}
		for i := range calls {
			if n := a.number(&calls[i]); n != none {
				known[uint32(n)] = true
			}
		}
		check := func(n uint32) {
			if got := describe(m.run(event{number: n, arch: a.audit})); !known[n] && got != "ENOSYS" {
				t.Errorf("unknown number %#x: %s", n, got)
			}
		}
		for n := range uint32(2048) {
			check(n)
			check(0x40000000 | n)
			check(0x80000000 | n)
			check(0xffffffff - n)
			check(0xf0000 - 1024 + n)
		}
		for range 20000 {
			check(rand.Uint32())
		}
		if got := describe(m.run(event{number: skipped, arch: a.audit})); got != "allow" {
			t.Errorf("a skipped call: %s", got)
		}
	})
}

func TestForeignABI(t *testing.T) {
	for arch, audits := range map[Arch][]uint32{
		AMD64: {unix.AUDIT_ARCH_AARCH64, unix.AUDIT_ARCH_ARM, 0, 0xffffffff},
		ARM64: {unix.AUDIT_ARCH_X86_64, unix.AUDIT_ARCH_I386, unix.AUDIT_ARCH_ARMEB, 0},
	} {
		for _, audit := range audits {
			if got := describe(newMachine(t, arch, Policy{}).run(event{number: 0, arch: audit})); got != "kill" {
				t.Errorf("%s: a call with audit arch %#x: %s", arch, audit, got)
			}
		}
	}
	if _, err := BuildFor("riscv64", Policy{}); err == nil {
		t.Error("a filter was built for an architecture that is not described")
	}
}

// A listener hears of reboot(2) only where that would end the guest. The kernel drops the upper
// half of each of the three arguments.
func TestNotifyReboot(t *testing.T) {
	const magic, magic2, restart = 0xfee1dead, 672274793, 0x1234567
	eachABI(t, Policy{Notify: []string{"reboot"}}, func(t *testing.T, m *machine, a abi) {
		for _, high := range []uint64{0, rubbish, 1<<64 - 1<<32} {
			for _, second := range []uint64{magic2, 85072278, 369367448, 537993216} {
				for _, command := range []uint64{restart, 0xa1b2c3d4, 0x4321fedc, 0xcdef0123} {
					want(t, m, a, "reboot", "notify", high|magic, high|second, high|command, high)
				}
				for _, command := range []uint64{0, 0x89abcdef, 0xd000fce2, 0x45584543, restart << 32} {
					want(t, m, a, "reboot", "allow", high|magic, high|second, high|command)
				}
			}
			want(t, m, a, "reboot", "allow", high|1, high|magic2, high|restart)
			want(t, m, a, "reboot", "allow", high|magic, high|1, high|restart)
			want(t, m, a, "reboot", "allow", high|magic, high|magic2+1, high|restart)
		}
		want(t, m, a, "reboot", "allow", magic<<32, magic2<<32, restart<<32)
	})
}

func TestNotify(t *testing.T) {
	eachABI(t, Policy{Notify: []string{"sysinfo", "reboot", "sysinfo"}}, func(t *testing.T, m *machine, a abi) {
		want(t, m, a, "sysinfo", "notify")
		want(t, m, a, "uname", "allow")
		want(t, m, a, "bpf", "EPERM")
	})
	for _, name := range []string{"bpf", "keyctl", "ioctl", "socket", "no_such_call", ""} {
		if _, err := BuildFor(AMD64, Policy{Notify: []string{name}}); err == nil {
			t.Errorf("%q was taken for notification", name)
		}
	}
}
