package inits

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/safefs"
)

// tree makes a tree of files with this content; one that begins with "->" is a link.
func tree(t *testing.T, files map[string]string) *safefs.Root {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if len(text) > 2 && text[:2] == "->" {
			err = os.Symlink(text[2:], path)
		} else {
			err = os.WriteFile(path, []byte(text), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	root, err := safefs.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

const (
	debian8  = "\x7fELF\x00libc.so.6\x00systemd 215\x00systemd 215 running in %ssystem mode. (%s)\x00"
	xenial   = "\x7fELF\x00systemd/foo systemd 229 running in %ssystem mode\x00"
	shared   = "\x7fELF\x00libc.so.6\x00libsystemd-shared-231.so\x00systemd 231\x00"
	stretch  = "\x7fELF\x00libsystemd-shared-232.so\x00"
	newest   = "\x7fELF\x00libsystemd-core-262.so\x00libsystemd-shared-262.so\x00"
	unlikely = "\x7fELF\x00systemd 12 years old\x00"
)

func TestCheck(t *testing.T) {
	late := make([]byte, 300<<10)
	copy(late[290<<10:], debian8)
	for name, c := range map[string]struct {
		files  map[string]string
		places []string
		want   string
	}{
		"old": {map[string]string{"sbin/init": "->/lib/systemd/systemd", "lib/systemd/systemd": debian8}, Places(),
			"/sbin/init is systemd 215, which can't run on control groups v2 alone: a guest needs systemd 232 or later"},
		"old, far inside": {map[string]string{"sbin/init": "->/lib/systemd/systemd", "lib/systemd/systemd": string(late)}, Places(),
			"/sbin/init is systemd 215, which can't run on control groups v2 alone: a guest needs systemd 232 or later"},
		"no link": {map[string]string{"usr/lib/systemd/systemd": xenial}, Places(),
			"/usr/lib/systemd/systemd is systemd 229, which can't run on control groups v2 alone: a guest needs systemd 232 or later"},
		"with a library": {map[string]string{"sbin": "->usr/sbin", "usr/sbin/init": "->../lib/systemd/systemd", "usr/lib/systemd/systemd": shared}, Places(),
			"/sbin/init is systemd 231, which can't run on control groups v2 alone: a guest needs systemd 232 or later"},
		"another is configured": {map[string]string{"sbin/init": "->busybox", "sbin/busybox": "x", "opt/systemd": debian8}, []string{"/opt/systemd"},
			"/opt/systemd is systemd 215, which can't run on control groups v2 alone: a guest needs systemd 232 or later"},
		"old, but not what is run": {map[string]string{"sbin/init": "sysvinit", "lib/systemd/systemd": debian8}, Places(), ""},
		"the first that can":       {map[string]string{"sbin/init": "->/lib/systemd/systemd", "lib/systemd/systemd": stretch}, Places(), ""},
		"new":                      {map[string]string{"sbin/init": "->/lib/systemd/systemd", "lib/systemd/systemd": newest}, Places(), ""},
		"no version":               {map[string]string{"sbin/init": "->/lib/systemd/systemd", "lib/systemd/systemd": unlikely}, Places(), ""},
		"a link out":               {map[string]string{"sbin/init": "->../../../../../../usr/lib/systemd/systemd"}, Places(), ""},
		"nothing":                  {nil, Places(), ""},
	} {
		err := Check(tree(t, c.files), c.places)
		var old *TooOldError
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &old) || err.Error() != c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
}

// What is no file isn't opened: a FIFO would make the start wait.
func TestOddFiles(t *testing.T) {
	root := tree(t, map[string]string{"sbin/init": "->/lib/systemd", "lib/x": ""})
	if err := unix.Mkfifoat(root.FD(), "lib/systemd", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Check(root, Places()); err != nil {
		t.Error(err)
	}
}

func FuzzVersion(f *testing.F) {
	f.Add([]byte(debian8))
	f.Add([]byte(shared))
	f.Fuzz(func(t *testing.T, program []byte) {
		if v := max(libraryVersion(program), ownVersion(program)); v < 0 || v > 9999 {
			t.Error(v)
		}
	})
}
