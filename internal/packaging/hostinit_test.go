package packaging

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestHostInit copies the binary to a machine and has it set that up, first as a host that
// systemd doesn't run.
func TestHostInit(t *testing.T) {
	makeTarget(t, "build")
	m := newMachine(t, filepath.Join(root, "bin/sysct"))
	m.must("install -D /mnt/sysct /opt/sysct/sysct")
	first := m.must("/opt/sysct/sysct host init")
	if strings.Contains(first, "systemd") || !strings.Contains(first, "wrote     /etc/sysct/sysct.toml\n") || !strings.Contains(first, "/opt/sysct/sysct host run") {
		t.Errorf("without systemd it says\n%s", first)
	}
	m.expect("cd /; stat -c '%a %n' var/lib/sysct var/log/sysct var/cache/sysct", "700 var/lib/sysct\n700 var/log/sysct\n700 var/cache/sysct")

	// What systemctl tells a systemd that runs it keeps to itself in this one.
	systemd := "mkdir -p /run/systemd/system; export SYSTEMD_OFFLINE=1\n"
	dry := m.must(systemd + "/opt/sysct/sysct host init --dry-run; ls /etc/systemd/system/sysct* 2>/dev/null || echo none")
	if !strings.Contains(dry, "would write  /etc/systemd/system/sysct@.service\n") || !strings.Contains(dry, "  | ExecStart=/opt/sysct/sysct __monitor %i\n") || !strings.HasSuffix(dry, "none\n") {
		t.Errorf("a dry run says\n%s", dry)
	}
	second := m.must(systemd + "/opt/sysct/sysct host init")
	for _, want := range []string{"wrote     /etc/systemd/system/sysct@.service\n", "wrote     /etc/tmpfiles.d/sysct.conf\n", "reloaded  systemd's units\n", "next:\n", "  systemctl enable --now sysct\n"} {
		if !strings.Contains(second, want) {
			t.Errorf("with systemd it doesn't say %q:\n%s", want, second)
		}
	}
	if third := m.must(systemd + "/opt/sysct/sysct host init"); !strings.HasPrefix(third, "nothing changed\n") {
		t.Errorf("the next time it says\n%s", third)
	}
	// systemd reads what was written, and finds the program.
	m.expect("systemd-analyze verify --man=no /etc/systemd/system/sysct.service /etc/systemd/system/sysct@web.service 2>&1", "")
	m.must(systemd + "systemctl enable sysct 2>&1")
	m.expect(systemd+"systemctl is-enabled sysct.service", "enabled")
	m.expect("systemd-tmpfiles --dry-run --create sysct.conf >/dev/null 2>&1 || systemd-tmpfiles --create sysct.conf", "")
	// The administrator's change outlives a newer binary.
	m.must("echo '# mine' >>/etc/systemd/system/sysct@.service")
	if got := m.must(systemd + "/opt/sysct/sysct host init"); !strings.HasPrefix(got, "kept      /etc/systemd/system/sysct@.service: ") {
		t.Errorf("of a changed unit it says\n%s", got)
	}
	m.expect("tail -n 1 /etc/systemd/system/sysct@.service", "# mine")
	out, err := m.sh("chmod 777 /opt; /opt/sysct/sysct host init")
	if err == nil || !strings.Contains(out, "sysct: host init: cannot set up /opt/sysct/sysct, which the host would run as root: others than root may write to /opt\n") {
		t.Errorf("in a directory that is anybody's: %v\n%s", err, out)
	}
}
