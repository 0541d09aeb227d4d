package guest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// AddInterface gives a guest another interface, an entry of [[net]] with keys written as
// KEY=VALUE, at once if it runs. Without a type it is on a bridge.
func (m *Manager) AddInterface(ctx context.Context, name string, keys []string) (*ConfigChange, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	cfg, err := m.config(name)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, "type=") }) {
		keys = append([]string{"type=" + spec.NetBridge}, keys...)
	}
	var changes []spec.Change
	for _, key := range keys {
		change, err := spec.ParseChange(fmt.Sprintf("net[%d].%s", len(cfg.Net), key))
		if err != nil {
			return nil, as(ErrConfig, err)
		}
		changes = append(changes, change)
	}
	return m.SetConfig(ctx, name, changes)
}

// RemoveInterface takes an interface away from a guest, by its name there. The others keep
// their names: those that had them by their place in the list get them written.
func (m *Manager) RemoveInterface(ctx context.Context, name, iface string) (*ConfigChange, error) {
	if err := m.check(name); err != nil {
		return nil, err
	}
	cfg, err := m.config(name)
	if err != nil {
		return nil, err
	}
	at := -1
	var names []string
	var changes []spec.Change
	for i := range cfg.Net {
		n := &cfg.Net[i]
		names = append(names, n.IfName(i))
		switch {
		case at < 0 && n.IfName(i) == iface:
			at = i
		case at >= 0 && n.Name == "":
			changes = append(changes, spec.Change{Key: fmt.Sprintf("net[%d].name", i), Value: n.IfName(i)})
		}
	}
	if at < 0 {
		has := "none"
		if len(names) > 0 {
			has = strings.Join(names, ", ")
		}
		return nil, as(ErrConfig, fmt.Errorf("it has no interface %q by its own configuration: it has %s", iface, has))
	}
	// First, and of no effect but in the file: places change with the removal.
	if len(changes) > 0 {
		if _, err := m.SetConfig(ctx, name, changes); err != nil {
			return nil, err
		}
	}
	return m.SetConfig(ctx, name, []spec.Change{{Key: fmt.Sprintf("net[%d]", at), Unset: true}})
}
