package cgroupfs

import (
	"errors"
	"fmt"
	"time"

	"github.com/sysct/sysct/pkg/limits"
)

// Make implements limits.Backend. It refuses what it can before it makes anything,
// and undoes what it made if a later step fails.
func (b *Backend) Make(base, name string, l limits.Limits, owner uint32, warn func(string)) (limits.Group, error) {
	m := &maker{Backend: b, base: base, name: name, limits: l, owner: owner, warn: warn}
	defer m.close()
	if err := m.check(); err != nil {
		return nil, fmt.Errorf("cannot make groups of %q: %w", name, err)
	}
	for _, step := range m.steps() {
		if err := step.do(); err != nil {
			err = fmt.Errorf("cannot make groups of %q: cannot %s: %w", name, step.what, err)
			return nil, errors.Join(err, m.undo())
		}
	}
	m.warnOfSlice()
	group, err := b.Open(base, name)
	if err != nil {
		return nil, errors.Join(err, m.undo())
	}
	for _, w := range m.warnings {
		if warn != nil {
			warn(w)
		}
	}
	return group, nil
}

// Check says which of the limits no group of this host could keep, by a *FieldError, and
// makes nothing. Of what a service manager may delegate it is known which controllers never
// are.
func (b *Backend) Check(l limits.Limits) error {
	m := &maker{Backend: &Backend{tree: b.tree}, base: "none", name: "none", limits: l}
	m.on.Delegated = b.delegated
	defer m.close()
	return m.check()
}

// maker is the state of one Make.
type maker struct {
	*Backend
	base, name string
	limits     limits.Limits
	owner      uint32
	warn       func(string)

	plan     *limits.Plan
	warnings []string
	on       limits.Controllers
	choice   *choice // of CPUs, that no other guest makes at the same time

	root, parent, group, guest, payload *dir   // v2, from the top down
	claimed                             []*dir // roots of the hierarchies that have groups of this Make
}

type step struct {
	what string
	do   func() error
}

func (m *maker) steps() []step {
	return []step{
		{"make the v2 groups", m.makeV2},
		{"enable controllers", m.enable},
		{"choose CPUs", m.chooseV2},
		{"set v2 limits", func() error { return write(m.placed(m.plan.V2)) }},
		{"keep memory", func() error { return m.keepMemory(m.base, m.plan.V2) }},
		{"hand payload over", func() error { return delegate(m.payload, m.owner) }},
		{"make the v1 groups", m.makeV1},
	}
}

// check opens the v2 tree, reads what the host has, and plans. It changes nothing.
func (m *maker) check() (err error) {
	if err := errors.Join(checkComponent(m.base), checkComponent(m.name)); err != nil {
		return err
	}
	if m.root, err = openMount(m.tree.V2); err != nil {
		return err
	}
	if m.delegated {
		if err := m.openDelegated(); err != nil {
			return err
		}
	}
	top := m.root
	if m.delegated {
		top = m.group
	}
	if m.on.V2, err = top.words("cgroup.controllers"); err != nil {
		return err
	}
	if m.delegated {
		m.on.Delegated = true
	} else if m.on.Delegated {
		m.on.V2 = limits.Enabled(m.on) // the group, which would tell, isn't there yet
	}
	for controller := range m.tree.V1 {
		m.on.V1 = append(m.on.V1, controller)
	}
	if m.plan, err = limits.NewPlan(m.limits, m.on); err != nil {
		return err
	}
	m.warnings = m.plan.Warnings
	return m.checkCPUs()
}

func (m *maker) makeV2() (err error) {
	if m.delegated {
		err = m.clearDelegated()
	} else if m.parent, m.group, err = claim(m.root, m.base, m.name); err == nil {
		m.claimed = append(m.claimed, m.root)
	}
	if err != nil {
		return err
	}
	if m.guest, err = m.group.create("guest"); err != nil {
		return err
	}
	m.payload, err = m.guest.create("payload")
	return err
}

func (m *maker) makeV1() error {
	for _, h := range m.tree.joined() {
		if err := m.makeHierarchy(h); err != nil {
			return err
		}
	}
	return nil
}

func (m *maker) makeHierarchy(h hierarchy) error {
	root, err := openMount(h.path)
	if err != nil {
		return err
	}
	parent, group, err := claim(root, m.base, m.name)
	if err != nil {
		root.close()
		return err
	}
	defer parent.close()
	defer group.close()
	m.claimed = append(m.claimed, root)
	if h.has("cpuset") {
		if err := inheritCPUs(root, parent, group); err != nil {
			return err
		}
	}
	if h.has("cpuset") {
		if err := m.chooseV1(group); err != nil {
			return err
		}
	}
	return write(inGroup(group, only(m.plan.V1, h)))
}

// only picks the knobs of one hierarchy's controllers.
func only(knobs []limits.Knob, h hierarchy) []limits.Knob {
	var some []limits.Knob
	for _, k := range knobs {
		if h.has(k.Controller) {
			some = append(some, k)
		}
	}
	return some
}

// undo removes the groups that were claimed, the last first.
func (m *maker) undo() error {
	if m.delegated {
		return emptyDelegated(m.tree.V2, m.base, m.name, time.Now().Add(patience))
	}
	var failed []error
	for i := len(m.claimed) - 1; i >= 0; i-- {
		if err := removeTree(m.claimed[i], m.base, m.name, time.Now().Add(patience)); err != nil {
			failed = append(failed, fmt.Errorf("cannot undo groups of %q: %w", m.name, err))
		}
	}
	return errors.Join(failed...)
}

func (m *maker) close() {
	m.choice.end()
	for _, d := range append(m.claimed, m.parent, m.group, m.guest, m.payload) {
		d.close()
	}
	if len(m.claimed) == 0 {
		m.root.close() // otherwise it is the first that was claimed
	}
}
