//go:build vm

package cases

import (
	"strings"
	"testing"
)

// kept are the files of a guest's groups that have its limits: those of the scope, where other
// guests' scopes are beside it, and those of the group in it.
const kept = "cd /sys/fs/cgroup/machine.slice/sysct-tiny.scope && cat cpu.weight io.weight memory.min && cd guest && " +
	"cat memory.max memory.high memory.swap.max memory.min cpu.max cpuset.cpus pids.max io.max"

// seen is what the guest sees of its memory and CPUs, each by another way, and how it uses its devices.
const seen = `sysct exec tiny -- sh -c 'echo $(grep MemTotal /proc/meminfo) $(free | grep -o "Mem: *[0-9]*") $(nproc) $(cat /sys/devices/system/cpu/online)
{ : </dev/fuse; } && echo fuse is read; { : >/dev/fuse; } 2>&1 | grep -o "Operation not permitted"; { : <>/dev/net/tun; } && echo tun is open; ls /dev/vda 2>/dev/null; :'`

// TestLimits are changed while the guest runs, and stay, whatever systemd does to the units; what takes too much is held in the guest,
// counted and told of.
func TestLimits(t *testing.T) {
	sh(t, "sysct create tiny -t busybox -c limits.memory=256M")
	sh(t, `printf '[[device]]\npath = "/dev/fuse"\naccess = "r"\n[[device]]\npath = "/dev/net/tun"\n' >>/var/lib/sysct/tiny/config.toml`)
	// With a cpuset of its own: the kernel patches itself with the first of the host and the last, and panics at that now and then in an
	// emulator of two processors.
	sh(t, "systemd-run --quiet --unit=follow --property=AllowedCPUs=0-1 --property=StandardOutput=file:/var/tmp/events sysct events -f")
	sh(t, "sysct start --wait tiny")
	devices := "\nfuse is read\nOperation not permitted\ntun is open"
	online := sh(t, "cat /sys/devices/system/cpu/online")
	want(t, seen, "MemTotal: 262144 kB Mem: 262144 "+sh(t, "nproc")+" "+online+devices)

	out, status := try(t, "sysct set tiny limits.memory=64M limits.hugepages.2M=4M")
	if status != 4 || !strings.Contains(out, "limits.hugepages: the host's service manager delegates no hugetlb controller") {
		t.Errorf("huge pages: %d, %s", status, out)
	}
	sh(t, "sysct set tiny limits.memory=96M limits.memory_high=80M limits.memory_min=8M limits.swap=0 limits.cpus=1 limits.cpu_quota=50% "+
		"limits.cpu_weight=300 limits.pids=60 limits.io.weight=200 'limits.io.device[0].path=/' 'limits.io.device[0].write=20M'")
	sh(t, "sed -i 's/96M/64M/' /var/lib/sysct/tiny/config.toml")
	want(t, "sysct apply --plan tiny | tail -1 | tr -s ' '", "limits.memory 96M 64M live")
	want(t, "cat /sys/fs/cgroup/machine.slice/sysct-tiny.scope/guest/memory.max", "100663296")
	want(t, seen, "MemTotal: 98304 kB Mem: 98304 1 0"+devices)
	sh(t, "sysct apply tiny")
	want(t, "sysct apply --plan tiny", "nothing to apply: tiny runs with its configuration")
	disk := sh(t, "stat -c %Hd:%Ld /")
	limits := "300\ndefault 200\n8388608\n67108864\n83886080\n0\n8388608\n50000 100000\n0\n60\n" + disk + " rbps=max wbps=20971520 riops=max wiops=max"
	want(t, kept, limits)
	want(t, seen, "MemTotal: 65536 kB Mem: 65536 1 0"+devices)
	sh(t, "systemctl daemon-reload; systemctl daemon-reexec; systemctl set-property --runtime sysct-tiny.scope TasksMax=5000; systemctl daemon-reload")
	want(t, kept, limits)
	want(t, seen, "MemTotal: 65536 kB Mem: 65536 1 0"+devices)
	sh(t, "sysct exec tiny -- reboot || test $? = 143")
	soon(t, "test $(sysct info tiny | sed -n 's/^Boots: *//p') = 2 && sysct wait tiny ready -t 60")
	want(t, kept, limits)

	began := initStart(t, "tiny")
	sh(t, "sysct unset tiny limits.memory_high") // above it, it would be slowed down only
	if _, status := try(t, "sysct exec tiny -- tail /dev/zero"); status != 128+9 {
		t.Errorf("the memory hog ended with %d", status)
	}
	soon(t, "grep -q 'tiny  oom  1 process killed, 64M limit' /var/tmp/events")
	want(t, "sysct info tiny 2>/dev/null | grep 'OOM kills' | tr -s ' '", "OOM kills: 1")
	try(t, "sysct exec tiny -- sh -c 'for i in $(seq 80); do sleep 600 & done' >/dev/null 2>&1")
	soon(t, "grep -q 'tiny  pids  .* refused, limit of 60 processes' /var/tmp/events")
	sh(t, "sysct info tiny | grep 'Forks refused:  *[1-9]' && test $(cat /sys/fs/cgroup/machine.slice/sysct-tiny.scope/guest/pids.current) -le 60")
	if now := initStart(t, "tiny"); now != began {
		t.Errorf("init began at %s, now at %s", began, now)
	}
	want(t, "systemctl is-system-running && ! journalctl -k -b --no-pager -o cat | grep '^Out of memory'", "running")
	sh(t, "sysct stop -k tiny")
	soon(t, "grep -q 'tiny  stop  killed' /var/tmp/events")
}
