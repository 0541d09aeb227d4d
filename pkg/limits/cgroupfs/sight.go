package cgroupfs

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// Sights implements limits.Backend. What is the same for all guests is opened once, and a
// file of a guest costs three system calls, so that a list of many is short.
func (b *Backend) Sights(base string, names []string, want limits.Want) (map[string]limits.Sight, error) {
	w := &watch{tree: b.tree, base: base, lookers: map[string]*looker{}}
	defer w.Close()
	return w.Sights(names, want)
}

// Watch implements limits.Backend: the files that were read once stay open, so that the
// next look costs one system call for each.
func (b *Backend) Watch(base string) limits.Watch {
	return &watch{tree: b.tree, base: base, lookers: map[string]*looker{}, room: room()}
}

// spareFiles are left to the rest of the program.
const spareFiles = 200

// room is how many files may be kept open.
func room() int {
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	return int(min(limit.Cur, 1<<20)) - spareFiles
}

// watch implements limits.Watch.
type watch struct {
	tree    Tree
	base    string
	lookers map[string]*looker
	buf     buffer
	room    int // how many more files may be kept open
}

// Sights implements limits.Watch.
func (w *watch) Sights(names []string, want limits.Want) (map[string]limits.Sight, error) {
	found := map[string]limits.Sight{}
	all := &bases{v1: map[string]*dir{}}
	defer all.close()
	var err error
	if all.v2, err = openBase(w.tree.V2, w.base); gone(err) {
		w.keep(nil)
		return found, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look at groups of %q: %w", w.base, err)
	}
	if want != limits.WantNothing {
		all.openV1(w.tree, w.base)
	}
	if want.Has(limits.WantHugepages) {
		all.pageSizes = pageSizes()
	}
	w.keep(names)
	for _, name := range names {
		if checkComponent(name) != nil {
			continue
		}
		if s, err := w.look(all, name, want); err == nil {
			found[name] = s
		}
	}
	return found, nil
}

// keep forgets all guests but these.
func (w *watch) keep(names []string) {
	for name := range w.lookers {
		if !slices.Contains(names, name) {
			w.forget(name)
		}
	}
}

func (w *watch) forget(name string) {
	w.lookers[name].close()
	delete(w.lookers, name)
}

// Close implements limits.Watch.
func (w *watch) Close() { w.keep(nil) }

// look looks at a guest by what is open of it. If its groups were removed, and perhaps
// made anew, since the last time, they are opened anew.
func (w *watch) look(all *bases, name string, want limits.Want) (limits.Sight, error) {
	if l := w.lookers[name]; l != nil {
		s, err := l.look(all, want)
		if whole := s.Stats != nil || want == limits.WantNothing || !s.Populated; err == nil && whole {
			return s, nil
		}
		w.forget(name)
	}
	l := &looker{name: name, room: &w.room, buf: &w.buf}
	if err := l.v2.openPath(all.v2, name+"/guest"); err != nil {
		return limits.Sight{}, err
	}
	s, err := l.look(all, want)
	if w.room > 0 && err == nil {
		w.lookers[name] = l
	} else {
		l.close()
	}
	return s, err
}

// bases are the directories that all guests of an instance are in.
type bases struct {
	v2        *dir
	v1        map[string]*dir // by controller
	pageSizes []string
}

// openV1 opens what there is: a hierarchy without the base has none of the guests.
func (b *bases) openV1(t Tree, base string) {
	for _, h := range t.joined() {
		d, err := openBase(h.path, base)
		if err != nil {
			continue
		}
		for _, c := range h.controllers {
			b.v1[c] = d
		}
	}
}

func (b *bases) close() {
	b.v2.close()
	closed := map[*dir]bool{}
	for _, d := range b.v1 { // controllers may be mounted together
		if !closed[d] {
			d.close()
		}
		closed[d] = true
	}
}
