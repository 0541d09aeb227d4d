package limits

import (
	"slices"
	"strings"
)

// Knob is one value for one file of a group.
type Knob struct {
	Field      string // the key in the configuration that it is for
	Controller string
	File       string
	Key        string // the line of the file that it is, where a file has one a device
	Value      string
	Default    string // the value of no limit; empty text is written as a line
	Place      Place  // in which of the guest's groups of v2; v1 has one alone
	// Either: the kernel may lack it if it has another one of the same field.
	Either bool
}

// Place is one of a guest's groups in v2, see [Group].
type Place int

// The places of knobs.
const (
	// InGuest is the group guest, where the limits are.
	InGuest Place = iota
	// Beside is the group above it, BASE/NAME: the other guests' are beside it, and what
	// weighs guests against each other stands there.
	Beside
	// InPayload is the guest's own root: the file belongs to the host all the same.
	InPayload
)

// same tells whether two knobs are the same place.
func (k *Knob) same(other *Knob) bool {
	return k.File == other.File && k.Key == other.Key && k.Controller == other.Controller && k.Place == other.Place
}

// IsDefault tells whether the knob's value limits nothing.
func (k *Knob) IsDefault() bool { return k.Value == k.Default }

// Present gives the knob with the value that the text of its file has, to be written
// back.
func (k Knob) Present(text string) Knob {
	if k.Key == "" {
		k.Value, _, _ = strings.Cut(text, "\n")
		return k
	}
	k.Value = k.Default
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); strings.HasPrefix(line, k.Key+" ") {
			k.Value = line
		}
	}
	return k
}

// Controllers says where a host has its controllers: those of the v2 tree, and
// those that are bound to a v1 hierarchy. A controller is never in both.
type Controllers struct {
	V2, V1 []string
	// Delegated: V2 are those that the host's service manager delegates.
	Delegated bool
}

// Enabled lists the v2 controllers that a guest gets, limits or none, so that
// its own service manager can use them below its root.
func Enabled(on Controllers) []string {
	return among(on.V2, "cpu", "cpuset", "io", "memory", "pids")
}

// Joined lists the v1 controllers whose hierarchies a guest is in, limits or
// none: for its figures, for its fair share, and so that every process of a
// guest is in the same groups, whoever started it.
func Joined(on Controllers) []string {
	return among(on.V1, "cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "hugetlb")
}

func among(have []string, wanted ...string) []string {
	return slices.DeleteFunc(wanted, func(c string) bool { return !slices.Contains(have, c) })
}
