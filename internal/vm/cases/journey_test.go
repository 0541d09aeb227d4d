//go:build vm

package cases

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// TestJourney takes a Debian guest from the package's installation through all that a host goes through: a reboot, 50 deaths of its
// monitor under load, two upgrades, and restarts of sysct's, D-Bus's and systemd's own processes.
func TestJourney(t *testing.T) {
	switch boot(t) {
	case 0:
		journeyBegins(t)
		reboot(t)
	case 1:
		startedByHost(t)
		begin(t)
		before := life(t)
		deaths(t)
		same(t, "50 deaths of the monitor", before)
		upgrades(t)
		same(t, "two upgrades", before)
		restarts(t)
		same(t, "restarts of services", before)
		verbsWork(t)
	}
}

// journeyBegins installs the package on a host that has nothing of sysct, and makes guests.
func journeyBegins(t *testing.T) {
	sh(t, "(cd /programs/root && find . -type f) | sed 's,^.,,' | xargs rm && rm -r /usr/lib/sysct /etc/sysct && systemctl daemon-reload")
	want(t, "systemctl list-unit-files --no-legend 'sysct*'; command -v sysct || true", "")
	aptInstall(t, "0.1")
	want(t, "systemctl is-active sysct; systemctl is-enabled sysct", "active\nenabled")
	sh(t, "systemctl status --no-pager sysct")
	sh(t, "sysct create web -t debian -- -r trixie --allow-expired && sysct set web limits.memory=512M limits.pids=300")
	sh(t, "sysct create db -t busybox && sysct create tiny -t busybox")
	sh(t, `sysct set db autostart.order=10 && sysct set web autostart.order=20 && sysct enable web db`)
	want(t, "sysct ls --running -1", "")
}

// startedByHost: the enabled guests, and no others, are started with the host, once each, and in their order.
func startedByHost(t *testing.T) {
	want(t, "systemctl is-system-running --wait", "running")
	want(t, "sysct ls -o name,state | tail -n +2 | tr -s ' '", "db RUNNING\ntiny STOPPED\nweb RUNNING")
	for _, name := range []string{"db", "web"} {
		sh(t, "sysct wait "+name+" ready -t 60")
		want(t, "journalctl -b --no-pager -o cat -u sysct@"+name+" | grep '^boot '| sed 's/:.*//'", "boot 1")
		want(t, "journalctl -b --no-pager -o cat -u sysct@"+name+" | grep -c '^Starting '", "1")
	}
	ready := number(t, "systemctl show -P ActiveEnterTimestampMonotonic sysct@db")
	began := number(t, "systemctl show -P InactiveExitTimestampMonotonic sysct@web")
	if ready == 0 || ready > began {
		t.Errorf("db was ready at %d µs, web began at %d µs", ready, began)
	}
}

