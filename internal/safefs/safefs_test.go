package safefs

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const canaryText = "the host's canary"

// tree makes a guest's tree beside a directory of the host with a canary in it.
func tree(t *testing.T) (root *Root, guest, host string) {
	t.Helper()
	top := t.TempDir()
	guest, host = filepath.Join(top, "guest"), filepath.Join(top, "host")
	check(t, os.MkdirAll(filepath.Join(guest, "etc"), 0o755))
	check(t, os.Mkdir(host, 0o755))
	check(t, os.WriteFile(filepath.Join(host, "canary"), []byte(canaryText), 0o600))
	check(t, os.WriteFile(filepath.Join(guest, "etc/hostname"), []byte("web\n"), 0o644))
	root, err := OpenRoot(guest)
	check(t, err)
	t.Cleanup(func() { root.Close() })
	return root, guest, host
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// checkHost fails if the host's directory is not as tree made it.
func checkHost(t *testing.T, host string) {
	t.Helper()
	entries, err := os.ReadDir(host)
	check(t, err)
	if len(entries) != 1 {
		t.Errorf("the host's directory holds %v", entries)
	}
	if got, err := os.ReadFile(filepath.Join(host, "canary")); err != nil || string(got) != canaryText {
		t.Errorf("the canary is %q, %v", got, err)
	}
}

func TestLinksStayInside(t *testing.T) {
	root, guest, host := tree(t)
	check(t, os.WriteFile(filepath.Join(guest, "canary"), []byte("inside"), 0o644))
	up := strings.Repeat("../", 40)
	for name, target := range map[string]string{
		"absolute": "/canary", "up": up + "canary", "both": "/" + up + "canary", "etc/relative": "../../../canary",
		"to-host": filepath.Join(host, "canary"),
	} {
		check(t, os.Symlink(target, filepath.Join(guest, name)))
		got, err := root.ReadFile(name, 100)
		if name == "to-host" {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		} else if err != nil || string(got) != "inside" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if file, err := root.OpenStrict(name, unix.O_RDONLY, 0); !errors.Is(err, unix.ELOOP) {
			t.Errorf("strict %s: %v, %v", name, file, err)
		}
	}
	for _, name := range []string{"/canary", "//canary", up + "canary", "etc/" + up + "canary"} {
		if got, err := root.ReadFile(name, 100); err != nil || string(got) != "inside" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if _, err := root.OpenStrict("../host/canary", unix.O_RDONLY, 0); !errors.Is(err, unix.EXDEV) {
		t.Errorf("strict ..: %v", err)
	}
	checkHost(t, host)
}

// CVE-2024-5154 and its like: a whole directory of the rootfs is a link.
func TestDirectoryIsALinkToTheHost(t *testing.T) {
	for _, target := range []string{"", "../host", "../../../../../../.."} {
		root, guest, host := tree(t)
		if target == "" {
			target = host
		}
		check(t, os.Rename(filepath.Join(guest, "etc"), filepath.Join(guest, "etc.old")))
		check(t, os.Symlink(target, filepath.Join(guest, "etc")))
		if err := root.WriteFile("etc/canary", []byte("x"), 0o600); err == nil && target != "../../../../../../.." {
			t.Errorf("%s: written", target)
		}
		_ = root.MkdirAll("etc/a/b", 0o755)
		_ = root.Symlink("x", "etc/link")
		_ = root.Remove("etc/canary")
		checkHost(t, host)
		if _, err := os.Lstat("/a"); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("/a: %v", err)
		}
	}
}

func TestLoopsAndMagicLinksAreRefused(t *testing.T) {
	root, guest, _ := tree(t)
	check(t, os.Symlink("loop", filepath.Join(guest, "loop")))
	if _, err := root.ReadFile("loop", 10); !errors.Is(err, unix.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	if err := root.MkdirAll("loop/x", 0o755); !errors.Is(err, unix.ELOOP) {
		t.Errorf("mkdir in loop: %v", err)
	}
	proc, err := OpenRoot("/proc")
	check(t, err)
	defer proc.Close()
	// /proc/self is a plain link, what is in it are jumps.
	for _, name := range []string{"self/root/etc/passwd", "self/cwd", "self/exe", "self/fd/0"} {
		if file, err := proc.Open(name, unix.O_RDONLY|unix.O_NONBLOCK, 0); !errors.Is(err, unix.ELOOP) {
			t.Errorf("%s: %v, %v", name, file, err)
		}
		if _, err := proc.ReadFile(name, 10); !errors.Is(err, unix.ELOOP) {
			t.Errorf("read %s: %v", name, err)
		}
	}
	if err := proc.WriteFile("self/cwd/x", nil, 0o600); !errors.Is(err, unix.ELOOP) {
		t.Errorf("write: %v", err)
	}
}

func TestReadFileTakesRegularFilesOnly(t *testing.T) {
	root, guest, _ := tree(t)
	check(t, unix.Mkfifo(filepath.Join(guest, "fifo"), 0o600))
	check(t, unix.Mknod(filepath.Join(guest, "zero"), unix.S_IFCHR|0o600, int(unix.Mkdev(1, 5))))
	check(t, unix.Mknod(filepath.Join(guest, "socket"), unix.S_IFSOCK|0o600, 0))
	check(t, os.Symlink("fifo", filepath.Join(guest, "to-fifo")))
	for _, name := range []string{"fifo", "zero", "socket", "to-fifo", "etc", ".", "/"} {
		if _, err := root.ReadFile(name, 10); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
	check(t, os.WriteFile(filepath.Join(guest, "big"), make([]byte, 11), 0o600))
	if _, err := root.ReadFile("big", 10); err == nil || !strings.Contains(err.Error(), "larger than 10 bytes") {
		t.Errorf("big: %v", err)
	}
	check(t, os.Truncate(filepath.Join(guest, "big"), 1<<40))
	if _, err := root.ReadFile("big", 10); err == nil || !strings.Contains(err.Error(), "larger than 10 bytes") {
		t.Errorf("sparse: %v", err)
	}
	if _, err := root.ReadFile("", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("empty name: %v", err)
	}
}

func TestOpenRoot(t *testing.T) {
	_, guest, _ := tree(t)
	link := guest + ".link"
	check(t, os.Symlink(guest, link))
	for _, path := range []string{link, link + "/", link + "//", link + "/.", guest + "/etc/hostname", ""} {
		if path == "" {
			path = guest + ".none"
		}
		if root, err := OpenRoot(path); err == nil {
			root.Close()
			t.Errorf("%s: opened", path)
		}
	}
	root, err := OpenRoot(guest + "/")
	check(t, err)
	check(t, root.Close())
	check(t, root.Close())
	if _, err := root.Lstat("etc"); !errors.Is(err, unix.EBADF) {
		t.Errorf("closed root: %v", err)
	}
}

func TestOpenIsCloseOnExecAndCreates(t *testing.T) {
	root, guest, _ := tree(t)
	for name, open := range map[string]func(string, int, uint32) (*os.File, error){
		"a": root.Open, "b": root.OpenStrict,
	} {
		file, err := open("etc/"+name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL, 0o600)
		check(t, err)
		defer file.Close()
		flags, err := unix.FcntlInt(file.Fd(), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC == 0 {
			t.Errorf("%s: flags %x, %v", name, flags, err)
		}
		if info, err := os.Stat(filepath.Join(guest, "etc", name)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	file, err := root.Open("etc", unix.O_PATH|unix.O_DIRECTORY, 0o777)
	check(t, err)
	defer file.Close()
	file, err = root.Open("/etc/hostname", unix.O_RDONLY, 0o777)
	check(t, err)
	defer file.Close()
	if got, err := io.ReadAll(file); err != nil || string(got) != "web\n" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestErrorsAreOneLine(t *testing.T) {
	root, _, _ := tree(t)
	hostile := "a\nb\x1b[2J"
	_, open := root.Open(hostile, unix.O_RDONLY, 0)
	_, read := root.ReadFile(hostile, 1)
	_, stat := root.Lstat(hostile)
	_, link := root.Readlink(hostile)
	for _, err := range []error{
		open, read, stat, link, root.Remove(hostile), root.WriteFile(hostile+"/x", nil, 0),
		root.MkdirAll(hostile+"/..", 0), root.Symlink("x", hostile+"/x"),
	} {
		if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") {
			t.Errorf("got %q", err)
		}
	}
}

func TestHead(t *testing.T) {
	root, guest, host := tree(t)
	for n, want := range map[int]string{2: "we", 4: "web\n", 100: "web\n"} {
		if head, mode, err := root.Head("etc/hostname", n); err != nil || string(head) != want || mode&0o777 != 0o644 {
			t.Errorf("%d bytes: %q %o %v", n, head, mode, err)
		}
	}
	check(t, unix.Mkfifo(filepath.Join(guest, "fifo"), 0o644))
	check(t, os.Symlink(filepath.Join(host, "canary"), filepath.Join(guest, "out")))
	for _, name := range []string{"fifo", "etc", "out", "none"} {
		if head, _, err := root.Head(name, 10); err == nil {
			t.Errorf("%s: %q", name, head)
		}
	}
}
