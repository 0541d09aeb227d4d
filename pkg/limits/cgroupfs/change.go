package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// Change implements limits.Group.
func (g *group) Change(from, to limits.Limits, anew ...string) error {
	if err := g.change(from, to, anew); err != nil {
		return fmt.Errorf("cannot change limits of %q: %w", g.name, err)
	}
	return nil
}

func (g *group) change(from, to limits.Limits, anew []string) error {
	on, err := g.controllers()
	if err != nil {
		return err
	}
	if _, err := limits.NewPlan(to, on); err != nil {
		return err
	}
	strayed, cpus, err := g.strayedOf(to, on, anew)
	if err != nil {
		return err
	}
	choice, err := g.cpus(&from, &to, on, cpus)
	if err != nil {
		return err
	}
	defer choice.end()
	v2, v1, err := limits.NewChange(from, to, on, strayed...)
	if err != nil {
		return err
	}
	if err := g.enable(v2); err != nil {
		return err
	}
	knobs := inV2(g.own, g.guest, g.payload, v2)
	for _, k := range v1 {
		if d := g.holder(k.Controller); d != nil {
			knobs = append(knobs, placed{k, d})
		}
	}
	return replace(knobs, func() error { return g.backend.keepMemory(g.base, v2) })
}

// controllers says what the guest's groups have. One that a limit can be enabled for
// counts: it is above guest.
func (g *group) controllers() (on limits.Controllers, err error) {
	on.Delegated = g.backend.delegated
	if on.V2, err = g.own.words("cgroup.controllers"); err != nil {
		return on, err
	}
	if !g.backend.delegated {
		root, err := openMount(g.backend.tree.V2)
		if err != nil {
			return on, err
		}
		defer root.close()
		if on.V2, err = root.words("cgroup.controllers"); err != nil {
			return on, err
		}
	}
	for _, j := range g.v1 {
		on.V1 = append(on.V1, j.controllers...)
	}
	return on, nil
}

// enable enables the controllers of knobs that the guest was started without.
func (g *group) enable(knobs []limits.Knob) error {
	have, err := g.guest.words("cgroup.controllers")
	if err != nil {
		return err
	}
	var missing []limits.Knob
	for _, k := range knobs {
		if !slices.Contains(have, k.Controller) {
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	chain := []*dir{g.own}
	if !g.backend.delegated {
		root, err := openMount(g.backend.tree.V2)
		if err != nil {
			return err
		}
		defer root.close()
		base, err := root.open(g.base)
		if err != nil {
			return err
		}
		defer base.close()
		chain = []*dir{root, base, g.own}
	}
	for _, k := range missing {
		if err := enableDown(chain, []string{k.Controller})[k.Controller]; err != nil {
			return &limits.FieldError{Field: k.Field, Err: fmt.Errorf("cannot enable the %s controller: %w", k.Controller, err)}
		}
	}
	return nil
}

// replace writes knobs in their order and does last, and writes what was there before if
// any of it fails.
func replace(knobs []placed, last func() error) error {
	var done []placed
	undo := func(err error) error {
		for _, p := range slices.Backward(done) {
			// A disk that isn't there, or has gone meanwhile, has no limit to be taken back.
			if undoErr := p.write(); undoErr != nil && !errors.Is(undoErr, unix.ENODEV) {
				err = errors.Join(err, fmt.Errorf("cannot set %s back to %s: %w", p.File, p.Value, undoErr))
			}
		}
		return err
	}
	for _, p := range knobs {
		text, err := p.dir.read(p.File)
		if p.Either && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			before := placed{p.Present(text), p.dir}
			done = append(done, before)
			err = p.write()
		}
		if err != nil {
			return undo(p.cannot(err))
		}
	}
	if err := lackingEither(knobs, done, undo); err != nil {
		return err
	}
	if err := last(); err != nil {
		return undo(err)
	}
	return nil
}

// lackingEither is the error of a field of which the kernel has none of the files.
func lackingEither(knobs, done []placed, undo func(error) error) error {
	for _, p := range knobs {
		if p.Either && !slices.ContainsFunc(done, func(d placed) bool { return d.Field == p.Field }) {
			return undo(p.cannot(fs.ErrNotExist))
		}
	}
	return nil
}

// cpuset is the guest's group of CPUs, the file in which the one above says what there is,
// and where their hierarchy is mounted.
func (g *group) cpuset() (own *dir, file, mount string) {
	if d := g.holder("cpuset"); d != nil {
		return d, "cpuset.effective_cpus", g.backend.tree.V1["cpuset"]
	}
	return g.guest, "cpuset.cpus.effective", g.backend.tree.V2
}

// cpus says in both which CPUs are meant: those that the guest has, and those that it is
// to have, which may be the same that strayed. The result ends the choice, when they are
// written; it may be nil.
func (g *group) cpus(from, to *limits.Limits, on limits.Controllers, strayed bool) (*choice, error) {
	if !strayed && from.CPUs == to.CPUs && (to.CPUs > 0 || from.CPUSet == to.CPUSet) {
		to.CPUSet = from.CPUSet
		return nil, nil
	}
	own, file, mount := g.cpuset()
	above, err := own.open("..")
	if err != nil {
		return nil, err
	}
	defer above.close()
	set, err := own.cpus("cpuset.cpus")
	if err != nil {
		return nil, err
	}
	from.CPUSet = set.String()
	switch {
	case to.CPUs > 0:
		return g.chooseAnew(to, mount, above, file, set, from.CPUs > 0 || from.CPUSet != "")
	case to.CPUSet != "":
		return nil, checkThere(*to, above, file)
	}
	if own == g.guest {
		return nil, nil // v2: all, see [placed.write]
	}
	// v1 takes no empty set for a group with processes, nor one that the group above hasn't:
	// it gets all that there are now.
	there, err := above.cpus(file)
	to.CPUSet = there.String()
	return nil, err
}

// chooseAnew chooses the CPUs of a guest that runs: those that it was bound to stay.
func (g *group) chooseAnew(to *limits.Limits, mount string, above *dir, file string, have limits.CPUSet, bound bool) (*choice, error) {
	if !bound {
		have = nil // all
	}
	c, err := beginChoice(mount)
	if err != nil {
		return nil, err
	}
	chosen, err := chooseIn(mount, above, file, to.CPUs, have)
	to.CPUSet = chosen.String()
	if err != nil {
		c.end()
		return nil, err
	}
	return c, nil
}

func checkThere(l limits.Limits, above *dir, file string) error {
	there, err := above.cpus(file)
	if err != nil {
		return err
	}
	return l.CheckCPUs(there)
}
