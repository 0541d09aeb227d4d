package cgroupfs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/limits"
)

// checkCPUs refuses CPUs that are not online: what the root of the cpuset
// controller has is that, and on a host that is itself a guest what this is given.
func (m *maker) checkCPUs() error {
	if m.limits.CPUSet == "" && m.limits.CPUs == 0 {
		return nil
	}
	root, file := m.root, "cpuset.cpus.effective"
	if !slices.Contains(m.on.V2, "cpuset") {
		v1, err := openMount(m.tree.V1["cpuset"])
		if err != nil {
			return err
		}
		defer v1.close()
		root, file = v1, "cpuset.effective_cpus"
	}
	online, err := root.cpus(file)
	if err != nil {
		return err
	}
	return m.limits.CheckCPUs(online)
}

// cpus reads a file of a cpuset.
func (d *dir) cpus(file string) (limits.CPUSet, error) {
	text, err := d.read(file)
	if err != nil {
		return nil, err
	}
	set, err := limits.ParseCPUSet(text)
	if err != nil {
		return nil, fmt.Errorf("cannot parse %s/%s: %w", d.path, file, err)
	}
	return set, nil
}

// inheritCPUs gives every level of a v1 cpuset the CPUs and memory nodes of the
// one above: a new group has none there, and takes no process until it has. The
// base keeps what it has, which may be less by the host administrator's wish.
func inheritCPUs(levels ...*dir) error {
	for _, file := range []string{"cpuset.cpus", "cpuset.mems"} {
		for i := 1; i < len(levels); i++ {
			if err := inherit(levels[i-1], levels[i], file); err != nil {
				return err
			}
		}
	}
	return nil
}

func inherit(parent, child *dir, file string) error {
	have, err := child.read(file)
	if err != nil || strings.TrimSpace(have) != "" {
		return err
	}
	value, err := parent.read(file)
	if err != nil {
		return err
	}
	return child.write(file, strings.TrimSpace(value))
}
