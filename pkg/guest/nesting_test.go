package guest_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/pkg/guest"
)

// want has a shell in the guest say something.
func (in *instance) want(name, script, want string) {
	in.t.Helper()
	if out, status := in.run(name, "sh", "-c", script); strings.TrimSpace(out) != want {
		in.t.Errorf("in %s: %s\n%q, status %d; want %q", name, script, out, status, want)
	}
}

func TestDevices(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.configure("tiny", `
[[device]]
path = "/dev/fuse"
target = "/dev/sub/dir/fuse"
access = "r"
mode = "0640"
uid = 7
gid = 8
[[device]]
path = "/dev/no-such-device"
optional = true
[[device]]
type = "char"
major = 10
minor = 200
`)
	before := hostNodes(t)
	in.start("tiny")
	in.ready("tiny")
	in.want("tiny", "stat -c '%A %u:%g %t:%T' /dev/sub/dir/fuse", "crw-r----- 7:8 a:e5")
	in.want("tiny", "ls /dev/sub /dev/net /dev/no-such-device 2>/dev/null", "/dev/sub:\ndir")
	in.want("tiny", ": </dev/sub/dir/fuse && echo open", "open")
	// By the device program: root of the guest may write by the node's mode.
	in.want("tiny", "(: >/dev/sub/dir/fuse) 2>&1 | grep -o 'Operation not permitted'", "Operation not permitted")
	in.want("tiny", "mknod /tmp/mem c 1 1 2>/dev/null; mknod /dev/mem c 1 1 2>/dev/null; ls /tmp/mem /dev/mem 2>/dev/null", "")
	if after := hostNodes(t); after != before {
		t.Errorf("the host's nodes were\n%s\nand are\n%s", before, after)
	}
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	var root unix.Stat_t
	if err := unix.Stat("/", &root); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"the host's root disk": fmt.Sprintf("type = \"block\"\nmajor = %d\nminor = %d\n", unix.Major(root.Dev), unix.Minor(root.Dev)),
		"all block devices":    "type = \"block\"\n",
		"the kernel's log":     "type = \"char\"\nmajor = 1\nminor = 11\n",
		"another than said":    "path = \"/dev/fuse\"\nminor = 3\n",
		"no device":            "path = \"/dev/shm\"\n",
	} {
		in.configure("tiny", "[[device]]\n"+text)
		if err := in.Start(ctx, "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrConfig) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Its minor number is any: only its class and name tell it.
	in.configure("tiny", "[[device]]\npath = \"/dev/userfaultfd\"\n")
	if err := in.Start(ctx, "tiny", guest.StartOptions{}); !errors.Is(err, guest.ErrConfig) || !strings.Contains(err.Error(), "would give it the host") {
		t.Errorf("/dev/userfaultfd: %v", err)
	}
}

// hostNodes are the owners and modes of the host's nodes that guests have too.
func hostNodes(t *testing.T) (text string) {
	t.Helper()
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty", "fuse"} {
		var st unix.Stat_t
		if err := unix.Stat("/dev/"+name, &st); err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf("%s %o %d:%d %x\n", name, st.Mode, st.Uid, st.Gid, st.Rdev)
	}
	return text
}

