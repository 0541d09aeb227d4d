package guest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest"
)

// total is what busybox's free, which calls sysinfo(2), has for all memory, in KiB.
const total = `free | awk '/^Mem/{print $2}'`

// TestSysinfo: the guest's own figures are answered to its init's children, to what enters
// it and outlives that, in nested namespaces, to many at once; and when monitors die.
func TestSysinfo(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", "[limits]\nmemory = \"96M\"\n")
	in.start("tiny")
	in.ready("tiny")
	const want = "98304\n"
	for what, script := range map[string]string{
		"entered": total, "nested": "unshare -Urpf sh -c " + quoted(total), "nobody": "su -s /bin/sh nobody -c " + quoted(total),
	} {
		if out, status := in.run("tiny", "sh", "-c", script); status != 0 || !strings.HasPrefix(out, want[:5]) {
			t.Errorf("%s: %q, status %d", what, out, status)
		}
	}
	// A /proc of its own has no views: the total goes with its figures.
	script := "test `free | awk '/^Mem/{print $2, ($3 < $2)}' | tr ' ' -` = $(awk '/^MemTotal/{print $2}' /proc/meminfo)-1"
	if out, status := in.run("tiny", "unshare", "-Urpf", "--mount-proc", "sh", "-c", script+" && cat /proc/meminfo"); status != 0 || strings.Contains(out, want) {
		t.Errorf("nested with a /proc of its own: status %d\n%s", status, out)
	}
	in.run("tiny", "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do (for j in $(seq 30); do "+total+"; done >/out$i 2>&1; echo >/done$i)& done")
	for range 6 {
		in.killMonitor("tiny")
	}
	eventually(t, "all have been answered", func() error {
		if _, status := in.run("tiny", "sh", "-c", "test $(ls /done* | wc -l) = 8"); status != 0 {
			return fmt.Errorf("status %d", status)
		}
		return nil
	})
	if out, _ := in.run("tiny", "sh", "-c", "cat /out* | sort | uniq -c"); strings.Join(strings.Fields(out), " ") != "240 98304" {
		t.Errorf("answers while monitors died:\n%s", out)
	}
	in.nothingListens("tiny")
	in.manyEnter(want)
}

// manyEnter: of so many that have been let in and stay all are answered, also by the next
// monitor; who comes when there is no room for more is told.
func (in *instance) manyEnter(want string) {
	const many = 70
	monitor := *in.info("tiny").MonitorPid
	for i := range many {
		in.run("tiny", "sh", "-c", fmt.Sprintf("(until [ -e /go ]; do sleep 0.2; done; %s > /many%d; echo > /over%d) > /dev/null 2>&1 &", total, i, i))
		// At once: the program that let it in may end now.
		if n := strings.Count(descriptors(in.t, monitor), "seccomp notify"); n < i+2 {
			in.t.Fatalf("%d have been let in, and the monitor has %d listeners with the guest's own", i+1, n)
		}
	}
	if text := in.warned.String(); text != "" {
		in.t.Errorf("%d programs are too many: %s", many, text)
	}
	in.killMonitor("tiny")
	// So that the next one has no room for more than there are.
	monitor = *in.info("tiny").MonitorPid
	var limit unix.Rlimit
	if err := unix.Prlimit(monitor, unix.RLIMIT_NOFILE, nil, &limit); err != nil {
		in.t.Fatal(err)
	}
	few := unix.Rlimit{Cur: 4 * many, Max: limit.Max}
	if err := unix.Prlimit(monitor, unix.RLIMIT_NOFILE, &few, nil); err != nil {
		in.t.Fatal(err)
	}
	if out, _ := in.run("tiny", "sh", "-c", total); out == want || strings.Count(in.warned.String(), "too many programs") != 1 {
		in.t.Errorf("one too many sees %q of memory, and is told %q", out, in.warned.String())
	}
	if err := unix.Prlimit(monitor, unix.RLIMIT_NOFILE, &limit, nil); err != nil {
		in.t.Fatal(err)
	}
	in.run("tiny", "touch", "/go")
	eventually(in.t, "all have been answered", func() error {
		if out, _ := in.run("tiny", "sh", "-c", "ls /over* | wc -l"); out != fmt.Sprintln(many) {
			return fmt.Errorf("only %s", out)
		}
		return nil
	})
	if out, _ := in.run("tiny", "sh", "-c", "cat /many* | sort | uniq -c"); strings.Join(strings.Fields(out), " ") != fmt.Sprint(many, " ", strings.TrimSpace(want)) {
		in.t.Errorf("many see\n%s", out)
	}
	in.nothingListens("tiny")
}

