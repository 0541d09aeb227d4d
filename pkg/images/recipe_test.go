package images

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testHost is an amd64 host with a mirror whose name can't exist, and a keyring of its own for the security archive.
func testHost(t *testing.T) host {
	t.Helper()
	dir := t.TempDir()
	h := host{arch: "amd64", apt: filepath.Join(dir, "apt"), binfmt: filepath.Join(dir, "binfmt")}
	for _, d := range []string{h.apt, h.binfmt} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(dir, "key.asc")
	put(t, key, "-----BEGIN PGP PUBLIC KEY BLOCK-----\n", 0o644)
	put(t, filepath.Join(h.apt, "sources.list"), "deb http://mirror.example/debian/ bookworm main\n"+
		"deb [signed-by="+key+"] http://security.example/debian-security bookworm-security main\n", 0o644)
	return h
}

func debianRecipe(t *testing.T, h host, args ...string) *Recipe {
	t.Helper()
	r, err := debianTemplate(t).recipe(args, h)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestKey(t *testing.T) {
	h := testHost(t)
	key := debianRecipe(t, h).Key()
	if !regexp.MustCompile(`^debian-trixie-amd64-[0-9a-f]{16}$`).MatchString(key) || !isImageKey(key) {
		t.Errorf("key %q", key)
	}
	for _, same := range [][]string{nil, {"-r", "trixie"}} {
		if got := debianRecipe(t, h, same...).Key(); got != key {
			t.Errorf("%q: key %s and %s", same, key, got)
		}
	}
	keys := []string{key}
	for _, other := range [][]string{
		{"-r", "bookworm"}, {"-a", "i386"}, {"--include", "vim"}, {"--mirror", "http://other.example/debian"}, {"--allow-expired"}, {"--init", "runit"},
	} {
		keys = append(keys, debianRecipe(t, h, other...).Key())
	}
	put(t, filepath.Join(h.apt, "sources.list"), "deb http://moved.example/debian bookworm main\n", 0o644)
	keys = append(keys, debianRecipe(t, h).Key())
	template := *debianTemplate(t)
	template.text = append(template.text, '#')
	r, err := template.recipe(nil, h)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, r.Key())
	slices.Sort(keys)
	if n := len(keys); len(slices.Compact(keys)) != n {
		t.Errorf("keys are not all different: %q", keys)
	}
}

func TestIncludeOrder(t *testing.T) {
	h := testHost(t)
	a, b := debianRecipe(t, h, "--include", "vim,less"), debianRecipe(t, h, "--include", "less", "--include", "vim")
	if a.Key() != b.Key() {
		t.Errorf("keys %s and %s", a.Key(), b.Key())
	}
}

// What the tools are called with, in full: a new option here is to be meant.
func TestMmdebstrapArgs(t *testing.T) {
	r := debianRecipe(t, testHost(t), "-r", "bullseye", "--include", "vim", "--allow-expired")
	want := []string{
		"--verbose", "--mode=root", "--format=directory", "--variant=minbase", "--architectures=amd64", "--components=main",
		"--include=adduser,dbus,iproute2,iputils-ping,libpam-systemd,login,netbase,passwd,procps,systemd,systemd-sysv,vim",
		`--aptopt=APT::Install-Recommends "false"`, `--aptopt=Acquire::Languages "none"`, `--aptopt=Acquire::Retries "2"`,
		`--aptopt=Dpkg::Use-Pty "false"`, "--dpkgopt=force-unsafe-io", `--aptopt=Acquire::Check-Valid-Until "false"`,
		"--", "bullseye", "/tmp/tree",
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bullseye main",
		"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.example/debian bullseye-updates main",
		"deb [signed-by=/tmp/files/mirror-1.asc] http://security.example/debian-security bullseye-security main",
	}
	if got := mmdebstrapArgs(r); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	sources := "Types: deb\nURIs: http://mirror.example/debian\nSuites: bullseye bullseye-updates\nComponents: main\n" +
		"Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n" +
		"Types: deb\nURIs: http://security.example/debian-security\nSuites: bullseye-security\nComponents: main\n" +
		"Signed-By: /etc/apt/keyrings/mirror-1.asc\n"
	if got := aptSources(r); got != sources {
		t.Errorf("sources:\n%s", got)
	}
}

