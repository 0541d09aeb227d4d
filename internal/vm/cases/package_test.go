//go:build vm

package cases

import (
	"strings"
	"testing"
)

// install has dpkg install a version of the package over what is there, and gives what it says.
func install(t *testing.T, version string) string {
	t.Helper()
	out := sh(t, "DEBIAN_FRONTEND=noninteractive dpkg -i /programs/packages/sysct_"+version+"-1_*.deb")
	want(t, "dpkg-query -W -f '${Status} ${Version}' sysct", "install ok installed "+version+"-1")
	return out
}

// aptInstall has apt install a version of the package, or upgrade to it.
func aptInstall(t *testing.T, version string) {
	t.Helper()
	sh(t, "cd /programs/packages && DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends ./sysct_"+version+"-1_*.deb")
	want(t, "sysct version | cut -d' ' -f1,2", "sysct "+version)
}

// TestPackage: from the installation over upgrades, on which no guest stops, to the purge, which takes none with it.
func TestPackage(t *testing.T) {
	sh(t, "sysctl -qw fs.inotify.max_user_instances=128")
	install(t, "0.1")
	want(t, "sysctl -n fs.inotify.max_user_instances", "65536")
	want(t, "systemctl is-enabled sysct; systemctl is-active sysct", "enabled\nactive")
	want(t, "stat -c %a /run/sysct /var/lib/sysct /var/log/sysct | uniq", "700")

	sh(t, "sysct launch web -t busybox --wait && sysct enable web")
	life := "systemctl show -p MainPID,ActiveEnterTimestampMonotonic,NRestarts sysct@web; sysct info --json web 2>/dev/null | grep -E '\"(pid|boots|started_at)\"'"
	before := sh(t, life)
	for _, versions := range [][2]string{{"0.1", "0.2"}, {"0.2", "0.1"}} {
		said := install(t, versions[1])
		if want := "web: upgraded from " + versions[0] + " to " + versions[1]; !strings.Contains(said, want) {
			t.Errorf("the installation doesn't say %q: %s", want, said)
		}
		want(t, life, before)
		want(t, "sysct exec web -- echo well", "well")
		want(t, "systemctl is-active sysct", "active")
	}

	sh(t, "dpkg --remove sysct 2>&1") // it stops the guest's unit
	want(t, "pgrep -c sysct || true", "0")
	want(t, "ls -d /run/systemd/system/sysct* 2>/dev/null || echo none", "none")
	if out := sh(t, "cat /var/log/sysct/web.log"); !strings.Contains(out, "init ended: poweroff") {
		t.Error("the guest wasn't stopped cleanly")
	}
	want(t, "ls -d /sys/fs/cgroup/machine.slice/sysct-* 2>/dev/null || echo none", "none")
	sh(t, "dpkg --purge sysct")
	want(t, "ls -d /etc/sysct /var/log/sysct /run/sysct 2>/dev/null || echo none", "none")

	install(t, "0.2")
	want(t, "systemctl is-active sysct", "active")
	soon(t, "sysct wait web ready -t 600") // the host service starts it: it is enabled
	want(t, "sysct exec web -- hostname", "web")
}
