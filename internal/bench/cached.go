package main

import (
	"os"
	"path/filepath"
)

// creation is what Debian's packages have for it: the busybox template, and for
// Debian the template that unpacks a local tarball, made here once from the image.
func (l *lxc) creation(name string, k kind) ([]string, error) {
	config := filepath.Join(l.b.dir, "lxc.conf")
	if err := os.WriteFile(config, []byte(lxcCommon), 0o644); err != nil {
		return nil, err
	}
	argv := []string{"/usr/bin/lxc-create", "-P", l.path(), "-n", name, "-f", config, "-t"}
	if k == busybox {
		return append(argv, "busybox"), nil
	}
	meta, tree, err := l.b.tarballs(k)
	return append(argv, "local", "--", "--metadata", meta, "--fstree", tree), err
}

// tarballs packs an image as LXC's template wants it.
func (b *bench) tarballs(k kind) (meta, tree string, err error) {
	meta, tree = filepath.Join(b.dir, "meta.tar.xz"), filepath.Join(b.dir, "rootfs.tar.xz")
	if exists(tree) {
		return meta, tree, nil
	}
	image, err := b.image(k)
	if err != nil {
		return "", "", err
	}
	dir := filepath.Join(b.dir, "meta")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", "", err
	}
	config := "lxc.include = LXC_TEMPLATE_CONFIG/debian.common.conf\n"
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte(config), 0o644); err != nil {
		return "", "", err
	}
	// The fastest to unpack that the template takes.
	for from, to := range map[string]string{dir: meta, image: tree} {
		if _, err := b.output("/bin/tar", "-C", from, "--numeric-owner", "-I", "xz -0 -T0", "-cf", to, "."); err != nil {
			return "", "", err
		}
	}
	return meta, tree, nil
}