func number(t *testing.T, command string) int {
	t.Helper()
	n, err := strconv.Atoi(sh(t, command))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// begin starts what bears witness in the guest: a service that counts.
func begin(t *testing.T) {
	sh(t, `sysct exec web -- systemd-run -q --unit=witness sh -c 'n=0; while sleep 1; do n=$((n+1)); echo $n >/run/count; done'`)
	soon(t, "sysct exec web -- test -s /run/count")
}

// life is what stays the same as long as nobody touches a guest: its init and the witness in it are the same processes.
func life(t *testing.T) string {
	t.Helper()
	return initStart(t, "web") + " " + sh(t, `sysct info --json web | grep -E '"(pid|boots|started_at)"' && sysct exec web -- systemctl show -p MainPID,NRestarts,ActiveEnterTimestampMonotonic witness`)
}

// same fails the test if the guest isn't what it was, or if it has come to rest, or lost its limits.
func same(t *testing.T, after, before string) {
	t.Helper()
	if now := life(t); now != before {
		t.Fatalf("after %s the guest is\n%s\nit was\n%s", after, now, before)
	}
	count := sh(t, "sysct exec web -- cat /run/count")
	soon(t, "test $(sysct exec web -- cat /run/count) -gt "+count)
	want(t, "cd /sys/fs/cgroup/machine.slice/sysct-web.scope/guest && cat memory.max pids.max", "536870912\n300")
	want(t, "systemctl is-active sysct sysct@web sysct@db sysct-web.scope sysct-db.scope | uniq", "active")
	want(t, "journalctl -b --no-pager -o cat -u sysct@web | grep -c '^boot '", "1")
}

// killing kills the guest's monitor 50 times, and takes each time what a command in the guest says for a sign of the next monitor. Meanwhile
// the guest floods its console, and two loops run commands in it.
const killing = `
sysct exec web -- systemd-run -q --unit=flood sh -c 'n=0; trap "echo \$n >/run/flood; exit 0" TERM; while :; do n=$((n+1)); echo "flood $n." >/dev/console; [ $((n%40)) != 0 ] || sleep 0.1; done'
for loop in 1 2; do
    while ! test -e /run/killed; do
        out=$(sysct exec web -- echo well 2>&1) && test "$out" = well && echo well || echo "exec: $out"
    done >/var/tmp/execs.$loop &
done
for i in $(seq 50); do
    pid=$(systemctl show -P MainPID sysct@web)
    kill -9 "$pid" || exit 1
    out=$(sysct exec web -- echo $i 2>&1)
    test "$out" = $i || { echo "after death $i, of $pid: $out"; bad=1; }
done
touch /run/killed
wait
sysct exec web -- systemctl stop flood
exit $bad`

func deaths(t *testing.T) {
	adoptions := "journalctl -b --no-pager -o cat -u sysct@web | grep -c 'takes the guest over' || true"
	if err := os.WriteFile("/var/tmp/killing", []byte(killing), 0o600); err != nil {
		t.Fatal(err)
	}
	sh(t, "bash /var/tmp/killing")
	soon(t, "test $("+adoptions+") = 50")
	if out := sh(t, "sort /var/tmp/execs.* | uniq -c"); strings.Contains(out, "exec:") || !strings.Contains(out, "well") {
		t.Errorf("commands that ran in the guest meanwhile: %s", out)
	}
	last := sh(t, "sysct exec web -- cat /run/flood")
	soon(t, "grep -aq 'flood "+last+"\\.' /var/log/sysct/web.console.log*")
	want(t, `for f in $(ls -r /var/log/sysct/web.console.log*); do grep -ao 'flood [0-9]*\.' $f; done | awk '{ if ($2+0 != n+1) print "after", n, "comes", $2; n = $2+0 } END { print n }'`, last)
}

// upgrades installs two newer versions: the monitors are the same processes with other programs.
func upgrades(t *testing.T) {
	pids := "systemctl show -P MainPID sysct@web sysct@db"
	before := sh(t, pids)
	for _, version := range []string{"0.2", "0.3"} {
		aptInstall(t, version)
		want(t, pids, before)
		want(t, "sysct upgrade", "db: runs "+version+" already\nweb: runs "+version+" already")
		want(t, "sysct exec web -- echo well && sysct exec db -- echo well", "well\nwell")
	}
}

// restarts restarts all that the guests' lives might hang on, and doesn't.
func restarts(t *testing.T) {
	sh(t, "systemctl restart sysct && systemctl restart dbus && sysct exec web -- true")
	sh(t, "for i in $(seq 50); do systemctl daemon-reload; done; systemctl daemon-reexec; systemctl restart sysct")
	want(t, "sysct ls -o name,state | tail -n +2 | tr -s ' '", "db RUNNING\ntiny STOPPED\nweb RUNNING")
}

// verbsWork: after all that, the verbs do what they do.
func verbsWork(t *testing.T) {
	sh(t, "sysct freeze web && sysct ls -o name,state | grep -q 'web *FROZEN' && sysct thaw web && sysct exec web -- true")
	sh(t, "sysct stop db && sysct start db && sysct exec db -- true")
	want(t, "sysct exec web -- systemctl --failed --no-legend --plain", "")
	want(t, "sysct exec web -- systemctl is-system-running", "running")
	want(t, "sysct gc -n", "")
}
