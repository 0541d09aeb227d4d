package cgroupfs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/limits"
)

// enable enables controllers from the root down to payload. One that the kernel
// refuses somewhere is as good as missing: that ends the start only if the user
// set a limit that needs it. Those enabled at the root stay so after the guest.
func (m *maker) enable() error {
	chain := []*dir{m.root, m.parent, m.group, m.guest}
	if m.delegated {
		chain = chain[2:]
	}
	refused := enableDown(chain, m.plan.Enable)
	if len(refused) == 0 {
		return nil
	}
	on := m.on
	on.V2 = slices.DeleteFunc(slices.Clone(on.V2), func(c string) bool { return refused[c] != nil })
	plan, err := limits.NewPlan(m.limits, on)
	if err != nil {
		return fmt.Errorf("%w: %w", err, anyOf(refused))
	}
	m.plan, m.warnings = plan, plan.Warnings
	for _, c := range m.on.V2 {
		if refused[c] != nil {
			m.warnings = append(m.warnings, fmt.Sprintf("cannot enable the %s controller: %v", c, refused[c]))
		}
	}
	return nil
}

// enableDown enables controllers for what is below each of the groups in turn,
// and says which were refused, and why. One refused is not tried further down.
func enableDown(chain []*dir, controllers []string) (refused map[string]error) {
	refused = map[string]error{}
	for _, d := range chain {
		var wanted []string
		for _, c := range controllers {
			if refused[c] == nil {
				wanted = append(wanted, c)
			}
		}
		for c, err := range enableIn(d, wanted) {
			refused[c] = err
		}
	}
	return refused
}

// enableIn enables all that aren't yet with one write: each write visits every
// group below. The kernel takes all or none, so after an error it's one by one.
func enableIn(d *dir, controllers []string) (refused map[string]error) {
	have, err := d.words("cgroup.subtree_control")
	missing := slices.DeleteFunc(slices.Clone(controllers), func(c string) bool { return slices.Contains(have, c) })
	if err == nil && len(missing) == 0 {
		return nil
	}
	if err == nil && d.write("cgroup.subtree_control", "+"+strings.Join(missing, " +")) == nil {
		return nil
	}
	refused = map[string]error{}
	for _, c := range missing {
		if err := d.write("cgroup.subtree_control", "+"+c); err != nil {
			refused[c] = whyRefused(d, err)
		}
	}
	return refused
}

// whyRefused names the process that is in the way: a group with processes of its
// own can't have controllers below, unless it's the host's very root.
func whyRefused(d *dir, err error) error {
	pids, listErr := idsOf(d, "cgroup.procs")
	if listErr != nil || len(pids) == 0 {
		return err
	}
	if _, rootErr := d.read("cgroup.type"); rootErr != nil {
		return err
	}
	return fmt.Errorf("%s is in the way: %w", describe(pids[0]), err)
}

func anyOf(refused map[string]error) error {
	for _, c := range slices.Sorted(maps.Keys(refused)) {
		return refused[c]
	}
	return nil
}
