package images

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/pkg/images/confine"
)

// What the bootstrap tools are called with, and what the guest's apt is told of it. Pure: nothing is run here.

// toolEnv is the whole environment of a bootstrap tool, and so of the maintainer scripts. Proxies come from the caller.
func toolEnv(tool string, proxies []string) []string {
	env := []string{
		"PATH=" + toolPath, "HOME=/tmp", "TMPDIR=/tmp", "TERM=dumb", "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
		"DEBIAN_FRONTEND=noninteractive", "DEBCONF_NONINTERACTIVE_SEEN=true", "DEBCONF_NOWARNINGS=yes",
	}
	if tool == "debootstrap" {
		env = append(env, "container=lxc") // it then tries no mknod, which a user namespace refuses
	}
	return append(env, proxies...)
}

// hostKey is where the tool finds the keyring of mirror i.
func (m Mirror) hostKey(i int, own string) string {
	if m.Key == nil {
		return own
	}
	return filepath.Join(confine.Files, m.keyFile(i))
}

// hooksDir has the hooks that come with mmdebstrap.
const hooksDir = "/usr/share/mmdebstrap/hooks"

func mmdebstrapArgs(r *Recipe) []string {
	d := r.template.Debootstrap
	args := []string{
		"--verbose", "--mode=root", "--format=directory", "--variant=" + d.Variant, "--architectures=" + r.Arch,
		"--components=" + strings.Join(d.Components, ","), "--include=" + strings.Join(r.packages(), ","),
		`--aptopt=APT::Install-Recommends "false"`, `--aptopt=Acquire::Languages "none"`, `--aptopt=Acquire::Retries "2"`,
		`--aptopt=Dpkg::Use-Pty "false"`,
		"--dpkgopt=force-unsafe-io", // the build is thrown away unless it gets to its end, and synced there
	}
	for _, hook := range r.release().Hooks {
		if dir := filepath.Join(hooksDir, hook); isDir(dir) {
			args = append(args, "--hook-dir="+dir)
		}
	}
	if r.isSet("allow-expired") {
		args = append(args, `--aptopt=Acquire::Check-Valid-Until "false"`)
	}
	args = append(args, "--", r.Release, confine.Tree)
	for i, m := range r.Source.Mirrors {
		for _, suite := range m.Suites {
			args = append(args, fmt.Sprintf("deb [signed-by=%s] %s %s %s", m.hostKey(i, d.Keyring), m.URI, suite, strings.Join(m.Components, " ")))
		}
	}
	return args
}

// debootstrapArgs leaves all suites but the release itself to the guest's apt: the tool knows one only. It does not look at
// Valid-Until either.
func debootstrapArgs(r *Recipe) []string {
	d := r.template.Debootstrap
	args := []string{
		"--variant=" + d.Variant, "--arch=" + r.Arch, "--merged-usr", "--components=" + strings.Join(d.Components, ","),
		"--include=" + strings.Join(r.packages(), ","),
	}
	if len(r.Source.Mirrors) == 0 {
		return append(args, "--keyring="+d.Keyring, r.Release, confine.Tree)
	}
	m := r.Source.Mirrors[0]
	args = append(args, "--keyring="+m.hostKey(0, d.Keyring), r.Release, confine.Tree, m.URI)
	const scripts = "/usr/share/debootstrap/scripts"
	if !exists(filepath.Join(scripts, r.Release)) {
		args = append(args, filepath.Join(scripts, "sid")) // a release that is newer than the tool is built as sid is
	}
	return args
}

// aptSources is the text of the guest's .sources file.
func aptSources(r *Recipe) string {
	var text strings.Builder
	for i, m := range r.Source.Mirrors {
		key := r.template.Debootstrap.Keyring
		if m.Key != nil {
			key = filepath.Join(guestKeys, m.keyFile(i))
		}
		fmt.Fprintf(&text, "Types: deb\nURIs: %s\nSuites: %s\nComponents: %s\nSigned-By: %s\n\n",
			m.URI, strings.Join(m.Suites, " "), strings.Join(m.Components, " "), key)
	}
	return strings.TrimSuffix(text.String(), "\n")
}
