package guest

import "github.com/sysct/sysct/pkg/limits"

// shrinkNotes say what becomes of a guest that uses more than it is to have: a line for
// each such limit.
func (m *Manager) shrinkNotes(name string, from, to limits.Limits) []string {
	notes := []string{}
	var stats limits.Stats
	err := m.withGroup(name, func(g limits.Group) (err error) {
		stats, err = g.Stats()
		return err
	})
	if err != nil {
		return notes // who changes the groups meets it, too
	}
	for _, l := range limits.Lowers(from, to, stats) {
		notes = append(notes, l.String())
	}
	return notes
}