// nothingListens: the monitor lets go of the listeners of what entered and has ended.
func (in *instance) nothingListens(name string) {
	in.t.Helper()
	eventually(in.t, "one listener is left, the guest's own", func() error {
		links := descriptors(in.t, *in.info(name).MonitorPid)
		if n := strings.Count(links, "seccomp notify"); n != 1 {
			return fmt.Errorf("%d listeners", n)
		}
		return nil
	})
}

func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// TestViewsOff: with a key turned off the kernel answers, for the whole host; the others
// stay the guest's own, until all are turned off.
func TestViewsOff(t *testing.T) {
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", "[limits]\nmemory = \"96M\"\ncpus = 1\n[views]\nsysinfo = false\ncpuinfo = false\ndiskstats = false\ncpus = false\n")
	in.start("tiny")
	in.ready("tiny")
	var host unix.Sysinfo_t
	if err := unix.Sysinfo(&host); err != nil {
		t.Fatal(err)
	}
	hostKiB := fmt.Sprint(uint64(host.Totalram) * uint64(host.Unit) >> 10)
	if out, _ := in.run("tiny", "sh", "-c", total); !strings.HasPrefix(out, hostKiB) {
		t.Errorf("the host has %s KiB, the guest by sysinfo(2) %s", hostKiB, out)
	}
	in.want("tiny", memTotal, "98304")
	in.want("tiny", "grep -c '^cpu[0-9]' /proc/stat", "1")
	in.want("tiny", cpuFiles, hosts(t, cpuFiles))
	eventually(t, "the disks are the host's", func() error { // of which other tests make some meanwhile
		want := hosts(t, diskNames)
		if out, _ := in.run("tiny", "sh", "-c", diskNames); strings.TrimSpace(out) != want {
			return fmt.Errorf("the guest has %q, the host %q", out, want)
		}
		return nil
	})
	in.want("tiny", overmounted, "/dev/.sysct/views /proc/loadavg /proc/meminfo /proc/stat /proc/swaps /proc/uptime")
	in.configure("tiny", "[limits]\nmemory = \"96M\"\ncpus = 1\n[views]\nenabled = false\n")
	if err := in.Restart(context.Background(), "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	in.ready("tiny")
	in.want("tiny", memTotal, hostKiB)
	in.want("tiny", "grep -c '^cpu[0-9]' /proc/stat; nproc", hosts(t, "grep -c '^cpu[0-9]' /proc/stat")+"\n1")
	in.want("tiny", overmounted, "")
}

// What TestViewsOff looks at, in the guest and on the host.
const (
	memTotal    = "awk '/^MemTotal/ {print $2}' /proc/meminfo"
	cpuFiles    = "grep -c ^processor /proc/cpuinfo; cat /sys/devices/system/cpu/online"
	diskNames   = "awk '{print $3}' /proc/diskstats"
	overmounted = "awk '$9 ~ /^fuse/ || $10 ~ /^fuse/ {print $5}' /proc/self/mountinfo | sort | xargs"
)

// hosts is what a script says on the host.
func hosts(t *testing.T, script string) string {
	t.Helper()
	out, err := exec.Command("sh", "-c", script).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// descriptors are what a process has open.
func descriptors(t *testing.T, pid int) string {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/fd", pid)
	names, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var links strings.Builder
	for _, n := range names {
		link, _ := os.Readlink(dir + "/" + n.Name()) // it may be closed by now
		links.WriteString(link + "\n")
	}
	return links.String()
}
