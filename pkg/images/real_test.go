package images_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/images"
)

// Real images: busybox is built each time, Debian once for all tests.

func TestBusyboxImage(t *testing.T) {
	template, err := images.Find(nil, "busybox")
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := template.Recipe(nil)
	if err != nil {
		t.Fatal(err)
	}
	store := &images.Store{Dir: filepath.Join(t.TempDir(), "images")}
	image, err := store.Ensure(t.Context(), recipe, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	checkTree(t, image)
	cmd := exec.Command("/bin/sh", "-ec", `
		for s in /etc/init.d/*; do sh -n $s; done
		. /etc/profile; id -un; readlink /sbin/init; which getty login poweroff; mktemp -u`)
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: image.RootFS, Cloneflags: unix.CLONE_NEWNS}
	cmd.Env, cmd.Dir = []string{}, "/"
	out, err := cmd.CombinedOutput()
	want := "root\n/bin/busybox\n/sbin/getty\n/bin/login\n/sbin/poweroff\n/tmp/tmp."
	if err != nil || !strings.HasPrefix(string(out), want) {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestDebianImages(t *testing.T) {
	for _, release := range []string{"bookworm", "trixie"} {
		t.Run(release, func(t *testing.T) {
			image := testimages.Debian(t, release)
			checkTree(t, image)
			if image.Release != release || image.OS["VERSION_CODENAME"] != release || image.Size < 100e6 || image.Size > 250e6 {
				t.Errorf("image %+v", image)
			}
			for _, gone := range []string{
				"/etc/hostname", "/etc/apt/sources.list", "/etc/apt/apt.conf.d/99mmdebstrap", "/etc/dpkg/dpkg.cfg.d/99mmdebstrap",
				"/usr/sbin/policy-rc.d", "/var/lib/dbus/machine-id", "/etc/systemd/system/network-online.target.wants", "/usr/sbin/ifup",
				"/usr/bin/perl5.36-x86_64-linux-gnu",
			} {
				if _, err := os.Lstat(image.RootFS + gone); err == nil {
					t.Errorf("%s is there", gone)
				}
			}
			if stat := lstat(t, image, "/usr/bin/su"); stat.Mode&0o7777 != 0o4755 || stat.Uid != 0 {
				t.Errorf("su has mode %o, owner %d", stat.Mode, stat.Uid)
			}
			value := make([]byte, 64)
			// Debian 13 has no file with a capability any more.
			if n, err := unix.Lgetxattr(image.RootFS+"/usr/bin/ping", "security.capability", value); release == "bookworm" && (err != nil || n != 20) {
				t.Errorf("ping has a capability of %d bytes, %v", n, err)
			}
			if n, err := unix.Lgetxattr(image.RootFS+"/var/log/journal", "system.posix_acl_default", value); err != nil || n == 0 {
				t.Errorf("the journal has an ACL of %d bytes, %v", n, err)
			}
			noFiles(t, image, "/var/cache/apt/archives/*.deb", "/var/lib/apt/lists/*_*", "/var/log/journal/*", "/etc/ssh/ssh_host_*", "/run/*", "/tmp/*")
			if text := read(t, image, "/etc/apt/sources.list.d/debian.sources"); !strings.Contains(text, "URIs: http") || !strings.Contains(text, "Suites: "+release+" ") {
				t.Errorf("sources: %s", text)
			}
			if text := read(t, image, "/var/lib/dpkg/status"); strings.Contains(text, "half-") || strings.Contains(text, "unpacked\n") {
				t.Error("a package is not installed whole")
			}
		})
	}
}

// checkTree checks what each image has to be.
func checkTree(t *testing.T, image *images.Image) {
	t.Helper()
	for _, name := range []string{"/etc/machine-id", "/etc/resolv.conf"} {
		if stat := lstat(t, image, name); stat.Mode != unix.S_IFREG|0o644 || stat.Size != 0 {
			t.Errorf("%s has mode %o and %d bytes", name, stat.Mode, stat.Size)
		}
	}
	if text := read(t, image, "/etc/shadow"); !strings.Contains("\n"+text, "\nroot:*:") {
		t.Error("root is not locked")
	}
	if stat := lstat(t, image, "/"); stat.Mode != unix.S_IFDIR|0o755 || stat.Uid != 0 || stat.Gid != 0 {
		t.Errorf("/ has mode %o, owner %d:%d", stat.Mode, stat.Uid, stat.Gid)
	}
	noFiles(t, image, "/dev/*", "/proc/*", "/sys/*")
	err := fs.WalkDir(os.DirFS(image.RootFS), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		stat := info.Sys().(*syscall.Stat_t)
		if stat.Uid > 65535 || stat.Gid > 65535 || info.Mode()&(fs.ModeDevice|fs.ModeSocket|fs.ModeNamedPipe) != 0 {
			t.Errorf("%s: %s, owner %d:%d", path, info.Mode(), stat.Uid, stat.Gid)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func noFiles(t *testing.T, image *images.Image, patterns ...string) {
	t.Helper()
	for _, pattern := range patterns {
		if names, err := filepath.Glob(image.RootFS + pattern); err != nil || len(names) > 0 {
			t.Errorf("left: %q, %v", names, err)
		}
	}
}

func lstat(t *testing.T, image *images.Image, name string) unix.Stat_t {
	t.Helper()
	var stat unix.Stat_t
	if err := unix.Lstat(image.RootFS+name, &stat); err != nil {
		t.Errorf("%s: %v", name, err)
	}
	return stat
}

func read(t *testing.T, image *images.Image, name string) string {
	t.Helper()
	text, err := os.ReadFile(image.RootFS + name)
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

// debootstrap stands in where mmdebstrap isn't installed.
func TestDebootstrapImage(t *testing.T) {
	tools, err := os.MkdirTemp("/var/tmp", "sysct-images-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(tools)
	if err := errors.Join(os.Chmod(tools, 0o755), os.Symlink("/usr/sbin/debootstrap", filepath.Join(tools, "debootstrap"))); err != nil {
		t.Fatal(err)
	}
	template, err := images.Find(nil, "debian")
	if err != nil {
		t.Fatal(err)
	}
	recipe, err := template.Recipe([]string{"-r", "trixie", "--include", "less"})
	if err != nil {
		t.Fatal(err)
	}
	store := &images.Store{Dir: filepath.Join(testimages.Cache(), "debootstrap"), Path: tools}
	image, err := store.Ensure(t.Context(), recipe, t.Output(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer image.Close()
	checkTree(t, image)
	noFiles(t, image, "/debootstrap", "/var/log/bootstrap.log", "/var/cache/apt/archives/*.deb", "/var/lib/apt/lists/*_*", "/etc/apt/sources.list")
	lstat(t, image, "/usr/bin/less")
	lstat(t, image, "/usr/lib/systemd/systemd")
}
