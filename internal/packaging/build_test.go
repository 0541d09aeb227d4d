package packaging

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// root is the project's directory.
const root = "../.."

// The versions of the packages that the tests make, one after the other. A good compression
// would take most of the tests' time.
const (
	oldVersion = "0.1-1"
	newVersion = "0.2-1"
)

// run gives what a program prints, and fails the test with it if the program fails.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// makeTarget runs make as a user would, whatever make runs the tests.
func makeTarget(t *testing.T, args ...string) {
	t.Helper()
	cmd := exec.Command("make", append([]string{"-C", root}, args...)...)
	cmd.Env = append(os.Environ(), "MAKEFLAGS=", "MFLAGS=", "MAKELEVEL=", "DEB_COMPRESSION=gzip")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("make %q: %v\n%s", args, err, out)
	}
}

// build makes a package of some version and gives its path.
func build(t *testing.T, dir, version string) string {
	t.Helper()
	makeTarget(t, "deb", "DISTDIR="+dir, "DEB_VERSION="+version)
	found, err := filepath.Glob(filepath.Join(dir, "sysct_"+version+"_*.deb"))
	if err != nil || len(found) != 1 {
		t.Fatalf("no package of version %s was made: %q, %v", version, found, err)
	}
	return found[0]
}

func TestPackage(t *testing.T) {
	dir := t.TempDir()
	deb := build(t, dir, newVersion)
	tree := t.TempDir()
	run(t, "dpkg-deb", "-x", deb, tree)

	t.Run("lintian", func(t *testing.T) { checkLintian(t, deb) })
	t.Run("content", func(t *testing.T) { checkContent(t, deb, tree) })
	t.Run("manual", func(t *testing.T) { checkManual(t, tree) })
	t.Run("completion", func(t *testing.T) { checkCompletion(t, tree) })
	t.Run("again", func(t *testing.T) { checkReproducible(t, deb) })
	t.Run("install", func(t *testing.T) { checkLife(t, build(t, dir, oldVersion), deb) })
}

// checkReproducible: what is built again is the same to the last byte.
func checkReproducible(t *testing.T, deb string) {
	first, err := os.ReadFile(deb)
	if err != nil {
		t.Fatal(err)
	}
	second, err := os.ReadFile(build(t, t.TempDir(), newVersion))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, second) {
		t.Errorf("two builds of one source differ: %d and %d bytes", len(first), len(second))
	}
}

// checkLintian: Debian's own checker has nothing to say, not even for information.
func checkLintian(t *testing.T, deb string) {
	out, err := exec.Command("lintian", "--no-cfg", "--display-info", "--fail-on", "error,warning,info", deb).Output()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		t.Errorf("lintian: %v\n%s", err, out)
	}
}

// TestVersions: versions of the package sort as the commits do.
func TestVersions(t *testing.T) {
	ordered := []string{"abc1234", "abc1234-dirty", "v1.0.0-rc1", "v1.0.0-rc1-2-gabc1234", "v1.0.0", "v1.0.0-dirty", "v1.0.0-3-gabc1234", "v1.0.0-12-gabc1234", "v1.1.0"}
	before := ""
	for _, version := range ordered {
		now := strings.TrimSpace(run(t, "./version.sh", version, "1767225600"))
		if before != "" {
			run(t, "dpkg", "--compare-versions", before, "lt", now)
		}
		before = now
	}
	if got := run(t, "./version.sh", "abc1234", "1767225600"); got != "0~git20260101000000.abc1234-1\n" {
		t.Errorf("a commit is %q", got)
	}
}

// TestInstallElsewhere: below /usr/local, where make install puts it by itself, units name
// the program that was installed.
func TestInstallElsewhere(t *testing.T) {
	dir := t.TempDir()
	makeTarget(t, "install", "DESTDIR="+dir)
	unit, err := os.ReadFile(filepath.Join(dir, "usr/local/lib/systemd/system/sysct@.service"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(unit), "ExecStart=/usr/local/bin/sysct ") || strings.Contains(string(unit), "/usr/bin/sysct") {
		t.Errorf("the unit doesn't name /usr/local/bin/sysct:\n%s", unit)
	}
	for _, name := range []string{
		"etc/sysct/sysct.toml", "usr/local/bin/sysct", "usr/local/lib/sysct/sysct-helper",
		"usr/local/lib/tmpfiles.d/sysct.conf", "usr/local/lib/sysctl.d/50-sysct.conf", "usr/local/share/man/man1/sysct-start.1",
		"usr/local/share/bash-completion/completions/sysct", "usr/local/share/zsh/site-functions/_sysct", "usr/local/share/fish/vendor_completions.d/sysct.fish",
	} {
		if st, err := os.Lstat(filepath.Join(dir, name)); err != nil || !st.Mode().IsRegular() || st.Mode()&0o022 != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	// What the administrator has changed stays at the next installation.
	config := filepath.Join(dir, "etc/sysct/sysct.toml")
	if err := os.WriteFile(config, []byte("version = 1 # mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	makeTarget(t, "install", "DESTDIR="+dir)
	if text, err := os.ReadFile(config); err != nil || string(text) != "version = 1 # mine\n" {
		t.Errorf("the second time it became %q, %v", text, err)
	}
}
