package images

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const minimal = "version = 1\nmethod = 'busybox'\n[busybox]\npaths = ['/bin/busybox']\npackage = 'x'\n"

func TestBuiltIn(t *testing.T) {
	all, err := Templates(nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range all {
		names = append(names, one.Name)
		if one.Source != "built-in" || one.Description == "" {
			t.Errorf("%s: source %q, description %q", one.Name, one.Source, one.Description)
		}
		for _, arg := range one.Args {
			if arg.Help == "" {
				t.Errorf("%s: argument %s has no help", one.Name, arg.Long)
			}
		}
	}
	if got := strings.Join(names, " "); got != "busybox debian" {
		t.Errorf("templates: %s", got)
	}
}

// A file of the administrator's wins over the built-in one; a bad one is reported and disturbs no other.
func TestOverride(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "busybox.toml"), minimal, 0o644)
	put(t, filepath.Join(dir, "mine.toml"), minimal, 0o600)
	put(t, filepath.Join(dir, "open.toml"), minimal, 0o666)
	put(t, filepath.Join(dir, "readme.txt"), "x", 0o644)
	all, err := Templates([]string{"/nonexistent", dir})
	if len(all) != 3 || all[0].Source != filepath.Join(dir, "busybox.toml") || all[2].Name != "mine" {
		t.Errorf("got %+v", all)
	}
	if err == nil || !strings.Contains(err.Error(), "may be changed by others") {
		t.Error(err)
	}
	if _, err := Find([]string{dir}, "debian"); err != nil {
		t.Error(err)
	}
	var missing *NotFoundError
	if _, err := Find([]string{dir}, "debain"); !errors.As(err, &missing) || missing.Nearest != "debian" {
		t.Error(err)
	}
}

func TestRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	put(t, filepath.Join(dir, "real"), minimal, 0o644)
	put(t, filepath.Join(dir, "group.toml"), minimal, 0o664)
	put(t, filepath.Join(dir, "foreign.toml"), minimal, 0o644)
	put(t, filepath.Join(dir, "huge.toml"), minimal+strings.Repeat("#", maxTemplate), 0o644)
	for _, err := range []error{
		os.Symlink("real", filepath.Join(dir, "link.toml")),
		unix.Mkfifo(filepath.Join(dir, "fifo.toml"), 0o644),
		os.Mkdir(filepath.Join(dir, "dir.toml"), 0o755),
		os.Chown(filepath.Join(dir, "foreign.toml"), 1, 1),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"group", "foreign", "huge", "link", "fifo", "dir"} {
		if _, err := Find([]string{dir}, name); err == nil {
			t.Errorf("%s was read", name)
		}
	}
}

func TestRefusedText(t *testing.T) {
	for text, want := range map[string]string{
		"version = 2\nmethod = 'busybox'":                                     "version is 2",
		"version = 1\nmethod = 'sh'":                                          `unknown method "sh"`,
		"version = 1\nmethod = 'busybox'":                                     "needs a table [busybox]",
		minimal + "[tree]\nremov = ['/x']":                                    `did you mean "remove"?`,
		minimal + "[tree]\nremove = ['/../x']":                                "not an absolute path",
		minimal + "[tree]\nempty = ['etc/x']":                                 "not an absolute path",
		minimal + "[tree]\nremove = ['/etc/[x']":                              "syntax error in pattern",
		minimal + "[tree]\nremove = ['/']":                                    "not an absolute path",
		minimal + "[tree]\nremove = [":                                        "line 7",
		minimal + "[[arg]]\nlong = 'release'":                                 `has no argument "release"`,
		"version = 1\nmethod = 'debootstrap'\n":                               "needs a table [debootstrap]",
		"version = 1\nmethod = 'debootstrap'\n[debootstrap]\n":                "needs origin",
		strings.Replace(debianText(t), `"dbus"`, `"$(x)"`, 1):                 "not a package name",
		strings.Replace(debianText(t), `"Debian"`, `"../x"`, 1):               "plain words",
		strings.Replace(debianText(t), `"sysvinit", "openrc"`, `"openrc"`, 1): `values has to list "sysvinit"`,
		strings.Replace(debianText(t), `"s6"]`, `"s6", "s7"]`, 1):             `"s7" has no [[debootstrap.init]]`,
		strings.Replace(debianText(t), `parts = ["c`, `parts=["k`, 1):         "there is no [debootstrap.part.kommon]",
		strings.Replace(debianText(t), `"/etc/mtab"`, `"etc/m"`, 1):           "not an absolute path",
		strings.Replace(debianText(t), `"s6", "b`, `"s 6", "b`, 1):            "not a package name",
		strings.Replace(debianText(t), `parts = ["`, `prts = ["`, 1):          `did you mean "parts"?`,
		strings.Replace(debianText(t), `"maybe-m`, `"../m`, 1):                "plain words",
		strings.Replace(debianText(t), `"trixie"`, `"../sid"`, 1):             "not a release name",
		strings.Replace(debianText(t), `short = "r"`, `short="rr"`, 1):        "not one letter",
	} {
		if _, err := parseTemplate("x", "test", []byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.80q…: %v, want %s", text, err, want)
		}
	}
}

func debianText(t testing.TB) string { return string(debianTemplate(t).text) }

func put(t testing.TB, path, text string, mode os.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func FuzzTemplate(f *testing.F) {
	f.Add([]byte(minimal))
	f.Add([]byte(debianText(f)))
	f.Fuzz(func(t *testing.T, text []byte) {
		if template, err := parseTemplate("x", "fuzz", text); err == nil {
			_, _ = template.parse([]string{"-r", "sid"})
		}
	})
}