func TestInits(t *testing.T) {
	for args, want := range map[string]struct {
		name, packages, without string
	}{
		"":                            {"debian trixie amd64", "dbus libpam-systemd systemd systemd-sysv", "initscripts"},
		"--init systemd -r bookworm":  {"debian bookworm amd64", "dbus libpam-systemd systemd systemd-sysv", "initscripts"},
		"--init sysvinit -r bullseye": {"debian bullseye amd64 sysvinit", "sysvinit-core", "systemd dbus"},
		"--init openrc":               {"debian trixie amd64 openrc", "openrc sysvinit-core", "openrc-init systemd"},
		"--init openrc -r sid":        {"debian sid amd64 openrc", "initscripts openrc openrc-init", "sysvinit-core"},
		"--init openrc -r duke":       {"debian duke amd64 openrc", "initscripts openrc openrc-init", "sysvinit-core"},
		"--init s6 -r sid":            {"debian sid amd64 s6", "busybox s6", "systemd"},
	} {
		r := debianRecipe(t, testHost(t), strings.Fields(args)...)
		if got := r.String(); got != want.name || !strings.HasPrefix(r.Key(), strings.ReplaceAll(want.name, " ", "-")+"-") {
			t.Errorf("%s: %s, key %s", args, got, r.Key())
		}
		for _, name := range strings.Fields(want.packages) {
			if !slices.Contains(r.packages(), name) {
				t.Errorf("%s: package %s is missing in %q", args, name, r.packages())
			}
		}
		for _, name := range strings.Fields(want.without) {
			if slices.Contains(r.packages(), name) {
				t.Errorf("%s: package %s is one of %q", args, name, r.packages())
			}
		}
	}
}

// An init that a template has for some releases only.
func TestInitOfOtherReleases(t *testing.T) {
	text := strings.Replace(debianText(t), `name = "sysvinit"`, `name = "sysvinit"`+"\nreleases = [\"bullseye\"]", 1)
	template, err := parseTemplate("debian", "test", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = template.recipe([]string{"--init", "sysvinit", "-r", "sid"}, testHost(t))
	want := `cannot use template "debian": debian sid has no init "sysvinit"`
	if err == nil || err.Error() != want {
		t.Errorf("%v\nwant %s", err, want)
	}
	if _, err := template.recipe([]string{"--init", "sysvinit", "-r", "bullseye"}, testHost(t)); err != nil {
		t.Error(err)
	}
}

// Without a mirror of its own a host gets the tool's default; a mirror by HTTPS needs certificates in the guest.
func TestMirrors(t *testing.T) {
	h := testHost(t)
	r := debianRecipe(t, h, "-r", "sid", "--mirror", "https://x.example/debian/")
	if got := strings.Join(mmdebstrapArgs(r), " "); !strings.Contains(got, "ca-certificates") ||
		!strings.HasSuffix(got, "sid /tmp/tree deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] https://x.example/debian sid main") {
		t.Error(got)
	}
	h.apt = t.TempDir()
	r = debianRecipe(t, h, "-r", "sid")
	if got := strings.Join(mmdebstrapArgs(r), " "); strings.Contains(got, "://") || !strings.HasSuffix(got, "sid /tmp/tree") {
		t.Error(got)
	}
	if got := strings.Join(debootstrapArgs(r), " "); strings.Contains(got, "://") || !strings.HasSuffix(got, "sid /tmp/tree") {
		t.Error(got)
	}
}

func TestForeignArch(t *testing.T) {
	h := testHost(t)
	if _, err := debianTemplate(t).recipe([]string{"-a", "arm64"}, h); err == nil || !strings.Contains(err.Error(), "apt-get install qemu-user-static") {
		t.Error(err)
	}
	put(t, filepath.Join(h.binfmt, "qemu-aarch64"), "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: \n", 0o644)
	if _, err := debianTemplate(t).recipe([]string{"-a", "arm64"}, h); err == nil || !strings.Contains(err.Error(), "flag F") {
		t.Error(err)
	}
	put(t, filepath.Join(h.binfmt, "qemu-aarch64"), "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: OCF\n", 0o644)
	if r := debianRecipe(t, h, "-a", "arm64"); r.Arch != "arm64" || !strings.HasPrefix(r.Key(), "debian-trixie-arm64-") {
		t.Errorf("recipe %s, key %s", r, r.Key())
	}
}
