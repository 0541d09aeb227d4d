package images

import (
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

func testTree(t *testing.T) (string, *safefs.Root) {
	t.Helper()
	dir := t.TempDir()
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return dir, root
}

func TestApply(t *testing.T) {
	dir, root := testTree(t)
	for _, name := range []string{"var/log/apt", "etc", "tmp/a/b"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(t, filepath.Join(dir, "var/log/dpkg.log"), "x", 0o644)
	put(t, filepath.Join(dir, "var/log/wtmp"), "x", 0o644)
	put(t, filepath.Join(dir, "etc/shadow"), "daemon:*:1:\nroot:$y$secret:1:\n", 0o640)
	put(t, filepath.Join(dir, "etc/machine-id"), "0123\n", 0o444)
	if err := os.Chown(filepath.Join(dir, "etc/shadow"), 0, 42); err != nil {
		t.Fatal(err)
	}
	tree := Tree{
		Remove: []string{"/var/log/*.log", "/tmp/*", "/no/such/*"}, Empty: []string{"/etc/machine-id"},
		Dirs: []Dir{{"/tmp", 0o1777}, {"/new/dir", 0o700}}, Links: []Link{{"/var/run", "/run"}, {"/bin/sh", "/bin/busybox"}},
		Files: []File{{"/etc/hosts", 0o644, "\nline\n"}, {"/etc/init.d/rc", 0o755, "#!\n"}}, LockRoot: true,
	}
	for range 2 { // it may be done again
		if err := tree.apply(root); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{
		"var/log/wtmp": "x", "etc/shadow": "daemon:*:1:\nroot:*:1:\n", "etc/machine-id": "", "etc/hosts": "line\n", "etc/init.d/rc": "#!\n",
	} {
		if data, err := os.ReadFile(filepath.Join(dir, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for name, want := range map[string]uint32{
		"tmp": unix.S_IFDIR | 0o1777, "new/dir": unix.S_IFDIR | 0o700, "new": unix.S_IFDIR | 0o755, "etc/shadow": unix.S_IFREG | 0o640,
		"etc/init.d/rc": unix.S_IFREG | 0o755, "var/run": unix.S_IFLNK | 0o777, "tmp/a": 0, "var/log/dpkg.log": 0,
	} {
		stat, _ := root.Lstat(name)
		if stat.Mode != want {
			t.Errorf("%s has mode %o, want %o", name, stat.Mode, want)
		}
	}
	if stat, _ := root.Lstat("etc/shadow"); stat.Gid != 42 {
		t.Errorf("etc/shadow has group %d", stat.Gid)
	}
}

// A package may have made anything a link to the host.
func TestApplyToHostileTree(t *testing.T) {
	host := t.TempDir()
	put(t, filepath.Join(host, "canary"), "host", 0o644)
	put(t, filepath.Join(host, "shadow"), "root:$y$secret:1:\n", 0o600)
	dir, root := testTree(t)
	for name, target := range map[string]string{
		"etc": host, "var": filepath.Join("../../../../../../..", host), "canary": filepath.Join(host, "canary"), "dir": "/proc/self/cwd",
	} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tree := range []Tree{
		{Remove: []string{"/etc/*"}}, {Remove: []string{"/var/canary"}}, {Empty: []string{"/etc/canary"}}, {Empty: []string{"/canary"}},
		{Files: []File{{"/var/canary", 0o644, "guest"}}}, {Files: []File{{"/etc/new", 0o644, "guest"}}}, {Dirs: []Dir{{"/etc/newdir", 0o777}}},
		{Dirs: []Dir{{"/etc", 0o777}}}, {Links: []Link{{"/var/canary", "x"}}}, {LockRoot: true}, {Dirs: []Dir{{"/dir/x", 0o777}}},
	} {
		_ = tree.apply(root) // it may fail
	}
	entries, err := os.ReadDir(host)
	if err != nil || len(entries) != 2 {
		t.Errorf("%v, %v", entries, err)
	}
	for name, want := range map[string]string{"canary": "host", "shadow": "root:$y$secret:1:\n"} {
		if data, err := os.ReadFile(filepath.Join(host, name)); err != nil || string(data) != want {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	if info, err := os.Stat(host); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
}
