package link

import (
	"errors"
	"fmt"
	"reflect"

	"github.com/sysct/sysct/pkg/vnet"
)

// Undo makes the interfaces of a guest those of was again, after a change to tried whose
// process was killed at any point of it, also while it took the change back itself. What is
// whole is left as it is. All that can be brought back is.
func (s *Session) Undo(tried, was *vnet.Setup) error {
	s.become(was)
	var errs []error
	for i := range tried.Interfaces {
		is := &tried.Interfaces[i]
		if before := find(was, is.Name); before == nil || !alike(before, is) {
			errs = append(errs, s.remove(is))
		}
	}
	for i := range was.Interfaces {
		is := &was.Interfaces[i]
		if err := s.restore(find(tried, is.Name), is); err != nil {
			errs = append(errs, fmt.Errorf("cannot bring back interface %s: %w", is.Name, err))
		}
	}
	return errors.Join(errs...)
}

// restore brings back one that was to become tried; nil: it was to go.
func (s *Session) restore(tried, is *vnet.Interface) error {
	if tried != nil && !alike(tried, is) || !s.there(is) {
		// Half of it may be there.
		return errors.Join(s.remove(is), s.add(is))
	}
	if tried == nil {
		tried = is
	} else if reflect.DeepEqual(tried, is) {
		return nil
	}
	for _, st := range steps(is.Type)[1:] { // but for the link's making, these can be done again
		if err := st.do(s, is); err != nil {
			return fmt.Errorf("%s: %w", st.name, err)
		}
	}
	return s.adjust(tried, is)
}

// become has the session work for a setup that the guest comes to from another.
func (s *Session) become(setup *vnet.Setup) {
	s.setup, s.changing = setup, true
	for name, g := range s.guards { // of the other setup
		g.Close()
		delete(s.guards, name)
	}
}
