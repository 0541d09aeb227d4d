package monitor

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/vnet/space"
)

// Change is what of a plan may change while its guest runs. It is made whole or not at
// all, and whoever is killed in the middle leaves the old or the new:
//
//	store            groups          a successor finds
//	plan                             the old
//	plan, plan-next  being changed   both: it changes the groups and the network back, drops plan-next
//	plan-next        changed         the new: it goes on from here
//	plan (the new)                   the new
type Change struct {
	// Limits are what the guest may use from now on; nil: as before.
	Limits *limits.Limits `json:"limits,omitempty"`
	// Net is the guest's network from now on, in the namespace that it has; nil: as before.
	Net *space.Plan `json:"net,omitempty"`
	// Config is Plan.Config from now on; nil: as before.
	Config map[string]string `json:"config"`
	// Anew has keys of limits that count again where somebody has written the kernel's files,
	// with what is in force instead, as Config has values.
	Anew map[string]string `json:"anew,omitempty"`
}

// with is the plan after a change.
func (p *Plan) with(c *Change) *Plan {
	next := *p
	if c.Limits != nil {
		next.Limits = *c.Limits
	}
	if c.Net != nil {
		next.Context.Net = *c.Net
	}
	if c.Config != nil {
		next.Config = c.Config
	}
	return &next
}

// WriteChange gives a memfd with a change, as it goes along with [control.OpApply].
func WriteChange(c *Change) (int, error) {
	data, err := json.Marshal(c)
	if err != nil {
		return -1, fmt.Errorf("cannot write change: %w", err)
	}
	fd, err := memfd("sysct-change", data)
	if err != nil {
		return -1, fmt.Errorf("cannot write change: %w", err)
	}
	return fd, nil
}

// readChange reads what came with a request; nil for one that takes none.
func readChange(op control.Op, fds []int) (*Change, error) {
	if op != control.OpApply {
		return nil, nil
	}
	if len(fds) != 1 {
		return nil, errors.New("a change takes one descriptor")
	}
	data, err := contents(fds[0])
	if err != nil {
		return nil, fmt.Errorf("cannot read change: %w", err)
	}
	c := &Change{}
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("cannot read change: %w", err)
	}
	return c, nil
}
