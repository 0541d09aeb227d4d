package limits

import (
	"fmt"
	"slices"
	"strings"
)

// coreFiles are the files of a group's own that may be written: all others of cgroup.*
// would tear the guest apart, or are what verbs are for.
func coreFiles() []string {
	return []string{"cgroup.max.depth", "cgroup.max.descendants", "cgroup.pressure"}
}

// CheckFile says whether a name is that of a file of a control group, as cpu.weight, and
// may be written, if that is wanted.
func CheckFile(name string, write bool) error {
	controller, rest, dotted := strings.Cut(name, ".")
	odd := strings.ContainsFunc(name, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.')
	})
	switch {
	case odd || !dotted || controller == "" || rest == "" || strings.Contains(name, ".."):
		return fmt.Errorf("%q is not the name of a control group's file, as memory.max", name)
	case !write || controller != "cgroup" || slices.Contains(coreFiles(), name):
		return nil
	}
	verbs, known := map[string]string{
		"cgroup.freeze": "sysct freeze and sysct thaw", "cgroup.kill": "sysct stop -k", "cgroup.procs": "sysct exec", "cgroup.threads": "sysct exec",
	}[name]
	if known {
		return fmt.Errorf("%s is not to be written\nhint: use %s", name, verbs)
	}
	return fmt.Errorf("%s is not to be written: the guest needs it as it is", name)
}
