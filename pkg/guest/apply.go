package guest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits"
)

// What becomes of a key that was changed.
const (
	KeyLive    = "live"    // it counts at once
	KeyRestart = "restart" // it counts from the guest's next start on
	KeyRefused = "refused" // it can't be: nothing is changed
)

// KeyChange is a key of a guest's configuration that isn't as the guest was started with,
// or last applied, or that somebody has overruled since in the kernel's files.
type KeyChange struct {
	Key    string `json:"key"`
	From   string `json:"from"` // what counts by now, as set takes it; "" : none
	To     string `json:"to"`
	Effect string `json:"effect"` // KeyLive, KeyRestart or KeyRefused
	Reason string `json:"reason"` // why it is refused, or which of the kernel's files has what; ""
}

// Applying is what an apply comes to, or came to.
type Applying struct {
	Name    string      `json:"name"`
	Running bool        `json:"running"` // else all counts from the next start on
	Applied bool        `json:"applied"` // something was changed in the running guest
	Keys    []KeyChange `json:"keys"`
	// Notes say what the kernel will do to a guest that uses more than it is to have.
	Notes []string `json:"notes"`
	// Partial: an older program has started the guest, which didn't note with what: only
	// its limits can be compared.
	Partial bool `json:"partial"`

	newResolv bool // its /etc/resolv.conf is to be another

	change *monitor.Change // nil: there is nothing to be done
	plan   *monitor.Plan
}

// Has says whether a key has an effect.
func (a *Applying) Has(effect string) bool {
	return slices.ContainsFunc(a.Keys, func(k KeyChange) bool { return k.Effect == effect })
}

// Refused is the ErrConfig for the first key that is refused; nil: none is.
func (a *Applying) Refused() error {
	for _, k := range a.Keys {
		if k.Effect == KeyRefused {
			return as(ErrConfig, fmt.Errorf("nothing is changed: %s: %s", k.Key, k.Reason))
		}
	}
	return nil
}

// ApplyPlan says what an apply would do.
func (m *Manager) ApplyPlan(ctx context.Context, name string) (*Applying, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	cfg, err := m.config(name)
	if err != nil {
		return nil, err
	}
	return m.applying(ctx, name, cfg, func(string) bool { return true })
}

// Apply makes a guest's configuration count as far as it can while the guest runs: all of
// that, or nothing. begin, which may be nil, is told before anything is done. ErrConfig:
// a key is refused, and nothing was changed.
func (m *Manager) Apply(ctx context.Context, name string, begin func(*Applying)) (*Applying, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	lock, err := m.lock(ctx, name)
	if err != nil {
		return nil, err
	}
	defer lock.Release()
	a, err := m.ApplyPlan(ctx, name)
	if err != nil {
		return nil, err
	}
	if begin != nil {
		begin(a)
	}
	return a, m.applyAll(ctx, a)
}

// applying compares a configuration with what the guest runs with, and limits that are wanted
// with what the kernel has.
func (m *Manager) applying(ctx context.Context, name string, cfg *spec.Guest, wanted func(key string) bool) (*Applying, error) {
	a := &Applying{Name: name, Keys: []KeyChange{}, Notes: []string{}}
	running, err := m.populated(name)
	if err != nil || !running {
		return a, err
	}
	a.Running = true
	if a.plan, err = m.runningPlan(ctx, name); err != nil {
		return nil, err
	}
	lim, err := m.guestLimits(cfg)
	refused := m.refusals(cfg, err)
	if err := m.canNest(name, cfg, a.plan.Context.IDs.Size); err != nil {
		refused["nesting"] = strings.ReplaceAll(strings.TrimPrefix(err.Error(), "nesting: "), "\nhint: ", "; ")
	}
	strayed, err := m.strayed(name, a.plan.Limits)
	if err != nil {
		return nil, err
	}
	net := m.liveNetwork(ctx, a.plan, cfg)
	noted := a.compare(cfg, lim, net, refused)
	anew := a.overrule(strayed, wanted, spec.Texts(cfg))
	a.newResolv = net.wanted && net.resolv != a.plan.Context.Resolv
	if a.Has(KeyLive) && !a.Has(KeyRefused) {
		a.change = &monitor.Change{Limits: &lim, Config: noted, Anew: anew, Net: net.change()}
		a.Notes = m.shrinkNotes(name, withoutStrayed(a.plan.Limits, strayed), lim)
	}
	return a, nil
}

