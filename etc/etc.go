// Package etc holds what sysct installs on a host as data: the host's configuration, units of
// systemd, tmpfiles.d and sysctl.d. make install copies these files and sysct host init writes
// them; both put the path of the installed program in the place of Program.
package etc

import (
	"embed"
	"strconv"
	"strings"
)

// FS has the files, by their paths in this directory.
//
//go:embed sysct.toml systemd sysctl.d tmpfiles.d
var FS embed.FS

// Program is the path of sysct in the files as they stand here.
const Program = "/usr/bin/sysct"

// SysctlFile is the file of FS with the kernel's parameters.
const SysctlFile = "sysctl.d/50-sysct.conf"

// Sysctl is a parameter of the kernel and the least value that many guests need.
type Sysctl struct {
	Key   string // "fs.inotify.max_user_instances"
	Value int64
}

// Sysctls are the parameters in a text in the form of sysctl.d(5). What isn't a number is left out.
func Sysctls(text string) []Sysctl {
	var all []Sysctl
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(line, "=")
		key = strings.TrimPrefix(strings.TrimSpace(key), "-")
		n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
		if ok && err == nil && !strings.HasPrefix(key, "#") && !strings.HasPrefix(key, ";") {
			all = append(all, Sysctl{key, n})
		}
	}
	return all
}

// Path is where a parameter's value is read and written.
func (s Sysctl) Path() string { return "/proc/sys/" + strings.ReplaceAll(s.Key, ".", "/") }
