//go:build vm

package cases

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

// stamp gives the time of the last line of a guest's log that has the text.
func stamp(t *testing.T, name, text string) string {
	t.Helper()
	line := sh(t, "grep -F '"+text+"' /var/log/sysct/"+name+".log | tail -n 1")
	at, _, _ := strings.Cut(line, " ")
	if at == "" {
		t.Errorf("%s logged nothing like %q:\n%s", name, text, sh(t, "cat /var/log/sysct/"+name+".log"))
	}
	return at
}

// inTurn says that the guests logged the text in this order.
func inTurn(t *testing.T, text string, names ...string) {
	t.Helper()
	var times []string
	for _, name := range names {
		times = append(times, stamp(t, name, text))
	}
	if !slices.IsSorted(times) {
		t.Errorf("%q of %q at %q", text, names, times)
	}
}

// TestHostReboots: the enabled guests are started by their order, each once in a boot of
// the host, whoever has enabled them; at its shutdown they end in reverse, and a guest that
// hangs is killed at its own deadline.
func TestHostReboots(t *testing.T) {
	all := []string{"admin", "cache", "db", "hang", "web"}
	if boot(t) == 0 {
		// Without the unit's link, which an administrator may have taken away.
		sh(t, "sysct create db -t busybox -c autostart.enabled=true -c autostart.order=-5 -c autostart.delay=1")
		sh(t, "sysct create cache -t busybox && sysct create off -t busybox")
		sh(t, "sysct create web -t busybox -c autostart.requires=cache -c autostart.after=db && sysct enable web")
		sh(t, `sysct create hang -t busybox -c autostart.enabled=true -c init.halt=SIGUSR1 -c init.stop_timeout=5 -c 'init.ready_cmd=["/bin/true"]' `+
			`-c 'init.cmd=["/bin/sh", "-c", "trap \"\" USR1; while :; do sleep 1; done"]'`)
		sh(t, "sysct create admin -t busybox && systemctl enable --now sysct@admin")
		sh(t, "systemctl enable --now sysct")
	} else {
		try(t, "systemctl is-system-running --wait")
	}
	soon(t, `test "$(sysct ls -1 --running | tr '\n' ' ')" = "`+strings.Join(all, " ")+` "`)
	soon(t, "sysct wait web ready -t 0")
	for _, name := range all {
		want(t, "grep -c 'boot 1:' /var/log/sysct/"+name+".log", strconv.Itoa(boot(t)+1))
	}
	inTurn(t, "boot 1:", "db", "cache", "web")
	if ready, started := stamp(t, "db", "ready:"), stamp(t, "web", "boot 1:"); ready > started {
		t.Errorf("web started at %s, before db was ready at %s", started, ready)
	}
	if boot(t) == 0 {
		reboot(t)
		return
	}
	sh(t, "journalctl -b -1 -u 'sysct*' -o short-precise --no-pager | tail -n 60")
	for _, name := range []string{"admin", "cache", "db", "web"} {
		sh(t, "grep -F 'init ended: poweroff' /var/log/sysct/"+name+".log")
	}
	sh(t, "grep -F 'init ended: killed' /var/log/sysct/hang.log")
	inTurn(t, "stopping:", "web", "cache", "db")
}

// TestHostServiceTouchesNoGuest: restart, death and stop of sysct.service leave guests as
// they are; one that was stopped meanwhile stays stopped.
func TestHostServiceTouchesNoGuest(t *testing.T) {
	sh(t, "sysct create web -t busybox && sysct create db -t busybox && sysct enable web db")
	sh(t, "systemctl start sysct")
	soon(t, "test $(journalctl -b -o cat -u sysct | grep -c 'autostart: .* is systemd.s to start') -ge 2")
	sh(t, "systemctl start sysct@web sysct@db") // it waits
	pid := sh(t, "sysct info web --json 2>/dev/null | grep '\"pid\"'")
	sh(t, "sysct stop db")
	sh(t, "systemctl restart sysct")
	sh(t, "systemctl kill -s KILL sysct")
	soon(t, `test "$(systemctl show -P NRestarts sysct)" = 1 && systemctl is-active sysct`)
	sh(t, "systemctl reload sysct")
	sh(t, "systemctl stop sysct")
	want(t, "sysct info web --json 2>/dev/null | grep '\"pid\"'", pid)
	want(t, "sysct ls -1 --running", "web")
	want(t, "grep -c 'boot 1:' /var/log/sysct/web.log /var/log/sysct/db.log", "/var/log/sysct/web.log:1\n/var/log/sysct/db.log:1")
}

// TestEnable: enable and disable are systemd's too, and what a guest's configuration says
// of its start is in drop-ins as long as it says so and the guest is there.
func TestEnable(t *testing.T) {
	sh(t, "sysct create web -t busybox && sysct create db -t busybox")
	if out, status := try(t, "ls -d /run/systemd/system/sysct*"); status == 0 {
		t.Errorf("there is nothing to say of them: %s", out)
	}
	sh(t, "sysct enable web")
	want(t, "systemctl is-enabled sysct@web", "enabled")
	want(t, "sysct get web autostart.enabled", "true")
	sh(t, "sysct set web autostart.after=db autostart.groups=front init.stop_timeout=3m")
	sh(t, "systemctl show -P After sysct@web | grep -F sysct@db.service")
	sh(t, "systemctl show -P PartOf sysct@web | grep -F sysct-group@front.target")
	want(t, "systemctl show -P TimeoutStopUSec sysct@web", "3min 10s")
	out, status := try(t, "sysct set db autostart.requires=web")
	if status != 4 || !strings.Contains(out, "autostart.requires: a circle: db after web after db") {
		t.Errorf("status %d: %s", status, out)
	}
	sh(t, "sysct rename web site")
	if out, _ := try(t, "systemctl is-enabled sysct@web"); out != "disabled" {
		t.Errorf("the old name is %s", out)
	}
	sh(t, "systemctl show -P After sysct@site | grep -F sysct@db.service")
	sh(t, "systemctl start sysct-group@front.target")
	soon(t, "sysct wait site ready -t 0")
	want(t, "sysct ls -1 --running", "site")
	// Its monitor executes itself anew some seconds after the start.
	soon(t, "tr '\\0' '\\n' </proc/$(systemctl show -P MainPID sysct@site)/environ | grep -q SYSCT_RENEWED")
	sh(t, "systemctl stop sysct-group@front.target")
	soon(t, "sysct wait site STOPPED -t 0")
	sh(t, "sysct disable site")
	sh(t, "sysct destroy site")
	if out, status := try(t, "ls -d /run/systemd/system/sysct*"); status == 0 {
		t.Errorf("drop-ins are left: %s", out)
	}
}
