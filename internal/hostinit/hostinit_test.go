package hostinit

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// host is a tree to set up.
func host(t *testing.T) Options {
	t.Helper()
	return Options{Tree: t.TempDir(), Program: "/opt/bin/sysct", Systemd: true, Private: []string{"/var/lib/sysct", "/srv/log", "/run/sysct"}}
}

// initialize gives what Init did as lines of text.
func initialize(t *testing.T, o Options) []string {
	t.Helper()
	changes, err := Init(o)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, c := range changes {
		lines = append(lines, fmt.Sprint(c.Action, " ", c.Path))
	}
	return lines
}

func read(t *testing.T, o Options, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(o.Tree, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func write(t *testing.T, o Options, name, text string) {
	t.Helper()
	path := filepath.Join(o.Tree, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

const unit = "/etc/systemd/system/sysct@.service"

func TestInit(t *testing.T) {
	o := host(t)
	got := initialize(t, o)
	for _, want := range []string{
		"made /etc/sysct", "made /etc/sysct/templates", "made /var/lib/sysct", "made /srv/log", "wrote /etc/sysct/sysct.toml",
		"wrote /etc/sysctl.d/50-sysct.conf", "wrote /etc/tmpfiles.d/sysct.conf", "wrote " + unit,
	} {
		if !slices.Contains(got, want) {
			t.Errorf("it didn't say %q", want)
		}
	}
	for dir, mode := range map[string]os.FileMode{"etc/sysct": 0o755, "var": 0o755, "var/lib": 0o755, "var/lib/sysct": 0o700, "srv/log": 0o700} {
		if st, err := os.Stat(filepath.Join(o.Tree, dir)); err != nil || st.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", dir, st, err)
		}
	}
	if _, err := os.Stat(filepath.Join(o.Tree, "run")); err == nil {
		t.Error("it made a directory below /run of a tree that doesn't run")
	}
	if text := read(t, o, unit); !strings.Contains(text, "ExecStart=/opt/bin/sysct ") || strings.Contains(text, "/usr/bin/sysct") {
		t.Errorf("the unit doesn't run this program:\n%s", text)
	}
	if again := initialize(t, o); len(again) > 0 {
		t.Errorf("the second time it did %q", again)
	}
}

func TestInitWithoutSystemd(t *testing.T) {
	o := host(t)
	o.Systemd = false
	initialize(t, o)
	if _, err := os.Stat(filepath.Join(o.Tree, "etc/systemd")); err == nil {
		t.Error("it wrote units")
	}
	read(t, o, "etc/sysct/sysct.toml")
	read(t, o, "etc/sysctl.d/50-sysct.conf")
}

func TestDryRunChangesNothing(t *testing.T) {
	o := host(t)
	o.DryRun = true
	if got := initialize(t, o); !slices.Contains(got, "wrote "+unit) {
		t.Errorf("it said %q", got)
	}
	if left, err := os.ReadDir(o.Tree); err != nil || len(left) > 0 {
		t.Errorf("it made %v (%v)", left, err)
	}
}

// A file of an older version is updated if nobody has changed it, and else kept.
func TestChangedFiles(t *testing.T) {
	o := host(t)
	initialize(t, o)
	now := read(t, o, unit)
	write(t, o, unit, string(stamp([]byte("[Service]\nExecStart=/old\n"))))
	write(t, o, "etc/sysct/sysct.toml", "version = 1\n")
	write(t, o, "etc/tmpfiles.d/sysct.conf", strings.Replace(read(t, o, "etc/tmpfiles.d/sysct.conf"), "0700", "0750", 1))
	if got := initialize(t, o); !slices.Equal(got, []string{"kept /etc/sysct/sysct.toml", "kept /etc/tmpfiles.d/sysct.conf", "updated " + unit}) {
		t.Errorf("it did %q", got)
	}
	if read(t, o, unit) != now || read(t, o, "etc/sysct/sysct.toml") != "version = 1\n" || !strings.Contains(read(t, o, "etc/tmpfiles.d/sysct.conf"), "0750") {
		t.Error("it didn't do what it said")
	}
	o.Force = true
	if got := initialize(t, o); !slices.Equal(got, []string{"replaced /etc/sysct/sysct.toml", "replaced /etc/tmpfiles.d/sysct.conf"}) {
		t.Errorf("with force it did %q", got)
	}
	if read(t, o, "etc/sysct/sysct.toml~") != "version = 1\n" || !strings.Contains(read(t, o, "etc/sysct/sysct.toml"), "# state_dir") {
		t.Error("the replaced file isn't kept, or not replaced")
	}
	if got := initialize(t, o); len(got) > 0 {
		t.Errorf("at last it did %q", got)
	}
}

// A unit that is masked is a link: the administrator's will.
func TestMaskedUnit(t *testing.T) {
	o := host(t)
	if err := os.MkdirAll(filepath.Join(o.Tree, filepath.Dir(unit)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/dev/null", filepath.Join(o.Tree, unit)); err != nil {
		t.Fatal(err)
	}
	if got := initialize(t, o); !slices.Contains(got, "kept "+unit) {
		t.Errorf("it did %q", got)
	}
}

// What make install or a package has put elsewhere isn't put into /etc as well.
func TestInstalledAlready(t *testing.T) {
	o := host(t)
	o.Program = "/usr/local/bin/sysct"
	write(t, o, "usr/local/lib/systemd/system/sysct@.service", "[Service]\nExecStart=/usr/local/bin/sysct __monitor %i\n")
	if got := initialize(t, o); !slices.Contains(got, "found /usr/local/lib/systemd/system/sysct@.service") || slices.Contains(got, "wrote "+unit) {
		t.Errorf("it did %q", got)
	}
	o.Program = "/opt/bin/sysct"
	_, err := Init(o)
	if err == nil || !strings.Contains(err.Error(), "/usr/local/lib/systemd/system/sysct@.service runs another sysct") || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("beside another sysct: %v", err)
	}
	o.Force = true
	if got := initialize(t, o); !slices.Contains(got, "wrote "+unit) {
		t.Errorf("beside another sysct with force it did %q", got)
	}
}

// A directory that is somebody else's is refused before anything is written.
func TestForeignDirectory(t *testing.T) {
	o := host(t)
	dir := filepath.Join(o.Tree, "var/lib/sysct")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 1000, 1000); err != nil {
		t.Fatal(err)
	}
	if _, err := Init(o); err == nil || !strings.Contains(err.Error(), "cannot use /var/lib/sysct: others than root") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(filepath.Join(o.Tree, "etc")); err == nil {
		t.Error("it wrote something all the same")
	}
}

func TestCheckProgram(t *testing.T) {
	if err := CheckProgram("/usr/bin/env"); err != nil {
		t.Errorf("a program of the host: %v", err)
	}
	// Below /root, since a directory of a test lies in one that all can write to.
	dir, err := os.MkdirTemp("/root", "sysct-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "bin/sysct")
	make := func() {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	make()
	if err := CheckProgram(path); err != nil {
		t.Errorf("root's own: %v", err)
	}
	for name, harm := range map[string]func() error{
		"belongs to user 1000":      func() error { return os.Chown(path, 1000, 0) },
		"may write to " + path:      func() error { return os.Chmod(path, 0o757) },
		"may write to " + dir:       func() error { return os.Chmod(dir, 0o777) },
		dir + " belongs to user 33": func() error { return os.Chown(dir, 33, 33) },
		"is no program":             func() error { return os.Chmod(path, 0o644) },
	} {
		if err := harm(); err != nil {
			t.Fatal(err)
		}
		if err := CheckProgram(path); err == nil || !strings.Contains(err.Error(), name) || !strings.Contains(err.Error(), "\nhint: install ") {
			t.Errorf("%s: %v", name, err)
		}
		for _, err := range []error{os.Chown(dir, 0, 0), os.Chmod(dir, 0o700), os.Chown(path, 0, 0), os.Chmod(path, 0o755)} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := CheckProgram("/usr/bin/a b"); err == nil || !strings.Contains(err.Error(), "units can't name") {
		t.Errorf("a blank: %v", err)
	}
}
