package limits

import (
	"fmt"
	"slices"
)

// Plan is everything to be done to a guest's groups, in the order given.
type Plan struct {
	V2, V1   []Knob   // values for the files of each
	Enable   []string // v2 controllers to enable on the way down to the guest's own groups
	Join     []string // v1 controllers whose hierarchies the guest's processes join
	Warnings []string // defaults that this host cannot keep
}

// NewPlan gives the plan for a host with these controllers. A limit that is out
// of bounds, or that the user set and no controller can keep, is a *FieldError;
// the default number of processes is dropped with a warning.
func NewPlan(l Limits, on Controllers) (*Plan, error) {
	p := &Plan{Enable: Enabled(on), Join: Joined(on)}
	for _, r := range rows() {
		if !r.isSet(&l) {
			continue
		}
		if err := r.check(&l); err != nil {
			return nil, &FieldError{r.field, err}
		}
		knobs, isV2, err := r.place(&l, on)
		switch {
		case err != nil && r.field == "limits.pids" && l.PidsDefault:
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s: the default is not enforced: %s", r.field, err))
		case err != nil:
			return nil, &FieldError{r.field, err}
		case isV2:
			p.V2 = append(p.V2, knobs...)
		default:
			p.V1 = append(p.V1, knobs...)
		}
	}
	p.V2, p.V1 = set(p.V2), set(p.V1)
	for _, k := range p.V2 {
		if !slices.Contains(p.Enable, k.Controller) { // the guest itself has no use for it
			p.Enable = append(p.Enable, k.Controller)
		}
	}
	return p, nil
}

// set leaves out the values of no limit, which a new group has.
func set(knobs []Knob) []Knob {
	return slices.DeleteFunc(knobs, func(k Knob) bool { return k.IsDefault() })
}

// place gives a row's knobs in the words of the version that has its controller.
func (r *row) place(l *Limits, on Controllers) (knobs []Knob, isV2 bool, err error) {
	old := r.controller
	if r.v1Controller != "" {
		old = r.v1Controller
	}
	switch {
	case slices.Contains(on.V2, r.controller):
		knobs, isV2 = r.v2(l), true
	case !slices.Contains(on.V1, old) && on.Delegated:
		return nil, false, fmt.Errorf("the host's service manager delegates no %s controller", r.controller)
	case !slices.Contains(on.V1, old):
		return nil, false, fmt.Errorf("this host has no %s controller", r.controller)
	case r.v1 == nil:
		return nil, false, fmt.Errorf("the %s controller of this host is of control groups v1, which has no such limit", old)
	default:
		if r.v1Needs != nil && r.isSet(l) {
			if err := r.v1Needs(l); err != nil {
				return nil, false, err
			}
		}
		knobs = r.v1(l)
	}
	for i := range knobs {
		k := &knobs[i]
		k.Field, k.Controller = r.field, r.controller
		if !isV2 {
			k.Controller, k.Place = old, InGuest
		}
	}
	return knobs, isV2, nil
}
