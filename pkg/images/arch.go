package images

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// debianArch is Debian's name of a Go architecture.
func debianArch(goarch string) string {
	switch goarch {
	case "386":
		return "i386"
	case "arm":
		return "armhf"
	case "ppc64le":
		return "ppc64el"
	case "mips64le":
		return "mips64el"
	}
	return goarch
}

// emulator is qemu's name of a Debian architecture, and so that of its entry in binfmt_misc.
func emulator(arch string) string {
	switch arch {
	case "amd64":
		return "x86_64"
	case "arm64":
		return "aarch64"
	case "armhf", "armel":
		return "arm"
	case "ppc64el":
		return "ppc64le"
	}
	return arch
}

// canRun tells why programs of that architecture can't be run on the host, as a build and a guest do.
func (h host) canRun(arch string) error {
	if arch == h.arch || (h.arch == "amd64" && arch == "i386") {
		return nil
	}
	entry, err := os.ReadFile(filepath.Join(h.binfmt, "qemu-"+emulator(arch)))
	if err != nil {
		return fmt.Errorf("this host is %s and has no emulator for %q (apt-get install qemu-user-static)", h.arch, arch)
	}
	// Without F the kernel looks for the emulator in the guest's tree, where it isn't.
	enabled, flags := false, ""
	for line := range strings.Lines(string(entry)) {
		line = strings.TrimSpace(line)
		enabled = enabled || line == "enabled"
		if f, ok := strings.CutPrefix(line, "flags: "); ok {
			flags = f
		}
	}
	if !enabled || !strings.Contains(flags, "F") {
		return fmt.Errorf("this host's emulator for %q is not enabled for other root directories (flag F of binfmt_misc)", arch)
	}
	return nil
}
