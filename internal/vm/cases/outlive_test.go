//go:build vm

package cases

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// initStart is when the guest's init began, in ticks since the host's boot: another init has another.
func initStart(t *testing.T, name string) string {
	t.Helper()
	return sh(t, fmt.Sprintf(`cut -d' ' -f22 /proc/$(sysct info --json %s 2>/dev/null | sed -n 's/.*"pid": \([0-9]*\),/\1/p')/stat`, name))
}

// adopted kills a monitor in some way and waits for the next one, which has the guest as it was.
func adopted(t *testing.T, name, how string) {
	t.Helper()
	before, began := mainPid(t, name), initStart(t, name)
	sh(t, fmt.Sprintf(how, before))
	soon(t, fmt.Sprintf("p=$(systemctl show -P MainPID sysct@%s); test $p != 0 -a $p != %s && sysct exec %s -- true", name, before, name))
	if now := initStart(t, name); now != began {
		t.Errorf("%s: init began at %s, now at %s", how, began, now)
	}
	soon(t, "systemctl is-active sysct@"+name)
}

// TestMonitorDies: whatever a monitor dies of, systemd starts another one, which has console, readiness and limits of the guest as they were.
func TestMonitorDies(t *testing.T) {
	tiny(t)
	sh(t, "sysct set tiny limits.memory=64M && sysct start tiny")
	// What the guest writes to its console meanwhile is all in the log: the pty holds it.
	sh(t, `sysct exec tiny -- sh -c '(i=0; while [ $i -lt 500 ]; do i=$((i+1)); echo word-$i; usleep 20000; done >/dev/console; >/done) </dev/null >/dev/null 2>&1 &'`)
	// And who reads what the monitor serves, or asks by sysinfo(2), notices nothing.
	sh(t, `sysct exec tiny -- sh -c '(while ! grep -q enough /reads; do grep -q "^MemTotal: *65536 kB" /proc/meminfo && free | grep -q "^Mem: *65536 " || echo failed >>/failed; echo x >>/reads; usleep 5000; done) </dev/null >/dev/null 2>&1 &'`)
	for _, how := range []string{"kill -KILL %s", "kill -SEGV %s", "kill -ABRT %s"} {
		adopted(t, "tiny", how)
	}
	soon(t, "sysct exec tiny -- test -e /done")
	soon(t, "grep -q 'word-500' /var/log/sysct/tiny.console.log")
	reads := "sysct exec tiny -- cat /reads | wc -l"
	soon(t, "test $("+reads+") -gt $(("+sh(t, reads)+" + 10))")
	want(t, "sysct exec tiny -- sh -c 'echo enough >>/reads; test ! -e /failed && echo none'", "none")
	want(t, "grep -o 'word-[0-9]*' /var/log/sysct/tiny.console.log | sort -u | wc -l", "500")
	want(t, "cat /sys/fs/cgroup/machine.slice/sysct-tiny.scope/guest/memory.max", "67108864")
	sh(t, "sysct wait tiny ready -t 60")
	soon(t, "test $(journalctl --no-pager -o cat -u sysct@tiny | grep -c 'takes the guest over') -ge 3")
	// The guest's own reboot and end are known to a monitor that isn't init's parent.
	began := initStart(t, "tiny")
	sh(t, "sysct exec tiny -- reboot || test $? = 143")
	soon(t, `p=$(sysct info --json tiny | sed -n 's/.*"pid": \([0-9]*\),/\1/p'); test -n "$p" && s=$(cut -d" " -f22 /proc/$p/stat) && test -n "$s" -a "$s" != `+began)
	sh(t, "sysct wait tiny ready -t 60")
	adopted(t, "tiny", "kill -KILL %s")
	sh(t, "sysct exec tiny -- poweroff || test $? = 143")
	soon(t, "test $(systemctl is-active sysct@tiny) = inactive")
	want(t, `sysct info --json tiny | grep -o '"reason": "[a-z]*"'`, `"reason": "poweroff"`)
}

// TestMonitorHangs: a stopped monitor is noticed and replaced.
func TestMonitorHangs(t *testing.T) {
	tiny(t)
	sh(t, "sysct start tiny")
	adopted(t, "tiny", "kill -STOP %s")
}

// TestDelegation: what systemd does to its own units leaves a guest's groups as they are, and the guest's systemd has controllers of its own.
func TestDelegation(t *testing.T) {
	sh(t, "sysct create web -t debian -- -r trixie --allow-expired && sysct set web limits.memory=512M limits.pids=300 && sysct start web")
	want(t, "sysct exec web -- systemctl is-system-running", "running")
	guest := "/sys/fs/cgroup/machine.slice/sysct-web.scope/guest"
	figures := "cd " + guest + " && cat memory.max pids.max cgroup.controllers payload/cgroup.subtree_control && stat -c '%U %u %n' . memory.max payload payload/cgroup.procs"
	before := sh(t, figures)
	if !strings.HasPrefix(before, "536870912\n300\n") {
		t.Errorf("the limits are %s", before)
	}
	for _, c := range []string{"cpu", "memory", "pids", "io"} {
		want(t, "sysct exec web -- grep -cw "+c+" /sys/fs/cgroup/cgroup.controllers", "1")
	}
	sh(t, "for i in $(seq 50); do systemctl daemon-reload; done; systemctl daemon-reexec; systemctl set-property --runtime sysct-web.scope CPUWeight=200; systemctl daemon-reload")
	if after := sh(t, figures); after != before {
		t.Errorf("was\n%s\nis\n%s", before, after)
	}
	// The limits are root's: the guest's root sees no file of them.
	if out, status := try(t, "sysct exec web -- sh -c 'echo max >/sys/fs/cgroup/memory.max'"); status == 0 {
		t.Errorf("the guest has written a limit: %s", out)
	}
	sh(t, "sysct exec web -- systemd-run --wait -p MemoryMax=50M -p TasksMax=10 true")
	want(t, "sysct exec web -- systemctl is-system-running", "running")
	sh(t, "sysct stop web")
	soon(t, "! systemctl is-active sysct@web sysct-web.scope")
}

