// Package cgroupfs implements limits.Backend by writing to cgroup file systems
// itself: to the v2 tree alone where that has the controllers, and to v1
// hierarchies beside it where they have them (hybrid hosts). The guest has a v2
// group in either case, for freezing, killing, events and pressure.
//
// Every group is reached by directory fds, one component at a time and never
// through a link: what is below payload belongs to the guest. The package moves no
// process: a guest is cloned into payload, and joins v1 groups by itself. Where another
// program rules the tree it is asked for BASE/NAME by the caller, see [NewDelegated].
package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/limits"
)

// Tree says where a host's hierarchies are mounted.
type Tree struct {
	V2 string            // mount point of cgroup2
	V1 map[string]string // mount point of each controller that is bound to v1
}

// Backend makes groups in one Tree.
type Backend struct {
	tree Tree
	// delegated: BASE/NAME is another program's, and what is below it ours.
	delegated bool
}

// New gives the backend for a tree. Nothing is opened before it is used.
func New(tree Tree) *Backend { return &Backend{tree: tree} }

// NewDelegated gives the backend for groups BASE/NAME of the v2 tree that a service
// manager makes, removes and delegates (systemd.resource-control(5), Delegate=): Make
// finds them made, and nothing but what is below them is touched.
func NewDelegated(tree Tree) *Backend { return &Backend{tree: Tree{V2: tree.V2}, delegated: true} }

var _ limits.Backend = (*Backend)(nil)

// hierarchy is one v1 mount with those of its controllers that guests join.
type hierarchy struct {
	path        string
	controllers []string
}

func (h hierarchy) has(controller string) bool { return slices.Contains(h.controllers, controller) }

// joined lists the v1 hierarchies that guests join: several controllers may be
// mounted together.
func (t Tree) joined() []hierarchy {
	var all []hierarchy
	for _, c := range limits.Joined(limits.Controllers{V1: slices.Collect(maps.Keys(t.V1))}) {
		i := slices.IndexFunc(all, func(h hierarchy) bool { return h.path == t.V1[c] })
		if i < 0 {
			all = append(all, hierarchy{path: t.V1[c]})
			i = len(all) - 1
		}
		all[i].controllers = append(all[i].controllers, c)
	}
	return all
}

// mounts lists the mount points of all hierarchies that have groups of ours.
func (t Tree) mounts() []string {
	all := []string{t.V2}
	for _, h := range t.joined() {
		all = append(all, h.path)
	}
	return all
}

// List implements limits.Backend.
func (b *Backend) List(base string) ([]string, error) {
	found := map[string]bool{}
	for _, mount := range b.tree.mounts() {
		names, err := listBase(mount, base)
		if err != nil {
			return nil, fmt.Errorf("cannot list groups of %q: %w", base, err)
		}
		for _, name := range names {
			found[name] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), nil
}

func listBase(mount, base string) ([]string, error) {
	parent, err := openBase(mount, base)
	if gone(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer parent.close()
	return subgroups(parent.fd)
}

func openBase(mount, base string) (*dir, error) {
	if err := checkComponent(base); err != nil {
		return nil, err
	}
	root, err := openMount(mount)
	if err != nil {
		return nil, err
	}
	defer root.close()
	return root.open(base)
}

// Remove implements limits.Backend. The v2 groups go first: while a process is in
// them, the v1 groups stay too and go on limiting it.
func (b *Backend) Remove(base, name string) error {
	deadline := time.Now().Add(patience)
	if err := errors.Join(checkComponent(base), checkComponent(name)); err != nil {
		return fmt.Errorf("cannot remove groups of %q: %w", name, err)
	}
	if b.delegated {
		return emptyDelegated(b.tree.V2, base, name, deadline)
	}
	if err := removeIn(b.tree.V2, base, name, deadline); err != nil {
		return fmt.Errorf("cannot remove groups of %q: %w", name, err)
	}
	failed := []error{b.freeMemory(base)}
	for _, h := range b.tree.joined() {
		if err := removeIn(h.path, base, name, deadline); err != nil {
			failed = append(failed, fmt.Errorf("cannot remove groups of %q: %w", name, err))
		}
	}
	return errors.Join(failed...)
}

func removeIn(mount, base, name string, deadline time.Time) error {
	root, err := openMount(mount)
	if err != nil {
		return err
	}
	defer root.close()
	return removeTree(root, base, name, deadline)
}

// checkComponent refuses what is not one component of a path.
func checkComponent(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\n\x00") {
		return fmt.Errorf("%q is no name of a group: %w", name, fs.ErrInvalid)
	}
	return nil
}
