package images

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/pkg/images/confine"
)

// toolPath is where the host's bootstrap tools and all that they call are found, whatever the caller's PATH is.
const toolPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// guestKeys is where keyrings lie that no package of the guest brings.
const guestKeys = "/etc/apt/keyrings"

// buildDebootstrap fills the tree by mmdebstrap, or else by debootstrap.
func buildDebootstrap(ctx context.Context, b *build) error {
	r := b.recipe
	tool, path, err := b.findTool("mmdebstrap", "debootstrap")
	if err != nil {
		return err
	}
	if chosen, _ := r.chosenInit(); tool == "debootstrap" && len(chosen.Exclude) > 0 {
		return fmt.Errorf("debootstrap can't make a system with init %q (apt-get install mmdebstrap)", chosen.Name)
	}
	if err := needsKeyring(r); err != nil {
		return err
	}
	if tool == "mmdebstrap" && r.Arch != thisHost().arch { // it insists on trying by itself
		if _, _, err := b.findTool("arch-test"); err != nil {
			return err
		}
	}
	args := mmdebstrapArgs(r)
	if tool == "debootstrap" {
		args = debootstrapArgs(r)
	}
	files := map[string][]byte{}
	for i, m := range r.Source.Mirrors {
		if m.Key != nil {
			files[m.keyFile(i)] = m.Key
		}
	}
	b.out.stage("building " + r.String() + " with " + tool)
	err = confine.Run(ctx, &confine.Command{
		Args: append([]string{path}, args...), Env: toolEnv(tool, proxies(ctx)), Files: files,
		Dir: b.tree, IDBase: b.store.idBase(), Idle: b.store.idle(), Output: b.out,
	})
	if err != nil {
		return fmt.Errorf("%s: %w", tool, err)
	}
	b.out.stage("  configuring")
	return b.configureApt()
}

// findTool finds the first of the tools that is installed.
func (b *build) findTool(tools ...string) (tool, path string, err error) {
	for _, tool := range tools {
		for _, dir := range filepath.SplitList(b.store.path()) {
			path := filepath.Join(dir, tool)
			if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return tool, path, nil
			}
		}
	}
	return "", "", fmt.Errorf("%s is not installed (apt-get install %s)", tools[0], tools[0])
}

// needsKeyring finds a missing keyring before the tool does, which would only report a bad signature.
func needsKeyring(r *Recipe) error {
	d := r.template.Debootstrap
	if len(r.Source.Mirrors) > 0 && r.Source.Mirrors[0].Key != nil {
		return nil
	}
	if _, err := os.Stat(d.Keyring); err != nil {
		return fmt.Errorf("%s is missing (apt-get install %s)", d.Keyring, d.KeyringPackage)
	}
	return nil
}

// configureApt makes apt in the guest use the mirrors of the build, and none of the build's options: mmdebstrap writes each
// --aptopt into 99mmdebstrap. So a guest that was built with allow-expired doesn't trust an old archive for ever.
func (b *build) configureApt() error {
	r := b.recipe
	gone := []string{"/etc/apt/apt.conf.d/99mmdebstrap", "/etc/dpkg/dpkg.cfg.d/99mmdebstrap"}
	if len(r.Source.Mirrors) > 0 {
		gone = append(gone, "/etc/apt/sources.list", "/etc/apt/sources.list.d/*")
	}
	tree := Tree{Remove: gone, Dirs: []Dir{{"/etc/apt/sources.list.d", 0o755}, {guestKeys, 0o755}}}
	if len(r.Source.Mirrors) > 0 {
		name := "/etc/apt/sources.list.d/" + strings.ToLower(r.template.Debootstrap.Origin) + ".sources"
		tree.Files = append(tree.Files, File{name, 0o644, aptSources(r)})
	}
	for i, m := range r.Source.Mirrors {
		if m.Key != nil {
			tree.Files = append(tree.Files, File{filepath.Join(guestKeys, m.keyFile(i)), 0o644, string(m.Key)})
		}
	}
	return tree.apply(b.root)
}

// proxies returns the proxies for the build: the caller's own, else the ones that the host's apt is configured with.
func proxies(ctx context.Context) []string {
	var env []string
	for _, scheme := range []string{"http", "https"} {
		name := scheme + "_proxy"
		value := os.Getenv(name)
		if value == "" {
			value = aptProxy(ctx, scheme)
		}
		if value != "" {
			env = append(env, name+"="+value)
		}
	}
	if value := os.Getenv("no_proxy"); value != "" {
		env = append(env, "no_proxy="+value)
	}
	return env
}

// aptProxy asks the host's apt. A host without apt has no such proxy.
func aptProxy(ctx context.Context, scheme string) string {
	out, err := exec.CommandContext(ctx, "apt-config", "dump", "--no-empty", "--format", "%v%n", "Acquire::"+scheme+"::Proxy").Output()
	value, _, _ := strings.Cut(string(out), "\n")
	if err != nil || value == "DIRECT" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r == 0x7f }) {
		return ""
	}
	return value
}