// TestUpgrade: a monitor executes another program in place; systemd sees the same process and starts nothing.
func TestUpgrade(t *testing.T) {
	tiny(t)
	sh(t, "sysct start --wait tiny")
	// The same program under another version, and so under another name in the cache.
	other := sh(t, `v=$(sysct version | cut -d' ' -f2); n=$(echo $v | tr 0-9a-z 1-9a-z0)
s=$(ls /var/cache/sysct/lib | sed -n 's/^sysct-helper-//p')
LC_ALL=C sed "s/$s/$(echo $s | tr 0-9a-f 1-9a-f0)/g; s/$v/$n/g" $(command -v sysct) >/root/sysct && chmod +x /root/sysct && echo $v to $n`)
	life := "systemctl show -p MainPID,ActiveEnterTimestampMonotonic,NRestarts sysct@tiny; sysct info --json tiny 2>/dev/null | grep -E '\"(pid|boots|started_at|monitor_pid)\"'"
	before := sh(t, life)
	want(t, "/root/sysct upgrade", "tiny: upgraded from "+other)
	want(t, life, before)
	want(t, "/root/sysct upgrade | sed 's/ runs .*/ runs it/'", "tiny: runs it")
	want(t, "sysct exec tiny -- echo well", "well")
	adopted(t, "tiny", "kill -KILL %s") // with all that was stored before
	sh(t, "sysct stop tiny")
	want(t, `sysct info --json tiny | grep -o '"reason": "[a-z]*"'`, `"reason": "poweroff"`)
}

// TestMonitorDiesInAStop: systemd starts no monitor again whose unit is being stopped; the guest ends all the same, in its own way.
func TestMonitorDiesInAStop(t *testing.T) {
	tiny(t)
	sh(t, "sysct start tiny")
	monitor := mainPid(t, "tiny")
	sh(t, "kill -STOP "+monitor+"; systemctl stop --no-block sysct@tiny; kill -KILL "+monitor)
	soon(t, "! systemctl is-active sysct-tiny.scope && systemctl show -P ActiveState sysct@tiny | grep -E 'failed|inactive'")
	soon(t, "journalctl --no-pager -o cat -u sysct@tiny | grep 'its monitor died while the unit is stopped: init ended after'")
	want(t, "sysct ls -o name,state | tail -1 | tr -s ' '", "tiny STOPPED")
	sh(t, "sysct start tiny && sysct exec tiny -- true")
}

// TestStoppedWhileItStarts: a unit that is stopped at any moment of its start is, soon, and not when systemd loses patience.
func TestStoppedWhileItStarts(t *testing.T) {
	tiny(t)
	for _, pause := range []string{"0.05", "0.3", "0.4", "0.5", "0.7", "2.95"} {
		sh(t, "systemctl start --no-block sysct@tiny; sleep "+pause+"; timeout 45 systemctl stop sysct@tiny")
		want(t, "sysct ls -o name,state | tail -1 | tr -s ' '; ls -d /sys/fs/cgroup/machine.slice/sysct-* 2>/dev/null || echo none", "tiny STOPPED\nnone")
	}
	sh(t, "systemctl reset-failed sysct@tiny 2>/dev/null; sysct start tiny && sysct exec tiny -- true")
}

// TestViewsHang: whatever becomes of a guest's views, process 1 of the host never waits for them, though it keeps what the
// monitor needs. The guest's root hides a place of theirs and has the connection end; with no monitor to answer systemd is asked
// for all that it keeps.
func TestViewsHang(t *testing.T) {
	sh(t, "sysct launch tiny -t busybox && sysct wait tiny ready -t 60")
	sh(t, "sysct exec tiny -- sh -c 'mount -t tmpfs none /sys/devices/system && ln -s /tmp /sys/devices/system/cpu'")
	sh(t, "number=$(awk '$5 == \"/proc/meminfo\" { sub(\".*:\", \"\", $3); print $3 }' /proc/"+pid(t, "tiny")+"/mountinfo) && "+
		"echo 1 > /sys/fs/fuse/connections/$number/abort")
	soon(t, "grep -q 'cannot mount all of the guest.s views anew, next try' /var/log/sysct/tiny.log")
	monitor := sh(t, `sysct info --json tiny 2>/dev/null | sed -n 's/.*"monitor_pid": \([0-9]*\),/\1/p'`)
	sh(t, "kill -STOP "+monitor)
	if out := sh(t, "timeout 20 systemd-analyze fdstore sysct@tiny.service"); !regexp.MustCompile(`(?m)^mend +sock `).MatchString(out) {
		t.Errorf("systemd doesn't keep the file system, or not in a socket:\n%s", out)
	}
	sh(t, "kill -KILL "+monitor)
	soon(t, "timeout 20 systemctl is-active sysct@tiny.service")
	sh(t, "sysct exec tiny -- umount /sys/devices/system")
	soon(t, "grep -q 'had ended: they are mounted anew' /var/log/sysct/tiny.log")
	sh(t, "sysct exec tiny -- timeout 20 cat /proc/meminfo /sys/devices/system/cpu/online")
	want(t, "systemd-analyze fdstore sysct@tiny.service | grep -c ^mend; true", "0")
}
