package monitor

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/control"
	"github.com/sysct/sysct/pkg/guest/events"
)

// showPlan answers a client with the plan as it is kept.
func (m *monitor) showPlan(client int) {
	p := m.peers[client]
	if p == nil {
		return
	}
	fd := m.keptAs(fdPlan)
	if fd < 0 {
		m.answer(p, control.Response{Error: control.Errorf(control.KindFailed, "the plan is not kept")})
		return
	}
	m.answer(p, control.Response{}, fd)
}

// keptAs is the descriptor that is kept under a name; -1: none is.
func (m *monitor) keptAs(name string) int {
	for _, s := range m.kept {
		if s.Name == name {
			return s.FD
		}
	}
	return -1
}

// apply makes a change as [Change] describes it. Writing to a group may take long: the
// kernel takes memory back before it answers.
func (m *monitor) apply(a Apply) {
	group := m.group
	if group == nil && m.core.Life.Phase != PhaseWait {
		m.emit(Applied{Client: a.Client, Err: errors.New("the guest's control groups couldn't be opened, see its log")})
		return
	}
	old, next := m.plan, m.plan.with(a.Change)
	fd, err := m.announce(next)
	if err != nil {
		m.emit(Applied{Client: a.Client, Err: err})
		return
	}
	changed := renewedValues(changedValues(old.Config, next.Config), next.Config, a.Change.Anew)
	if group == nil { // between two boots: the next one makes the groups
		m.commit(next, fd)
		m.emit(Applied{Client: a.Client, Values: changed})
		return
	}
	pid := m.core.Life.Pid
	m.job(func() func() {
		said, err := "", failpoint("change groups")
		if err == nil {
			err = group.Change(old.Limits, next.Limits, slices.Collect(maps.Keys(a.Change.Anew))...)
		}
		if err == nil && a.Change.Net != nil {
			if said, err = changeNetwork(&old.Context.Net, &next.Context.Net, pid); err != nil {
				err = errors.Join(err, group.Change(next.Limits, old.Limits))
			}
		}
		return func() {
			m.sayLines(said)
			if err == nil {
				m.commit(next, fd)
			} else {
				unix.Close(fd)
				m.take(fdNext)
			}
			m.emit(Applied{Client: a.Client, Err: err, Values: changed})
		}
	})
}

// changedValues are those of keys that differ, in the order of the keys.
func changedValues(old, next map[string]string) []events.Value {
	var values []events.Value
	for key, value := range next {
		if was, ok := old[key]; !ok || was != value {
			values = append(values, events.Value{Key: key, From: was, To: value})
		}
	}
	for key, was := range old {
		if _, ok := next[key]; !ok {
			values = append(values, events.Value{Key: key, From: was})
		}
	}
	return sorted(values)
}

// renewedValues adds the keys that count anew, and says what was in force.
func renewedValues(values []events.Value, config, anew map[string]string) []events.Value {
	for key, was := range anew {
		if i := slices.IndexFunc(values, func(v events.Value) bool { return v.Key == key }); i >= 0 {
			values[i].From = was
		} else {
			values = append(values, events.Value{Key: key, From: was, To: config[key]})
		}
	}
	return sorted(values)
}

func sorted(values []events.Value) []events.Value {
	slices.SortFunc(values, func(a, b events.Value) int { return strings.Compare(a.Key, b.Key) })
	return values
}

// announce leaves the plan that is to be with the service manager, beside the one that
// is: from then on a successor that finds both changes the groups back. It gives the
// same once more for commit, which mustn't fail.
func (m *monitor) announce(next *Plan) (again int, err error) {
	fd, err := WritePlan(next)
	if err != nil {
		return -1, err
	}
	// A file of its own: systemd keeps no file twice, be it under two names.
	if again, err = WritePlan(next); err != nil {
		unix.Close(fd)
		return -1, err
	}
	m.take(fdNext) // one that was inherited and couldn't be ended
	m.keep(fdNext, fd)
	m.barrier()
	if err := failpoint("announce change"); err != nil {
		unix.Close(again)
		m.take(fdNext)
		return -1, err
	}
	return again, nil
}

// commit makes a plan that was announced the guest's.
func (m *monitor) commit(next *Plan, fd int) {
	_ = failpoint("commit change")
	m.take(fdPlan)
	_ = failpoint("replace plan")
	m.plan = next
	m.effort.bound(&next.Limits)
	m.keep(fdPlan, fd)
	m.barrier()
	_ = failpoint("end change")
	m.take(fdNext)
	m.viewsChanged()
}

// take takes a descriptor back and closes it.
func (m *monitor) take(name string) {
	fd := m.keptAs(name)
	m.drop(name)
	if fd >= 0 {
		unix.Close(fd)
	}
}

// plan reads the plan that was handed over. Where a change was announced and the old
// plan dropped, the new one counts.
func (h *heritage) plan() (*Plan, error) {
	fd, ok := h.fds[fdPlan]
	if !ok {
		fd, ok = h.fds[fdNext]
	}
	if !ok {
		return nil, errors.New("cannot be a monitor: no plan was handed over")
	}
	return readPlan(fd)
}

// keepPlan keeps the plan that was handed over, and ends the change that the monitor
// before was killed in if that was made.
func (m *monitor) keepPlan(h *heritage) {
	_, again := h.fds[fdShared]
	if fd, ok := h.take(fdPlan); ok && again {
		m.inherit(fdPlan, fd)
	} else if ok {
		m.keep(fdPlan, fd)
	}
	next, changing := h.take(fdNext)
	if !changing {
		return
	}
	m.inherit(fdNext, next)
	if m.keptAs(fdPlan) >= 0 {
		return // see undoChange
	}
	fd, err := WritePlan(m.plan)
	if err != nil {
		m.log.say(err.Error())
		return
	}
	m.commit(m.plan, fd)
}

// undoChange changes the groups and the network back if the monitor before was killed
// before it had changed them, or right after. True: it began to, and Undone follows.
func (m *monitor) undoChange() bool {
	fd := m.keptAs(fdNext)
	if fd < 0 {
		return false
	}
	next, err := readPlan(fd)
	group, old := m.group, m.plan
	if err != nil {
		m.take(fdNext)
		return false
	}
	pid := m.core.Life.Pid
	m.job(func() func() {
		var groups error
		if group != nil {
			groups = group.Change(next.Limits, old.Limits)
		}
		said, err := undoNetwork(&next.Context.Net, &old.Context.Net, pid)
		err = errors.Join(groups, err)
		return func() {
			m.sayLines(said)
			if err == nil {
				m.log.say("a change of the guest was taken back: the monitor before died in it")
			} else {
				m.log.say("cannot take a change of the guest back: " + err.Error())
			}
			m.take(fdNext)
			m.emit(Undone{})
		}
	})
	return true
}

// sayLines puts into the log what another program said.
func (m *monitor) sayLines(text string) {
	for line := range strings.Lines(text) {
		m.log.say(strings.TrimSpace(line))
	}
}
