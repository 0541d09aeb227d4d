package guest

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits"
)

// strayed is what the kernel has in the place of limits that a running guest was given.
func (m *Manager) strayed(name string, l limits.Limits) (list []limits.Strayed, err error) {
	err = m.withGroup(name, func(g limits.Group) (err error) {
		list, err = g.Strayed(l)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENODEV) {
		return nil, nil // it has just ended, or boots anew
	}
	return list, err
}

// overrule has the keys of a configuration count whose files somebody has written: those that
// are wanted, and those that change anyway. It gives what is in force of each.
func (a *Applying) overrule(strayed []limits.Strayed, wanted func(key string) bool, texts map[string]string) map[string]string {
	anew := map[string]string{}
	for _, s := range strayed {
		if _, done := anew[s.Field]; done {
			continue // another file of the same key
		}
		from := inForce(&s, a.plan.Limits)
		i := slices.IndexFunc(a.Keys, func(k KeyChange) bool { return k.Key == s.Field })
		switch {
		case i < 0 && !wanted(s.Field):
			continue
		case i < 0:
			a.Keys = append(a.Keys, KeyChange{Key: s.Field, To: texts[s.Field], Effect: KeyLive})
			i = len(a.Keys) - 1
		case a.Keys[i].Effect != KeyLive:
			continue
		}
		a.Keys[i].From, anew[s.Field] = from, from
		a.Keys[i].Reason = fmt.Sprintf("%s is %s, which is not from the configuration", s.File, orEmpty(s.Has))
	}
	return anew
}

// warnOfStill says that a monitor of an older program has made the change, but for the files
// that somebody had written: it doesn't know of these.
func (m *Manager) warnOfStill(a *Applying) {
	strayed, err := m.strayed(a.Name, *a.change.Limits)
	if err != nil {
		return // it ends
	}
	if key := stillStrayed(strayed, a.change.Anew); key != "" {
		m.opt.Warn(fmt.Sprintf("%s: the kernel's file is as it was: the guest's monitor is of an older sysct\nhint: sysct upgrade %s; sysct apply %s", key, a.Name, a.Name))
	}
}

// stillStrayed is the first key that was to count anew and doesn't; "": none.
func stillStrayed(strayed []limits.Strayed, anew map[string]string) string {
	for _, s := range strayed {
		if _, asked := anew[s.Field]; asked {
			return s.Field
		}
	}
	return ""
}

func orEmpty(text string) string {
	if text == "" {
		return "empty"
	}
	return text
}

// inForce is the value of a key as set takes it that the kernel has; "" is none, or one that
// has no words.
func inForce(s *limits.Strayed, l limits.Limits) string {
	if s.Controller == "cpuset" {
		set, err := limits.ParseCPUSet(s.Has)
		if err == nil && s.Field == "limits.cpus" {
			return strconv.Itoa(len(set))
		}
		return s.Has
	}
	n, ok := s.InForce(l, spec.CPUPeriod)
	switch {
	case !ok:
		return ""
	case s.Controller == "memory":
		return spec.Bytes(n).String()
	case s.Field == "limits.cpu_quota", s.Field == "limits.cpu_burst":
		return spec.CPUQuota(n).String()
	}
	return strconv.FormatInt(n, 10)
}

// withoutStrayed are limits without those whose lowering is told and that don't count by now.
func withoutStrayed(l limits.Limits, strayed []limits.Strayed) limits.Limits {
	for _, s := range strayed {
		switch s.Field {
		case "limits.memory":
			l.Memory = nil
		case "limits.memory_high":
			l.MemoryHigh = nil
		case "limits.pids":
			l.Pids = nil
		}
	}
	return l
}
