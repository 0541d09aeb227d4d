package limits

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// The kernel's bounds (kernel/sched/core.c, include/linux/threads.h). They are
// checked here because it answers a bare EINVAL.
const (
	minQuota  = 1000    // µs, also the shortest period
	maxPeriod = 1000000 // µs
	maxPids   = 4194304 // PID_MAX_LIMIT on 64 bits
)

// Knob is one value for one file of a group.
type Knob struct{ Controller, File, Value string }

// Controllers says where a host has its controllers: those of the v2 tree, and
// those that are bound to a v1 hierarchy. A controller is never in both.
type Controllers struct{ V2, V1 []string }

// Plan is everything to be done to a guest's groups, in the order given.
type Plan struct {
	V2, V1   []Knob   // values for the files of each
	Enable   []string // v2 controllers to enable on the way down to the guest's own groups
	Join     []string // v1 controllers whose hierarchies the guest's processes join
	Warnings []string // defaults that this host cannot keep
}

// setting is one limit in the words of both versions.
type setting struct {
	field, controller string
	v2, v1            []Knob
	optional          bool
}

// NewPlan gives the plan for a host with these controllers. A limit that is out
// of bounds, or that the user set and no controller can keep, is a *FieldError;
// the default number of processes is dropped with a warning.
func NewPlan(l Limits, on Controllers) (*Plan, error) {
	settings, err := l.settings()
	if err != nil {
		return nil, err
	}
	p := &Plan{Enable: Enabled(on), Join: Joined(on)}
	for _, s := range settings {
		switch {
		case slices.Contains(on.V2, s.controller):
			p.V2 = append(p.V2, s.v2...)
		case slices.Contains(on.V1, s.controller):
			p.V1 = append(p.V1, s.v1...)
		case s.optional:
			p.Warnings = append(p.Warnings, fmt.Sprintf("%s: the default is not enforced: this host has no %s controller", s.field, s.controller))
		default:
			return nil, &FieldError{s.field, fmt.Errorf("this host has no %s controller", s.controller)}
		}
	}
	return p, nil
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
	return among(on.V1, "cpu", "cpuset", "memory", "pids")
}

func among(have []string, wanted ...string) []string {
	return slices.DeleteFunc(wanted, func(c string) bool { return !slices.Contains(have, c) })
}

func (l Limits) settings() ([]setting, error) {
	var all []setting
	for _, translate := range []func() (*setting, error){l.memory, l.cpuQuota, l.cpuSet, l.pids} {
		s, err := translate()
		if err != nil {
			return nil, err
		}
		if s != nil {
			all = append(all, *s)
		}
	}
	return all, nil
}

func (l Limits) memory() (*setting, error) {
	if l.Memory == nil {
		return nil, nil
	}
	if *l.Memory <= 0 {
		return nil, &FieldError{"limits.memory", fmt.Errorf("%d bytes is no size", *l.Memory)}
	}
	// memory.memsw.limit_in_bytes and memory.swap.max stay: this limits memory, not swap.
	value := strconv.FormatInt(*l.Memory, 10)
	return &setting{
		field: "limits.memory", controller: "memory",
		v2: []Knob{{"memory", "memory.max", value}},
		v1: []Knob{{"memory", "memory.limit_in_bytes", value}},
	}, nil
}

func (l Limits) cpuQuota() (*setting, error) {
	if l.CPUQuota == nil {
		return nil, nil
	}
	quota, period := l.CPUQuota.Quota, l.CPUQuota.Period
	switch {
	case period < minQuota || period > maxPeriod:
		return nil, &FieldError{"limits.cpu_quota", fmt.Errorf("a period of %d µs is not between %d and %d", period, minQuota, maxPeriod)}
	case quota < minQuota:
		return nil, &FieldError{"limits.cpu_quota", fmt.Errorf("%d µs is under the smallest quota of %d", quota, minQuota)}
	}
	q, p := strconv.FormatInt(quota, 10), strconv.FormatInt(period, 10)
	return &setting{
		field: "limits.cpu_quota", controller: "cpu",
		v2: []Knob{{"cpu", "cpu.max", q + " " + p}},
		v1: []Knob{{"cpu", "cpu.cfs_period_us", p}, {"cpu", "cpu.cfs_quota_us", q}},
	}, nil
}

func (l Limits) cpuSet() (*setting, error) {
	if l.CPUSet == "" {
		return nil, nil
	}
	set, err := ParseCPUSet(l.CPUSet)
	if err == nil && len(set) == 0 {
		err = errors.New("it is empty")
	}
	if err != nil {
		return nil, &FieldError{"limits.cpuset", err}
	}
	return &setting{
		field: "limits.cpuset", controller: "cpuset",
		v2: []Knob{{"cpuset", "cpuset.cpus", set.String()}},
		v1: []Knob{{"cpuset", "cpuset.cpus", set.String()}},
	}, nil
}

func (l Limits) pids() (*setting, error) {
	if l.Pids == nil {
		return nil, nil
	}
	if *l.Pids <= 0 || *l.Pids > maxPids {
		return nil, &FieldError{"limits.pids", fmt.Errorf("%d is not between 1 and %d", *l.Pids, maxPids)}
	}
	knobs := []Knob{{"pids", "pids.max", strconv.FormatInt(*l.Pids, 10)}}
	return &setting{field: "limits.pids", controller: "pids", v2: knobs, v1: knobs, optional: l.PidsDefault}, nil
}