// applyAll makes a change that was planned.
func (m *Manager) applyAll(ctx context.Context, a *Applying) error {
	if err := a.Refused(); err != nil || a.change == nil {
		return err
	}
	// Whoever interrupts now would not learn whether it was made.
	err := m.change(context.WithoutCancel(ctx), a.Name, a.change)
	a.Applied = err == nil
	if a.Applied && a.change.Limits != nil {
		m.tellShares(ctx, a.plan, &a.plan.Limits, a.change.Limits)
	}
	if a.Applied && a.newResolv {
		m.opt.Warn("its name servers are others now: /etc/resolv.conf is written at its next start")
	}
	if a.Applied && a.change.Net != nil {
		if err := m.leaveNetworks(ctx, a.change.Net, a.Name); err != nil {
			m.opt.Warn(oneLine(err)) // the next start tries again
		}
	}
	if a.Applied && len(a.change.Anew) > 0 {
		m.warnOfStill(a)
	}
	return err
}

// undo makes the guest as it was before a change that was made.
func (m *Manager) undo(ctx context.Context, a *Applying) error {
	if !a.Applied {
		return nil
	}
	config := a.plan.Config
	if config == nil {
		config = map[string]string{}
	}
	back := &monitor.Change{Limits: &a.plan.Limits, Config: config}
	if a.change.Net != nil {
		back.Net = &a.plan.Context.Net
	}
	err := m.change(context.WithoutCancel(ctx), a.Name, back)
	if err == nil && a.change.Limits != nil {
		m.tellShares(ctx, a.plan, a.change.Limits, &a.plan.Limits)
	}
	if err != nil {
		return fmt.Errorf("cannot take the change of the running guest back: %w", err)
	}
	return nil
}

// refusals are the keys that this host can't give the guest, and why.
func (m *Manager) refusals(cfg *spec.Guest, limitsErr error) map[string]string {
	refused := map[string]string{}
	var field *limits.FieldError
	switch {
	case limitsErr == nil:
	case errors.As(limitsErr, &field):
		refused[field.Field] = field.Err.Error()
	default:
		key, reason, named := strings.Cut(limitsErr.Error(), ": ")
		if !named || spec.ChangeOf(key) == "" {
			key, reason = "limits", limitsErr.Error()
		}
		refused[key] = reason
	}
	if bad := m.badHook(cfg); bad != nil {
		refused[hookKey(bad.Hook)] = bad.Path + ": " + bad.Err.Error()
	}
	return refused
}

// applyChanged has keys of a configuration that is about to be written count in the guest,
// if it runs, and says of each whether it does. Those that were named count even if they are as
// they were.
func (m *Manager) applyChanged(ctx context.Context, name string, change *ConfigChange, cfg *spec.Guest, named []string) (*Applying, error) {
	a := &Applying{Name: name}
	running, err := m.populated(name)
	if err != nil || !running {
		return a, err
	}
	live := slices.ContainsFunc(named, func(key string) bool { return putLive(key, spec.ChangeOf(key)) })
	for _, key := range change.Keys {
		when := spec.ChangeOf(key)
		live = live || putLive(key, when)
		if when != "live" {
			change.Waiting = append(change.Waiting, key)
		}
	}
	if !live {
		return a, nil
	}
	isNamed := func(key string) bool { return slices.Contains(named, key) }
	a, err = m.applying(ctx, name, cfg, isNamed)
	if errors.Is(err, errOldMonitor) {
		change.Old, change.Waiting = true, withLive(change.Waiting, change.Keys)
		return &Applying{Name: name}, nil
	}
	if err != nil {
		return nil, err
	}
	for _, k := range a.Keys {
		if k.Effect == KeyLive && !slices.Contains(change.Keys, k.Key) && !isNamed(k.Key) {
			change.Also = append(change.Also, k.Key)
		}
	}
	for _, note := range a.Notes {
		m.opt.Warn(note)
	}
	return a, m.applyAll(ctx, a)
}

// withLive are the keys of a list that wait, with those that can't be put into effect.
func withLive(waiting, keys []string) []string {
	return slices.DeleteFunc(slices.Clone(keys), func(key string) bool {
		return !slices.Contains(waiting, key) && !putLive(key, spec.ChangeOf(key))
	})
}