func TestNestingIsTurnedOnLater(t *testing.T) {
	ctx := context.Background()
	in := newInstance(t)
	in.create("tiny", "busybox", "overlay")
	in.create("beside", "busybox", "overlay")
	in.start("tiny")
	in.ready("tiny")
	in.want("tiny", "echo own >/root/file; ls /dev/fuse /dev/net 2>/dev/null", "")
	in.want("tiny", "(echo 1 >/proc/sysrq-trigger) 2>/dev/null || echo no", "no")
	if err := in.Stop(ctx, "tiny", guest.StopOptions{Kill: true}); err != nil {
		t.Fatal(err)
	}
	in.configure("tiny", "nesting = true\n")
	in.start("tiny")
	in.ready("tiny")
	info, beside := in.info("tiny"), in.info("beside")
	if *info.IDSize != 1<<20 || *info.IDBase < *beside.IDBase+*beside.IDSize && *beside.IDBase < *info.IDBase+*info.IDSize {
		t.Errorf("ids %d+%d beside %d+%d", *info.IDBase, *info.IDSize, *beside.IDBase, *beside.IDSize)
	}
	in.want("tiny", "awk '{print $1, $3}' /proc/self/uid_map; stat -c '%u:%g' /root/file /", "0 1048576\n0:0\n0:0")
	in.want("tiny", "stat -c '%A %t:%T' /dev/fuse /dev/net/tun; : </dev/fuse && echo open", "crw-rw-rw- a:e5\ncrw-rw-rw- a:c8\nopen")
	// A file system that an overlay may lie upon, with the guest's own ids.
	in.want("tiny", "for d in containers docker sysct; do cd /var/lib/$d && touch f && chown 1048575:70000 f && stat -c %u:%g f; done",
		strings.TrimSpace(strings.Repeat("1048575:70000\n", 3)))
	in.want("tiny", `cd /var/lib/containers && mkdir l u w m && echo low >l/a && echo low >l/b && unshare -m sh -c '
		mount -t overlay -o lowerdir=l,upperdir=u,workdir=w,userxattr overlay m && rm m/a && cat m/b; ls m'; rm -rf l u w m`, "low\nb")
	in.want("tiny", "dd if=/dev/zero of=/var/lib/docker/image bs=1M count=3 2>/dev/null; sync /var/lib/docker/image; echo", "")
	if use, err := in.DiskUse(ctx, "tiny"); err != nil || use[0].Used == nil || *use[0].Used < 3<<20 {
		t.Errorf("3 MiB of a container's image aren't counted: %+v, %v", use, err)
	}
	// What holds the guest still does, looked at through a fresh proc in a nested user namespace too.
	in.want("tiny", `unshare -Urmpf sh -c 'mount -t proc proc /proc && (echo 1 >/proc/sysrq-trigger) 2>/dev/null || echo no;
		head -c1 /proc/kcore 2>/dev/null; (echo 1 >/proc/sys/kernel/sysrq) 2>/dev/null || echo no; mount -t tmpfs t /mnt && mknod /mnt/mem c 1 1 2>/dev/null || echo no'`, "no\nno\nno")
	// A clone has what the containers have, and a range of its own.
	in.clone("tiny", "copy", guest.CloneOptions{})
	if text, err := os.ReadDir(filepath.Join(in.dirs.State, "copy/nested/nested-containers")); err != nil || len(text) != 1 || text[0].Name() != "f" {
		t.Errorf("the clone's directory: %v %v", text, err)
	}
	if copied := in.info("copy"); *copied.IDSize != 1<<20 || *copied.IDBase == *info.IDBase {
		t.Errorf("the clone's ids: %d+%d", *copied.IDBase, *copied.IDSize)
	}
}

// push puts a program into the guest.
func (in *instance) push(name, file, to string) {
	in.t.Helper()
	f, err := os.Open(file)
	if err != nil {
		in.t.Fatal(err)
	}
	defer f.Close()
	script := `mkdir -p "$(dirname "$1")" && cat >"$1" && chmod 755 "$1"`
	if out, status, err := in.exec(name, guest.ExecOptions{Args: []string{"sh", "-c", script, "-", to}, Stdin: f}); err != nil || status != 0 {
		in.t.Fatalf("push %s: %s %d %v", file, out, status, err)
	}
}

func TestAGuestInAGuest(t *testing.T) {
	program := filepath.Join(t.TempDir(), "sysct")
	if err := testprograms.Build(program, "sysct", "failpoints"); err != nil {
		t.Fatal(err)
	}
	for _, nesting := range []bool{true, false} {
		in := newInstance(t)
		in.create("outer", "busybox", "overlay")
		in.configure("outer", fmt.Sprintf("nesting = %v\n", nesting))
		in.start("outer")
		in.ready("outer")
		in.push("outer", program, "/usr/bin/sysct")
		in.push("outer", helper, "/usr/bin/sysct-helper")
		if !nesting {
			out, status := in.run("outer", "sysct", "create", "inner", "-t", "busybox")
			if status == 0 || !strings.Contains(out, "nesting = true") {
				t.Errorf("without nesting: %q, status %d", out, status)
			}
			continue
		}
		in.innerLife()
	}
}

