package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/limits/detect"
)

// place is where a guest's control groups are: below BASE/GROUP.
type place struct {
	backend     limits.Backend
	base, group string
}

// place is where a guest's groups are made, its backend left out.
func (m *Manager) place(name string) place {
	if m.units {
		return place{base: guestSlice, group: scopeName(name)}
	}
	return place{base: m.base(), group: name}
}

// places are all where a guest's groups may be: one that was started before guests became
// units is still where its holder made them.
func (m *Manager) places(name string) ([]place, error) {
	tree, err := detect.Find()
	if err != nil {
		return nil, err
	}
	own := place{cgroupfs.New(tree), m.base(), name}
	if !m.units {
		return []place{own}, nil
	}
	return []place{{cgroupfs.NewDelegated(tree), guestSlice, scopeName(name)}, own}, nil
}

// openGroup opens the guest's groups; the caller closes them. fs.ErrNotExist if there
// are none.
func (m *Manager) openGroup(name string) (limits.Group, error) {
	places, err := m.places(name)
	if err != nil {
		return nil, err
	}
	err = fmt.Errorf("cannot open groups of %q: %w", name, fs.ErrNotExist)
	for _, p := range places {
		var g limits.Group
		if g, err = p.backend.Open(p.base, p.group); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return g, err
		}
	}
	return nil, err
}

// elsewhere is the error for a guest whose processes are not where its monitor would look
// for them: it was started before guests became units, and its monitor has died.
func (m *Manager) elsewhere(name string) error {
	places, err := m.places(name)
	if err != nil || len(places) == 1 {
		return err
	}
	old := places[len(places)-1]
	g, err := old.backend.Open(old.base, old.group)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.Close()
	if populated, _, err := g.Events(); !populated || err != nil {
		return err
	}
	return stateError("processes of it run that no monitor keeps, from before guests were units\nhint: sysct stop -k %s, then start it", name)
}

// sights looks at many guests at once, see [limits.Backend].
func (m *Manager) sights(names []string, want limits.Want) (map[string]limits.Sight, error) {
	tree, err := detect.Find()
	if err != nil {
		return nil, err
	}
	found, err := cgroupfs.New(tree).Sights(m.base(), names, want)
	if err != nil || !m.units {
		return found, err
	}
	scopes, nameOf := scopesOf(names)
	inScopes, err := cgroupfs.NewDelegated(tree).Sights(guestSlice, scopes, want)
	if err != nil {
		return nil, err
	}
	for scope, sight := range maps.All(inScopes) {
		found[nameOf[scope]] = sight
	}
	return found, nil
}

// scopesOf gives the scopes of guests, and the guests by their scopes.
func scopesOf(names []string) ([]string, map[string]string) {
	scopes, nameOf := make([]string, len(names)), map[string]string{}
	for i, name := range names {
		scopes[i] = scopeName(name)
		nameOf[scopes[i]] = name
	}
	return scopes, nameOf
}
