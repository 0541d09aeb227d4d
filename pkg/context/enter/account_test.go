package enter

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/safefs"
	"golang.org/x/sys/unix"
)

const (
	passwd = `root:x:0:0:root:/root:/bin/bash
+nis::0:0:::
1000:x:0:0:a number as a name:/trap:/bin/sh
0x3e8:x:0:0:::
alice:x:1000:1000:Alice,,,:/home/alice:/bin/zsh
alice:x:0:0:the first one counts:/root:/bin/sh
shellless:x:1001:100::home/relative:
minus:x:-1:0:::
wide:x:4294967296:0:::
hex:x:0x10:0:::
none:x:4294967295:0:::
octal:x:010:0:::
short:x:0:0
_apt:x:42:65534::/nonexistent:/usr/sbin/nologin
`
	group = `root:x:0:
staff:x:50:alice,bob
users:x:100:
alice:x:1000:
44:x:0:alice
video:x:44:bob,alice
audio:x:29:aliceandbob
bad:x:-1:alice
sudo:x:27:alice
video2:x:44:alice
`
)

// rootWith makes a tree with these files in /etc.
func rootWith(t *testing.T, files map[string]string) *safefs.Root {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
	for name, content := range files {
		must(t, os.WriteFile(filepath.Join(dir, "etc", name), []byte(content), 0o644))
	}
	root, err := safefs.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return root
}

func TestLookupUser(t *testing.T) {
	full := rootWith(t, map[string]string{"passwd": passwd, "group": group})
	empty := rootWith(t, nil)
	alice := Account{UID: 1000, GID: 1000, Groups: []uint32{1000, 0, 27, 44, 50}, Home: "/home/alice", Shell: "/bin/zsh", Name: "alice"}
	aliceIn := func(gid uint32) Account {
		a := alice
		a.GID, a.Groups = gid, []uint32{gid}
		return a
	}
	root := Account{Groups: []uint32{0}, Home: "/root", Shell: "/bin/bash", Name: "root"}
	bare := Account{Groups: []uint32{0}, Home: "/root", Shell: "/bin/sh", Name: "root"}
	for _, c := range []struct {
		root *safefs.Root
		who  string
		want Account
	}{
		{full, "root", root}, {full, "0", root}, {empty, "root", bare}, {empty, "0", bare},
		{full, "alice", alice}, {full, "1000", alice},
		{full, "alice:staff", aliceIn(50)}, {full, "alice:44", aliceIn(44)}, {full, "1000:0", aliceIn(0)},
		{full, "shellless", Account{UID: 1001, GID: 100, Groups: []uint32{100}, Home: "/", Shell: "/bin/sh", Name: "shellless"}},
		{full, "_apt", Account{UID: 42, GID: 65534, Groups: []uint32{65534}, Home: "/nonexistent", Shell: "/usr/sbin/nologin", Name: "_apt"}},
		{full, "4242", Account{UID: 4242, GID: 4242, Groups: []uint32{4242}, Home: "/", Shell: "/bin/sh"}},
		{empty, "7:8", Account{UID: 7, GID: 8, Groups: []uint32{8}, Home: "/", Shell: "/bin/sh"}},
		{full, "4294967294", Account{UID: 4294967294, GID: 4294967294, Groups: []uint32{4294967294}, Home: "/", Shell: "/bin/sh"}},
	} {
		if got, err := LookupUser(c.root, c.who); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%q: %+v, %v; want %+v", c.who, got, err, c.want)
		}
	}
}

// CVE-2022-2989, 2024-40635, 2016-3697.
func TestLookupUserRefuses(t *testing.T) {
	full := rootWith(t, map[string]string{"passwd": passwd, "group": group})
	for _, who := range []string{
		"", ":", ":0", "alice:", "-1", "+0", "4294967295", "4294967296", "18446744073709551616", "0x3e8", "1e3", "007", "00", " 0", "0 ",
		"0\n", "1000a", "０", "alice:-1", "alice:4294967295", "alice:4294967296", "alice:0x0", "alice:0:0", "alice:nobody-here",
		"nobody-here", "+nis", "minus", "wide", "hex", "none", "octal", "short", "alice\x00", "root:x:0:0",
	} {
		if a, err := LookupUser(full, who); err == nil {
			t.Errorf("%q is %+v", who, a)
		} else if strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("%q: the error isn't escaped: %q", who, err)
		}
	}
	empty := rootWith(t, nil)
	if a, err := LookupUser(empty, "alice"); err == nil {
		t.Errorf("without a passwd alice is %+v", a)
	}
}

// What the guest puts at /etc/passwd must neither hang nor lead the host.
func TestLookupUserOfAHostileTree(t *testing.T) {
	for name, make := range map[string]func(path string) error{
		"fifo":      func(path string) error { return unix.Mkfifo(path, 0o644) },
		"directory": func(path string) error { return os.Mkdir(path, 0o755) },
		"device":    func(path string) error { return unix.Mknod(path, unix.S_IFCHR|0o644, int(unix.Mkdev(1, 5))) },
		"large":     func(path string) error { return os.WriteFile(path, []byte(strings.Repeat(passwd, 4000)), 0o644) },
		"link out":  func(path string) error { return os.Symlink("/../../../../../../etc/passwd", path) },
		"loop":      func(path string) error { return os.Symlink("passwd", path) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			must(t, os.Mkdir(filepath.Join(dir, "etc"), 0o755))
			must(t, make(filepath.Join(dir, "etc", "passwd")))
			root, err := safefs.OpenRoot(dir)
			must(t, err)
			defer root.Close()
			if a, err := LookupUser(root, "daemon"); err == nil {
				t.Errorf("daemon is %+v", a)
			}
			if a, err := LookupUser(root, "0"); err != nil || a.Shell != "/bin/sh" {
				t.Errorf("root is %+v, %v", a, err)
			}
		})
	}
}

func FuzzLookupUser(f *testing.F) {
	f.Add(passwd, group, "alice:staff")
	f.Add(":::::::::", "::::", "0:0")
	f.Fuzz(func(t *testing.T, passwd, group, who string) {
		a, err := LookupUser(rootWith(t, map[string]string{"passwd": passwd, "group": group}), who)
		if err == nil && (a.UID == noID || a.GID == noID || len(a.Groups) == 0 || a.Groups[0] != a.GID || a.Home[0] != '/' || a.Shell[0] != '/') {
			t.Errorf("%q is %+v", who, a)
		}
	})
}
