package seccomp

import (
	"slices"
	"testing"

	"golang.org/x/sys/unix"
)

// An allowed call is cheap, and on kernels that cache verdicts free.
func TestCost(t *testing.T) {
	many := Policy{Notify: []string{"sysinfo", "reboot", "mount", "mknodat", "sched_getaffinity", "getcpu"}}
	for _, p := range []Policy{{}, {Nesting: true}, many} {
		eachABI(t, p, func(t *testing.T, m *machine, a abi) {
			if len(m.prog) > 512 {
				t.Errorf("%d instructions", len(m.prog))
			}
			for i := range calls {
				if n := a.number(&calls[i]); n != none {
					checkCost(t, m, event{number: uint32(n), arch: a.audit}, calls[i].name, len(p.Notify) > 0)
				}
			}
		})
	}
}

func checkCost(t *testing.T, m *machine, e event, name string, notifies bool) {
	t.Helper()
	count, constant := m.steps(e)
	if count > 16 {
		t.Errorf("%s: %d instructions", name, count)
	}
	looksIntoIt := slices.Contains([]string{"socket", "socketpair", "ioctl"}, name) || name == "reboot" && notifies
	if constant == looksIntoIt {
		t.Errorf("%s: verdict depends on arch and number alone: %v", name, constant)
	}
}

// branch must hold where its first arm is longer than a conditional jump reaches.
func TestFarBranch(t *testing.T) {
	for _, size := range []int{1, 2, 254, 255, 256, 257, 1000} {
		yes := make(block, 0, size)
		for range size - 1 {
			yes = append(yes, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0})
		}
		yes = append(yes, ret(7)...)
		prog := load(offNumber, ifAtLeast(5, yes, ret(9)))
		for number, verdict := range map[uint32]uint32{6: 7, 5: 7, 4: 9, 0: 9} {
			if got := machineOf(t, prog).run(event{number: number}); got != verdict {
				t.Errorf("first arm of %d: verdict %d for %d, want %d", size, got, number, verdict)
			}
		}
	}
}

func FuzzVerdictsAreKnown(f *testing.F) {
	f.Add(uint32(0), uint32(unix.AUDIT_ARCH_X86_64), uint64(0), uint64(0), uint64(0))
	f.Fuzz(func(t *testing.T, number, arch uint32, a0, a1, a2 uint64) {
		e := event{number: number, arch: arch, args: [6]uint64{a0, a1, a2}}
		for _, a := range everyArch {
			switch v := describe(newMachine(t, a, Policy{}).run(e)); v {
			case "allow", "EPERM", "ENOSYS", "EAFNOSUPPORT", "kill":
			default:
				t.Errorf("%s: %+v: %s", a, e, v)
			}
		}
	})
}
