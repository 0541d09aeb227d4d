//go:build vm

package cases

import (
	"regexp"
	"strings"
	"testing"
)

// line squeezes the blanks of a table's line.
func line(text string) string { return strings.Join(strings.Fields(text), " ") }

// gone waits until machined has forgotten a machine, and wants nothing left of it.
func gone(t *testing.T, name string) {
	t.Helper()
	soon(t, "! machinectl show "+name)
	want(t, "ls /run/systemd/machines | grep -e '^"+name+"$' -e 'unit:sysct-"+name+"[.]scope'; true", "")
}

// leader is the pid of a guest's init, as machined knows it.
func leader(t *testing.T, name string) string {
	t.Helper()
	return sh(t, "machinectl show -P Leader "+name)
}

// pid is the same as sysct knows it.
func pid(t *testing.T, name string) string {
	t.Helper()
	return sh(t, `sysct info --json `+name+` 2>/dev/null | sed -n 's/.*"pid": \([0-9]*\),/\1/p'`)
}

// registered waits until machined knows a guest by the init that it has.
func registered(t *testing.T, name string) {
	t.Helper()
	soon(t, `leader=$(machinectl show -P Leader `+name+`) && test "$leader" = "$(sysct info --json `+name+` | sed -n 's/.*"pid": \([0-9]*\),/\1/p')"`)
}

// machine creates and starts a Debian guest, looks at what machined knows of it, and gives its machine id.
func machine(t *testing.T, release string) string {
	t.Helper()
	sh(t, "sysct create web -t debian -- -r "+release+" --allow-expired")
	id := sh(t, `sysct info --json web | sed -n 's/.*"machine_id": "\([0-9a-f]*\)",/\1/p'`)
	sh(t, "sysct start web")
	registered(t, "web")
	want(t, "machinectl show web | grep -E '^(Class|Id|RootDirectory|Service|State|Unit)=' | LC_ALL=C sort",
		"Class=container\nId="+id+"\nRootDirectory=/var/lib/sysct/web/rootfs\nService=sysct\nState=running\nUnit=sysct-web.scope")
	if got := line(sh(t, "machinectl list --no-legend")); !strings.HasPrefix(got, "web container sysct debian ") {
		t.Errorf("machinectl list: %q", got)
	}
	if out := sh(t, "machinectl status --no-pager web"); !strings.Contains(out, "Unit: sysct-web.scope") || !strings.Contains(out, "dbus.service") {
		t.Errorf("machinectl status has no unit, or not the guest's processes:\n%s", out)
	}
	// Without a terminal machinectl ends with its input, at once.
	if out := sh(t, `script -qc "machinectl shell web /bin/sh -c 'cat /etc/hostname; sleep 3'" /dev/null`); !strings.Contains(out, "web\r\n") {
		t.Errorf("machinectl shell: %q", out)
	}
	soon(t, "journalctl -q -M web -b -o cat _PID=1 | grep -q 'Reached target'")
	return id
}

// TestMachinectl: what an administrator does with a machine of systemd's, done with a guest.
func TestMachinectl(t *testing.T) {
	id := machine(t, "trixie")
	sh(t, `systemd-run -q --unit=login sh -c "sleep 600 | script -qf -c 'machinectl login web' /tmp/login"`)
	soon(t, "grep -q 'web login:' /tmp/login")
	sh(t, "systemctl stop login")
	want(t, "systemctl -M web is-active dbus.service", "active")
	want(t, "systemd-run -q -M web --wait --pipe cat /etc/machine-id", id)
	want(t, "loginctl --no-legend", "")
	sh(t, "loginctl -M web --no-legend")
	sh(t, "machinectl copy-from web /etc/hostname /tmp/name")
	want(t, "cat /tmp/name", "web")

	before := pid(t, "web")
	sh(t, "machinectl reboot web")
	soon(t, `leader=$(machinectl show -P Leader web) && test "$leader" != `+before)
	sh(t, "sysct wait web ready -t 120")
	registered(t, "web")

	sh(t, "machinectl poweroff web")
	soon(t, "test $(systemctl is-active sysct@web) = inactive")
	gone(t, "web")
}

// TestMachineOfBookworm: a guest with an older systemd is no other machine.
func TestMachineOfBookworm(t *testing.T) {
	machine(t, "bookworm")
	sh(t, "machinectl poweroff web")
	soon(t, "test $(systemctl is-active sysct@web) = inactive")
	gone(t, "web")
}

// interfaces wants machined to know a guest's interface and addresses, and the host's resolver by it.
func interfaces(t *testing.T, name string) {
	t.Helper()
	link := sh(t, "sysct info "+name+" | sed -n 's/^Link: *\\([^ ]*\\) (eth0)$/\\1/p'")
	address := sh(t, "sysct ls -H -o ipv4 "+name)
	if !strings.HasPrefix(link, "sv") || !strings.HasPrefix(address, "1") {
		t.Fatalf("the guest has no interface: %q, %q", link, address)
	}
	if out := line(sh(t, "machinectl status --no-pager "+name)); !strings.Contains(out, "Iface: "+link+" Address: "+address+" ") {
		t.Errorf("machinectl status: %s", out)
	}
	if out := sh(t, "getent -s hosts:mymachines ahostsv4 "+name); !strings.HasPrefix(out, address+" ") {
		t.Errorf("getent: %s", out)
	}
}

