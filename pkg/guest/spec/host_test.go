package spec

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLoadHost(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "sysct.toml")
	if host, err := LoadHost(path); err != nil || !reflect.DeepEqual(host, DefaultHost()) {
		t.Fatalf("missing: %+v, %v", host, err)
	}
	write(t, path, "state_dir = '/srv/a'\nlog_dir = \"/srv/log\"\n", 0o644)
	want := &Host{Version: 1, StateDir: "/srv/a", LogDir: "/srv/log", Network: DefaultNetwork}
	if host, err := LoadHost(path); err != nil || !reflect.DeepEqual(host, want) {
		t.Fatalf("%+v, %v", host, err)
	}
	link := filepath.Join(dir, "link.toml")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if host, err := LoadHost(link); err != nil || !reflect.DeepEqual(host, want) {
		t.Errorf("link: %+v, %v", host, err)
	}
}

func TestLoadHostRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"state_dri = '/a'":    ":1:1: state_dri: unknown key: did you mean state_dir?",
		"state_dir = 'a'":     `:1:1: state_dir: "a" is not the absolute path of a directory of its own`,
		"run_dir = '/'":       "run_dir: \"/\" is not the absolute path",
		"cache_dir = '//.'":   "cache_dir: \"//.\" is not",
		"log_dir = \"/a\\n\"": "log_dir: the control character U+000A",
		"network = 'a b'":     "only A-Z",
		"networks_dir = 'a'":  "is not the absolute path",
		"log_dir = 1":         "must be a string, not an integer",
		"version = 2":         "schema version 2 is newer",
		"version = 0":         "schema version 0 is unknown",
		"x = [":               ":1:",
	} {
		path := filepath.Join(t.TempDir(), "sysct.toml")
		write(t, path, text, 0o600)
		_, err := LoadHost(path)
		checkRefusal(t, text, err, want)
		var parseError *ParseError
		if !errors.As(err, &parseError) || parseError.File != path {
			t.Errorf("%q: %T", text, err)
		}
	}
	_, err := LoadHost(t.TempDir())
	checkRefusal(t, "directory", err, "is not a regular file")
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = LoadHost(fifo)
	checkRefusal(t, "fifo", err, "is not a regular file")
	file := filepath.Join(t.TempDir(), "f")
	write(t, file, "", 0o600)
	_, err = LoadHost(file + "/x")
	checkRefusal(t, "below a file", err, "cannot open: not a directory")
}

// The file in the package is what RenderHost writes, so it can't fall behind.
func TestShippedHostFile(t *testing.T) {
	got, err := os.ReadFile("../../../etc/sysct.toml")
	if err != nil || string(got) != string(RenderHost(DefaultHost())) {
		t.Errorf("etc/sysct.toml is not what RenderHost writes (%v)", err)
	}
	host, err := ParseHost(got, "sysct.toml")
	if err != nil || !reflect.DeepEqual(host, DefaultHost()) {
		t.Errorf("%+v, %v", host, err)
	}
	if text := string(RenderHost(&Host{Version: 1, RunDir: "/a", Network: DefaultNetwork})); !strings.Contains(text, "\nrun_dir = \"/a\"\n") {
		t.Errorf("no run_dir in\n%s", text)
	}
}

func TestResolveDirs(t *testing.T) {
	env := func(set ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(set); i += 2 {
				if set[i] == name {
					return set[i+1]
				}
			}
			return ""
		}
	}
	standard := Dirs{"/var/lib/sysct", "/run/sysct", "/var/cache/sysct", "/var/log/sysct", "/etc/sysct/profiles", "/etc/sysct/networks"}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		flags Dirs
		env   func(string) string
		host  *Host
		want  Dirs
	}{
		"standard": {env: env(), want: standard},
		"file": {
			env: env(), host: &Host{StateDir: "/s/", RunDir: "/r", CacheDir: "/c/../d"},
			want: Dirs{"/s", "/r", "/d", "/s/.log", "/s/.profiles", "/s/.networks"},
		},
		"environment over file": {
			env:  env("SYSCT_STATE_DIR", "/e", "SYSCT_RUN_DIR", "/er", "SYSCT_CACHE_DIR", "/ec", "SYSCT_LOG_DIR", "/el", "SYSCT_PROFILES_DIR", "/ep", "SYSCT_NETWORKS_DIR", "/en"),
			host: &Host{StateDir: "/s", LogDir: "/l", ProfilesDir: "/lp", NetworksDir: "/ln"},
			want: Dirs{"/e", "/er", "/ec", "/el", "/ep", "/en"},
		},
		"flag over environment": {
			flags: Dirs{State: "/f", Log: "rel"}, env: env("SYSCT_STATE_DIR", "/e", "SYSCT_LOG_DIR", "/el"),
			want: Dirs{"/f", "/run/sysct-" + Tag("/f"), "/var/cache/sysct", filepath.Join(cwd, "rel"), "/f/.profiles", "/f/.networks"},
		},
		"the standard one by another spelling": {
			flags: Dirs{State: "/var//lib/./sysct/"}, env: env(), want: standard,
		},
	} {
		if got := ResolveDirs(c.flags, c.env, c.host); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTag(t *testing.T) {
	for _, dir := range []string{"/var/lib/sysct", "/var/lib/sysct/", "/var/lib/../lib/sysct"} {
		if got := Tag(dir); got != "" {
			t.Errorf("%s: %q", dir, got)
		}
	}
	// printf %s /srv/a | sha256sum | cut -c1-8
	if got := Tag("/srv/a"); got != "b068a6ce" || got != Tag("/srv//a/.") {
		t.Errorf("got %q", got)
	}
	if Tag("/srv/b") == Tag("/srv/a") {
		t.Error("two directories have one tag")
	}
}
