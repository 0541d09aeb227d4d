package spec

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// maxName is the most letters of a name: a guest's name becomes one of a host.
const maxName = 63

// The characters that names, numbers and keys are made of.
const (
	letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits  = "0123456789"
)

// CheckName checks a guest's name: 1 to 63 of A-Z a-z 0-9 . _ -, the first a letter
// or digit, not digits alone (a pid), and not one of the words that verbs give a
// meaning to, nor a file of the instance's or of a control group. It is part of
// paths, cgroups, unit and link names.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("the name is empty")
	case len(name) > maxName:
		return fmt.Errorf("name %s is too long: the most is %d letters", show(name), maxName)
	case !madeOf(name, letters+digits+"._-"):
		return fmt.Errorf("name %s: only A-Z a-z 0-9 . _ - are allowed", show(name))
	case !madeOf(name[:1], letters+digits):
		return fmt.Errorf("name %s: the first character must be a letter or a digit", show(name))
	case madeOf(name, digits):
		return fmt.Errorf("name %s: digits alone could be a pid", show(name))
	case slices.Contains(reserved(), name), isFile(name):
		return fmt.Errorf("name %s is reserved", show(name))
	}
	return nil
}

func reserved() []string {
	return []string{"all", "self", "host", "sysct", "holder", "tasks", "notify_on_release", "release_agent"}
}

// isFile tells whether the name could be that of a file which stands beside the
// guests' own: logs, locks and sockets of the instance, knobs of its control group.
func isFile(name string) bool {
	for _, suffix := range []string{".log", ".lock", ".sock", ".console"} {
		if strings.HasSuffix(name, suffix) {
			return true
		}
	}
	for _, prefix := range []string{"cgroup.", "memory.", "cpu.", "cpuset.", "cpuacct.", "pids.", "io.", "blkio.", "hugetlb.", "rdma.", "misc."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// madeOf tells whether s has no other characters than those of set.
func madeOf(s, set string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune(set, r) })
}
