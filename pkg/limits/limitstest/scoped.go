package limitstest

import (
	"errors"
	"os"

	"github.com/sysct/sysct/pkg/limits"
)

// Scoped has a backend for delegated groups find them made, as a service manager makes
// them: BASE/NAME with the controllers that it delegates. V2 is where the tree is mounted.
type Scoped struct {
	limits.Backend
	V2 string
}

// Delegated are the controllers that a scope gets from systemd with Delegate=yes.
func Delegated() []string { return []string{"cpu", "cpuset", "io", "memory", "pids"} }

// Make implements limits.Backend.
func (s Scoped) Make(base, name string, l limits.Limits, owner uint32, warn func(string)) (limits.Group, error) {
	path := s.V2 + "/" + base + "/" + name
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, err
	}
	for _, parent := range []string{s.V2, s.V2 + "/" + base} {
		for _, c := range Delegated() {
			if err := os.WriteFile(parent+"/cgroup.subtree_control", []byte("+"+c), 0); err != nil {
				return nil, err
			}
		}
	}
	// As an administrator has to see to: without it nothing is kept, and a start says so.
	if err := os.WriteFile(s.V2+"/"+base+"/memory.min", []byte("max"), 0); err != nil {
		return nil, err
	}
	g, err := s.Backend.Make(base, name, l, owner, warn)
	if err != nil {
		return nil, errors.Join(err, s.removeScope(base, name))
	}
	return scopedGroup{g, func() error { return s.removeScope(base, name) }}, nil
}

// removeScope removes what the backend leaves to the service manager; the base stays while
// others are in it.
func (s Scoped) removeScope(base, name string) error {
	err := os.Remove(s.V2 + "/" + base + "/" + name)
	_ = os.Remove(s.V2 + "/" + base)
	return err
}

type scopedGroup struct {
	limits.Group
	removeScope func() error
}

// Remove implements limits.Group.
func (g scopedGroup) Remove() error { return errors.Join(g.Group.Remove(), g.removeScope()) }