// innerLife goes through the life of a guest in the guest outer.
func (in *instance) innerLife() {
	t := in.t
	for _, args := range []string{"create inner -t busybox", "start inner", "wait inner ready"} {
		if out, status := in.run("outer", append([]string{"sysct"}, strings.Fields(args)...)...); status != 0 {
			t.Fatalf("%s: %q, status %d", args, out, status)
		}
	}
	in.want("outer", "sysct exec inner -- sh -c 'id -u; stat -c %u:%g / /etc/passwd; awk \"{print \\$1, \\$3}\" /proc/self/uid_map; echo x >/dev/null; head -c2 /dev/zero | wc -c; stat -c %t:%T /dev/null'",
		"0\n0:0\n0:0\n0 65536\n2\n1:3")
	// What this system can't have is no problem, and nothing of it is to be mended like a host's.
	in.want("outer", "sysct doctor -q >/tmp/found; echo $?; grep -o 'warning  idmapped.*a guest\\|why .*shift' /tmp/found; grep 'problem \\|cgroup_enable\\|on ext4\\|of the host itself' /tmp/found",
		"0\nwarning  idmapped mounts: sysct runs in a guest\nwhy   new guests get the backend shift")
	in.want("outer", "sysct ls", "NAME   STATE\ninner  RUNNING")
	in.want("outer", "sysct exec inner -- sh -c 'unshare -Urmpf sh -c \"mount -t proc proc /proc && echo nested\"'", "nested")
	in.want("outer", "sysct set inner privileged=true 2>&1; grep -c ^privileged /var/lib/sysct/inner/config.toml",
		"sysct: set inner: privileged: sysct is in a user namespace here, whose root isn't the host's: it can't have privileged guests\n0")
	// There are no ids for another level: that is found out before anything is stopped.
	deep := "sysct: %s inner: nesting: cannot allocate 1048576 ids for /var/lib/sysct/inner: no free id range, 1 in use\n" +
		"hint: nesting isn't possible two levels deep: this system is a guest with 1048576 ids itself, do without nesting = true here\nstatus 4"
	in.want("outer", "sysct set inner nesting=true 2>&1; echo status $?", fmt.Sprintf(deep, "set"))
	in.want("outer", "sed -i '1i nesting = true' /var/lib/sysct/inner/config.toml; sysct exec inner -- touch /run/old; sysct restart inner 2>&1; echo status $?", fmt.Sprintf(deep, "restart"))
	in.want("outer", "sysct apply --plan inner 2>&1 | grep -o 'nesting.*refused: .*deep'; sysct exec inner -- ls /run/old; sysct unset inner nesting >/dev/null; sysct apply --plan inner",
		"nesting  false  true  refused: cannot allocate 1048576 ids for /var/lib/sysct/inner: no free id range, 1 in use; nesting isn't possible two levels deep\n/run/old\nnothing to apply: inner runs with its configuration")
	in.want("outer", "sysct create deep -t busybox -c nesting=true 2>&1 | grep -c 'deep: nesting: cannot.*1 in use\\|two levels'; ls /var/lib/sysct", "2\ninner")
	in.want("outer", "sysct clone inner two 2>/dev/null && sysct restart inner 2>/dev/null && sysct start two 2>/dev/null && sysct exec two -- stat -c %u:%g / /bin/busybox", "0:0\n0:0")
	in.want("outer", "sysct exec inner -- poweroff; sysct wait inner STOPPED && sysct destroy inner && sysct destroy -f two && ls /var/lib/sysct", "")
}

func TestPodmanAndNspawn(t *testing.T) {
	args := testimages.DebianArgs("trixie", "--include", "podman,crun,systemd-container,busybox-static")
	testimages.Prepare(t, args)
	in := newInstance(t)
	in.create("web", "debian", "overlay", args...)
	in.configure("web", "nesting = true\n")
	in.start("web")
	in.ready("web")
	in.want("web", `mkdir -p /root/tree/bin /root/tree/usr/lib /root/tree/etc && cd /root/tree && cp /bin/busybox bin && ln -s busybox bin/sh &&
		touch etc/os-release && tar -c . | podman import - tiny >/dev/null 2>&1 && podman images --format '{{.Repository}}' && podman info --format '{{.Store.GraphDriverName}}'`,
		"localhost/tiny\noverlay")
	// Where the host has no pids controller in v2, podman can't set its default limit.
	in.want("web", "podman run --rm --pids-limit 0 --network none tiny /bin/busybox sh -c 'busybox hostname >/h; busybox echo $((6*7))'", "42")
	in.want("web", "systemd-nspawn -q -M box -D /root/tree --bind=/dev/.sysct /bin/busybox sh -c 'busybox echo $$; busybox mount -t proc proc /proc && busybox ls -d /proc/1' 2>/dev/null | tr -d '\\r'", "1\n/proc/1")
	in.want("web", "systemctl is-system-running", "running")
}
