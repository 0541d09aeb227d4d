package cgroupfs

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// choicePatience bounds the wait for others who choose CPUs. Any user may hold the lock:
// a choice that is made without it is a worse one, not a wrong one.
const choicePatience = 200 * time.Millisecond

// choice is the moment in which one guest of the host chooses its CPUs: from the look at
// what the others have until its own are written.
type choice struct{ lock *dir }

// beginChoice takes the lock of the hierarchy that has the cpuset controller.
func beginChoice(mount string) (*choice, error) {
	root, err := openMount(mount)
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(choicePatience); ; time.Sleep(time.Millisecond) {
		err := unix.Flock(root.fd, unix.LOCK_EX|unix.LOCK_NB)
		if err == nil || time.Now().After(deadline) {
			return &choice{root}, nil
		}
	}
}

func (c *choice) end() {
	if c != nil {
		c.lock.close() // and unlocks
		c.lock = nil
	}
}

// chooseV2 chooses the guest's CPUs if it says how many, before its group has any.
func (m *maker) chooseV2() (err error) {
	if m.limits.CPUs == 0 || !slices.Contains(m.on.V2, "cpuset") {
		return nil
	}
	if m.choice, err = beginChoice(m.tree.V2); err != nil {
		return err
	}
	set, err := chooseIn(m.tree.V2, m.guest, "cpuset.cpus.effective", m.limits.CPUs, nil)
	return m.chosen(set, err)
}

func (m *maker) chooseV1(group *dir) (err error) {
	if m.limits.CPUs == 0 {
		return nil
	}
	if m.choice, err = beginChoice(m.tree.V1["cpuset"]); err != nil {
		return err
	}
	set, err := chooseIn(m.tree.V1["cpuset"], group, "cpuset.effective_cpus", m.limits.CPUs, nil)
	return m.chosen(set, err)
}

// chosen makes the plan anew, with the CPUs.
func (m *maker) chosen(set limits.CPUSet, err error) error {
	if err != nil {
		return err
	}
	l := m.limits
	l.CPUSet = set.String()
	enable := m.plan.Enable
	if m.plan, err = limits.NewPlan(l, m.on); err == nil {
		m.plan.Enable = enable
	}
	return err
}

// chooseIn chooses among the CPUs that a file of a group says are there for it.
func chooseIn(mount string, d *dir, file string, n int, have limits.CPUSet) (limits.CPUSet, error) {
	there, err := d.cpus(file)
	if err != nil {
		return nil, err
	}
	used, err := pinned(mount)
	if err != nil {
		return nil, err
	}
	// Its own is among them, and weighs the same for all that it has.
	return limits.Choose(n, there, have, used)
}

// pinned reads which CPUs the guests of all instances of the host are bound to. What
// can't be read is of a guest that just comes or goes.
func pinned(mount string) ([]limits.CPUSet, error) {
	root, err := openMount(mount)
	if err != nil {
		return nil, err
	}
	defer root.close()
	bases, err := subgroups(root.fd)
	if err != nil {
		return nil, err
	}
	var all []limits.CPUSet
	for _, base := range bases {
		if base == "machine.slice" || base == "sysct" || strings.HasPrefix(base, "sysct-") {
			all = append(all, pinnedBelow(root, base)...)
		}
	}
	return all, nil
}

func pinnedBelow(root *dir, base string) []limits.CPUSet {
	d, err := root.open(base)
	if err != nil {
		return nil
	}
	defer d.close()
	names, err := subgroups(d.fd)
	if err != nil {
		return nil
	}
	var all []limits.CPUSet
	for _, name := range names {
		text, err := d.below(name+"/guest", "cpuset.cpus") // v2
		if err != nil {
			text, err = d.below(name, "cpuset.cpus")
		}
		if set, parseErr := limits.ParseCPUSet(text); err == nil && parseErr == nil && len(set) > 0 {
			all = append(all, set)
		}
	}
	return all
}
