package packaging

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/testimages"
)

// machine is a Debian tree of its own, in which packages are installed: an overlay on the
// image of a guest, mounted only while a script runs in it.
type machine struct {
	t    *testing.T
	dirs map[string]string
}

// newMachine is a machine with some files in /mnt.
func newMachine(t *testing.T, files ...string) *machine {
	image := testimages.Debian(t, "bookworm")
	m := &machine{t, map[string]string{"LOWER": image.RootFS}}
	for _, name := range []string{"UPPER", "WORK", "TREE", "MNT"} {
		m.dirs[name] = t.TempDir()
	}
	for _, file := range files {
		run(t, "cp", file, m.dirs["MNT"])
	}
	return m
}

// enter is run in a mount namespace of its own: what it mounts goes with it.
const enter = `set -e
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$UPPER,workdir=$WORK" "$TREE"
mount -t tmpfs -o mode=755 tmpfs "$TREE/dev"
mount -t proc -o ro proc "$TREE/proc"
mknod -m 666 "$TREE/dev/null" c 1 3
mount --bind "$MNT" "$TREE/mnt"
exec chroot "$TREE" /bin/sh -ec "$1"`

// sh runs a script in the machine and gives what it prints, and whether it went well.
func (m *machine) sh(script string) (string, error) {
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "sh", "-c", enter, "sh", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C"}
	for name, dir := range m.dirs {
		cmd.Env = append(cmd.Env, name+"="+dir)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// must is sh where nothing may go wrong.
func (m *machine) must(script string) string {
	m.t.Helper()
	out, err := m.sh(script)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// expect is must with an output.
func (m *machine) expect(script, want string) {
	m.t.Helper()
	if got := strings.TrimSpace(m.must(script)); got != want {
		m.t.Errorf("%s: got %q, want %q", script, got, want)
	}
}

// listing is all that is in the machine, but for the package system's own files.
const listing = `find / -xdev \( -path /mnt -o -path /dev -o -path /tmp -o -path /var/lib/dpkg -o -path /var/log/dpkg.log -o -path /var/log/alternatives.log \
	-o -path /var/cache/ldconfig -o -path /var/cache/debconf -o -path /var/lib/systemd/deb-systemd-helper-enabled -o -path /var/lib/systemd/deb-systemd-helper-masked \) -prune -o -print | sort`

// checkLife takes a package through all that happens to one.
func checkLife(t *testing.T, old, deb string) {
	t.Run("install and purge", func(t *testing.T) { checkPurge(t, deb) })
	t.Run("upgrade", func(t *testing.T) { checkUpgrade(t, old, deb) })
	t.Run("guests stay", func(t *testing.T) { checkGuestsStay(t, deb) })
}

func checkPurge(t *testing.T, deb string) {
	m := newMachine(t, deb)
	before := m.must(listing)
	m.must("dpkg -i /mnt/sysct_" + newVersion + "_*.deb")
	m.expect("dpkg-query -W -f '${Status} ${Version}' sysct", "install ok installed "+newVersion)
	if got := m.must("sysct version; sysct start --help"); !strings.HasPrefix(got, "sysct ") || !strings.Contains(got, "Start guests.") {
		t.Errorf("the program says %q", got)
	}
	m.expect("cd /; stat -c '%a %U %n' var/lib/sysct var/log/sysct var/cache/sysct run/sysct",
		"700 root var/lib/sysct\n700 root var/log/sysct\n700 root var/cache/sysct\n700 root run/sysct")
	m.expect("dpkg --verify sysct", "")
	m.expect("systemctl is-enabled sysct.service; readlink /etc/systemd/system/multi-user.target.wants/sysct.service", "enabled\n/lib/systemd/system/sysct.service")
	m.must("dpkg --purge sysct")
	after := m.must(listing)
	if before != after {
		t.Errorf("a purge left or took %q", difference(before, after))
	}
}

// difference is the lines that only one of two texts has.
func difference(a, b string) []string {
	var lines []string
	in := func(text string) []string { return strings.Split(text, "\n") }
	for _, pair := range [][2][]string{{in(a), in(b)}, {in(b), in(a)}} {
		for _, line := range pair[0] {
			if !slices.Contains(pair[1], line) {
				lines = append(lines, line)
			}
		}
	}
	return lines
}

func checkUpgrade(t *testing.T, old, deb string) {
	m := newMachine(t, old, deb)
	m.must("dpkg -i /mnt/sysct_" + oldVersion + "_*.deb")
	m.must("systemctl disable sysct.service 2>&1")
	// A plain binary's units hide the package's: it says so.
	m.must("echo '# Written by sysct host init, which x' >'/etc/systemd/system/sysct@.service'")
	m.must("echo 'version = 1 # mine' >/etc/sysct/sysct.toml; mkdir -p /var/lib/sysct/web/rootfs; echo hello >/var/lib/sysct/web/rootfs/hello")
	if got := m.must("dpkg -i /mnt/sysct_" + newVersion + "_*.deb"); !strings.Contains(got, "sysct: /etc/systemd/system/sysct@.service was written by sysct host init and hides the package's") {
		t.Errorf("the upgrade says %q", got)
	}
	m.expect("dpkg-query -W -f '${Status} ${Version}' sysct", "install ok installed "+newVersion)
	m.expect("cat /etc/sysct/sysct.toml /var/lib/sysct/web/rootfs/hello", "version = 1 # mine\nhello")
	// What the administrator has disabled stays so.
	m.expect("systemctl is-enabled sysct.service || true", "disabled")
}

// checkGuestsStay: neither a removal nor a purge touches a guest, or what one lies on.
func checkGuestsStay(t *testing.T, deb string) {
	m := newMachine(t, deb)
	m.must("dpkg -i /mnt/sysct_" + newVersion + "_*.deb")
	m.must(`mkdir -p /var/lib/sysct/web/rootfs /var/lib/sysct/.host /var/cache/sysct/images/x /var/cache/sysct/lib
		echo hello >/var/lib/sysct/web/rootfs/hello; echo image >/var/cache/sysct/images/x/image.json
		echo log >/var/log/sysct/web.log; echo 'x' >/etc/sysct/templates/mine.toml`)
	m.must(`mkdir -p /run/sysct/.host; echo '{}' >/run/sysct/.host/autostart.json; cd /etc/systemd/system; mkdir -p multi-user.target.wants
		ln -s /lib/systemd/system/sysct@.service multi-user.target.wants/sysct@web.service; ln -s /dev/null multi-user.target.wants/sysct@own.service`)
	m.must("dpkg --remove sysct")
	m.expect("ls /run/sysct/.host/autostart.json /etc/systemd/system/multi-user.target.wants/sysct@web.service 2>/dev/null || true", "/etc/systemd/system/multi-user.target.wants/sysct@web.service")
	m.expect("cat /etc/sysct/templates/mine.toml /var/log/sysct/web.log; ls /etc/sysct; command -v sysct || echo none", "x\nlog\nsysct.toml\ntemplates\nnone")
	if got := m.must("dpkg --purge sysct"); !strings.Contains(got, "sysct: the guests in /var/lib/sysct stay, with their images in /var/cache/sysct\n") {
		t.Errorf("the purge says %q", got)
	}
	m.expect("ls /etc/systemd/system/multi-user.target.wants | grep sysct@", "sysct@own.service")
	m.expect("cat /var/lib/sysct/web/rootfs/hello /var/cache/sysct/images/x/image.json; ls -d /etc/sysct /var/log/sysct /var/cache/sysct/lib 2>/dev/null || true", "hello\nimage")
	// A guest of another instance lies on the images, too.
	m.must(`dpkg -i /mnt/*.deb; rm -r /var/lib/sysct/web; mkdir -p /var/lib/sysct/.host
		echo '{"version": 1, "entries": [{"base": 1, "guest": "/srv/web"}]}' >/var/lib/sysct/.host/ids.json`)
	m.must("dpkg --purge sysct")
	m.expect("cat /var/cache/sysct/images/x/image.json; ls /var/lib/sysct/.host", "image\nids.json")
	m.must(`dpkg -i /mnt/*.deb; echo '{"version": 1, "entries": []}' >/var/lib/sysct/.host/ids.json; dpkg --purge sysct`)
	m.expect("ls -d /var/lib/sysct /var/cache/sysct 2>/dev/null || true", "")
}