// TestMachineEnds: a guest that machined kills is stopped; one that reboots quickly isn't taken for the boot before.
func TestMachineEnds(t *testing.T) {
	sh(t, "sysct launch tiny -t busybox --net sysctbr0 && sysct wait tiny ip -t 60")
	for range 3 {
		registered(t, "tiny")
		interfaces(t, "tiny")
		before := leader(t, "tiny")
		sh(t, "sysct exec tiny -- reboot || test $? = 143")
		soon(t, `leader=$(machinectl show -P Leader tiny) && test "$leader" != `+before)
	}
	registered(t, "tiny")
	want(t, "ls /run/systemd/machines", "tiny\nunit:sysct-tiny.scope")

	sh(t, "machinectl terminate tiny && sysct wait tiny stopped -t 60")
	gone(t, "tiny")
	want(t, "sysct ls -o name,state | tail -1 | tr -s ' '", "tiny STOPPED")
	if out := sh(t, "sysct info tiny"); !strings.Contains(out, "SIGKILL") {
		t.Errorf("sysct info doesn't say that it was killed:\n%s", out)
	}

	sh(t, "sysct start tiny")
	registered(t, "tiny")
	sh(t, "machinectl kill --kill-whom=leader --signal=KILL tiny && sysct wait tiny stopped -t 60")
	gone(t, "tiny")

	sh(t, "sysct set tiny restart=on-failure && sysct start tiny")
	registered(t, "tiny")
	before := leader(t, "tiny")
	sh(t, "systemctl stop sysct-tiny.scope")
	soon(t, `leader=$(machinectl show -P Leader tiny) && test "$leader" != `+before)
	registered(t, "tiny")
	sh(t, "sysct stop -k tiny")
	gone(t, "tiny")
}

// TestMachineNames: a guest whose name machined doesn't take, or has given away, runs all the same, and its log has one line.
func TestMachineNames(t *testing.T) {
	sh(t, "sysct launch my_guest -t busybox && sysct wait my_guest ready -t 60")
	soon(t, "test $(grep -c 'not registered with systemd-machined: the name is no host.s name' /var/log/sysct/my_guest.log) = 1")
	want(t, "machinectl list --no-legend", "")

	sh(t, "systemd-run -q --unit=other sleep 600")
	sh(t, "busctl call -q org.freedesktop.machine1 /org/freedesktop/machine1 org.freedesktop.machine1.Manager RegisterMachine sayssus "+
		"tiny 0 other container $(systemctl show -P MainPID other) /")
	sh(t, "sysct launch tiny -t busybox && sysct wait tiny ready -t 60")
	soon(t, "grep -q \"another machine has this name: it is other's\" /var/log/sysct/tiny.log")
	want(t, "machinectl show -P Unit tiny", "other.service")
	sh(t, "sysct stop tiny")
	want(t, "systemctl is-active other", "active")
}

// TestMachinedAway: without machined nothing is missed; what it didn't learn, or lost, it is told by the host service.
func TestMachinedAway(t *testing.T) {
	sh(t, "systemctl mask --runtime systemd-machined")
	sh(t, "sysct launch tiny -t busybox && sysct wait tiny ready -t 60")
	if log := sh(t, "cat /var/log/sysct/tiny.log"); regexp.MustCompile(`(?i)machine|dbus`).MatchString(log) {
		t.Errorf("its log complains:\n%s", log)
	}
	sh(t, "systemd-run -q --unit=hosting sysct host run")
	soon(t, "journalctl -u hosting -o cat | grep -q 'the host service runs'")
	if log := sh(t, "journalctl -q -u hosting -o cat"); strings.Contains(log, "machine") {
		t.Errorf("the host service complains:\n%s", log)
	}

	sh(t, "systemctl unmask --runtime systemd-machined && systemctl start systemd-machined")
	registered(t, "tiny")
	sh(t, "systemctl restart systemd-machined")
	registered(t, "tiny")
	sh(t, "systemctl stop systemd-machined && rm -f /run/systemd/machines/* && systemctl start systemd-machined")
	registered(t, "tiny")
	sh(t, "systemctl stop systemd-machined && rm -f /run/systemd/machines/* && systemctl restart dbus")
	registered(t, "tiny")
	sh(t, "sysct stop tiny")
	gone(t, "tiny")
}

// TestMachinedDiedBefore: a machined that died has a record of a guest's boot that ended meanwhile. When it comes up again it stops the
// unit that is named there, which must not be the next boot's.
func TestMachinedDiedBefore(t *testing.T) {
	sh(t, "sysct create tiny -t busybox && sysct start tiny")
	soon(t, "machinectl list --no-legend | grep -w tiny")
	sh(t, "systemctl kill -s KILL systemd-machined")
	soon(t, "! systemctl is-active systemd-machined && test -e /run/systemd/machines/tiny")
	sh(t, "sysct stop tiny && sysct start tiny")
	soon(t, "machinectl list --no-legend | grep -w tiny")
	want(t, "sysct ls -1 --running && systemctl is-active sysct-tiny.scope", "tiny\nactive")
	want(t, "journalctl -b --no-pager -o cat -u sysct@tiny | grep -c 'init ended: signal' || true", "0")
}
