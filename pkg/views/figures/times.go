package figures

import (
	"time"

	"github.com/sysct/sysct/pkg/views"
)

// times has the files of CPU time.
type times struct {
	stat      file // cpu.stat of the v2 group, which has it whatever controllers there are
	throttled file // cpu.stat of the group with the quota, if that is another
	each      file // v1: cpuacct.usage_all
	use       views.CPUUse
}

func (t *times) close() {
	t.stat.close()
	t.throttled.close()
	t.each.close()
}

func (s *Source) openTimes() (err error) {
	t := &s.times
	if t.stat, err = openFile(s.config.Groups.V2, "cpu.stat"); err != nil {
		return err
	}
	if dir, v1 := s.config.Groups.Of("cpu"); v1 {
		if t.throttled, err = openFile(dir, "cpu.stat"); err != nil {
			return err
		}
	}
	if dir, v1 := s.config.Groups.Of("cpuacct"); v1 {
		t.each, err = openFile(dir, "cpuacct.usage_all")
	}
	return err
}

// readTimes lets the guest's times go on.
func (s *Source) readTimes() {
	s.readUse()
	k := &s.state.Times
	k.Advance(s.shot.Uptime, s.shot.CPUs, s.cpus.shown == len(s.cpus.have), &s.times.use)
	k.Times(&s.shot.Times, len(s.shot.CPUs))
}

func (s *Source) readUse() {
	t := &s.times
	parseCPUStat(s.reader.read(t.stat), &t.use)
	if text := s.reader.read(t.throttled); len(text) > 0 {
		parseThrottled(text, &t.use)
	}
	if text := s.reader.read(t.each); len(text) > 0 {
		parseUsageAll(text, &t.use)
	}
}

// parseCPUStat reads cpu.stat of a v2 group.
func parseCPUStat(text []byte, u *views.CPUUse) {
	keyed(text, func(key []byte, n uint64) {
		switch string(key) {
		case "user_usec":
			u.User = span(n, time.Microsecond)
		case "system_usec":
			u.System = span(n, time.Microsecond)
		case "nice_usec":
			u.Nice = span(n, time.Microsecond)
		case "throttled_usec":
			u.Throttled = span(n, time.Microsecond)
		}
	})
}

// parseThrottled reads cpu.stat of a v1 group of the cpu controller.
func parseThrottled(text []byte, u *views.CPUUse) {
	keyed(text, func(key []byte, n uint64) {
		if string(key) == "throttled_time" {
			u.Throttled = span(n, 1)
		}
	})
}

// parseUsageAll reads cpuacct.usage_all: a line of names, then for each CPU its
// number, user and system time in nanoseconds.
func parseUsageAll(text []byte, u *views.CPUUse) {
	u.Each, u.User, u.System = u.Each[:0], 0, 0
	_, text = line(text)
	for len(text) > 0 {
		var l []byte
		l, text = line(text)
		cpu, l := field(l)
		user, system := field(l)
		n := number(cpu)
		if len(system) == 0 || n >= maxCPUs {
			continue
		}
		for uint64(len(u.Each)) <= n {
			u.Each = append(u.Each, views.CPUShare{})
		}
		e := &u.Each[n]
		e.User, e.System = span(number(user), 1), span(number(system), 1)
		u.User, u.System = u.User+e.User, u.System+e.System
	}
}

// span is n units, if that is less than a century of a thousand CPUs' time.
func span(n uint64, unit time.Duration) time.Duration {
	const most = 100 * 365 * 24 * time.Hour
	return time.Duration(min(n, uint64(most/unit))) * unit
}
