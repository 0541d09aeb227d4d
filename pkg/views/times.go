package views

import "time"

// Time is where a CPU's time went since the guest's boot.
type Time struct {
	User, Nice, System, Idle, Steal time.Duration
}

func (t *Time) sum() time.Duration { return t.User + t.Nice + t.System + t.Idle + t.Steal }

// Times is the time of the guest's CPUs.
type Times struct {
	Total Time   // of all CPUs that the guest has or had
	CPU   []Time // of each of Snapshot.CPUs
}

// CPUUse is what the kernel says of the CPU time of the guest's group, since the
// group was made.
type CPUUse struct {
	User, System time.Duration // of all CPUs; User has what is nice in it
	Nice         time.Duration
	Throttled    time.Duration // that CPUs with work stood still for the quota
	// Each is the time on each of the host's CPUs, by its number; empty if the kernel
	// doesn't say (version 2).
	Each []CPUShare `json:",omitempty"`
}

// CPUShare is a part of CPUUse.
type CPUShare struct{ User, System time.Duration }

// TimeKeeper makes times of a running machine's CPUs out of a group's counters:
// none goes backwards, and user, nice, system, idle and steal together are the time
// that has gone by. It is handed on to a successor as it is.
type TimeKeeper struct {
	At      time.Duration   // the guest's uptime when it was last advanced
	Last    CPUUse          // what the counters were then
	CPU     []Time          // of each CPU that the guest has or had
	Elapsed []time.Duration // how long it had that CPU
}

// Advance goes on to a guest's uptime. cpus are the host's numbers of the CPUs
// that the guest sees; pinned says that it runs on no others, so that each has a
// time of its own if the kernel gives one. Without, all have the same share.
func (k *TimeKeeper) Advance(at time.Duration, cpus []int, pinned bool, use *CPUUse) {
	if at < k.At || len(cpus) == 0 {
		return
	}
	for len(k.CPU) < len(cpus) {
		k.CPU, k.Elapsed = append(k.CPU, Time{}), append(k.Elapsed, 0)
	}
	total := CPUShare{above(use.User, k.Last.User), above(use.System, k.Last.System)}
	spread := total
	for i, cpu := range cpus {
		if own := k.own(cpu, pinned, use); own != (CPUShare{}) {
			own.User, own.System = min(own.User, spread.User), min(own.System, spread.System)
			spread.User, spread.System = spread.User-own.User, spread.System-own.System
			k.run(i, own, nicePart(own.User, above(use.Nice, k.Last.Nice), total.User))
		}
	}
	n := time.Duration(len(cpus))
	for i := range cpus {
		share := CPUShare{part(spread.User, i, n), part(spread.System, i, n)}
		k.run(i, share, nicePart(share.User, above(use.Nice, k.Last.Nice), total.User))
		k.rest(i, at-k.At, part(above(use.Throttled, k.Last.Throttled), i, n))
	}
	k.keep(at, use)
}

// own is what a CPU alone has run since the last time.
func (k *TimeKeeper) own(cpu int, pinned bool, use *CPUUse) CPUShare {
	if !pinned || cpu >= len(use.Each) {
		return CPUShare{}
	}
	var last CPUShare
	if cpu < len(k.Last.Each) {
		last = k.Last.Each[cpu]
	}
	return CPUShare{above(use.Each[cpu].User, last.User), above(use.Each[cpu].System, last.System)}
}

func (k *TimeKeeper) run(i int, s CPUShare, nice time.Duration) {
	t := &k.CPU[i]
	t.User += s.User - nice
	t.Nice += nice
	t.System += s.System
}

// rest gives what is left of the time gone by to steal and idle. If a CPU seems to
// have run for longer than that, it has less of both the next time.
func (k *TimeKeeper) rest(i int, gone, throttled time.Duration) {
	t := &k.CPU[i]
	k.Elapsed[i] += gone
	left := max(0, k.Elapsed[i]-t.sum())
	steal := min(left, throttled)
	t.Steal += steal
	t.Idle += left - steal
}

// keep notes the counters. One that went back, as none should, is waited for.
func (k *TimeKeeper) keep(at time.Duration, use *CPUUse) {
	k.At = at
	l := &k.Last
	l.User, l.System = max(l.User, use.User), max(l.System, use.System)
	l.Nice, l.Throttled = max(l.Nice, use.Nice), max(l.Throttled, use.Throttled)
	for i, e := range use.Each {
		if i == len(l.Each) {
			l.Each = append(l.Each, e)
		}
		l.Each[i] = CPUShare{max(l.Each[i].User, e.User), max(l.Each[i].System, e.System)}
	}
}

// Times appends the times of the first n CPUs, and adds up those of all.
func (k *TimeKeeper) Times(t *Times, n int) {
	t.Total, t.CPU = Time{}, append(t.CPU[:0], k.CPU[:min(n, len(k.CPU))]...)
	for i := range k.CPU {
		c := &k.CPU[i]
		t.Total.User += c.User
		t.Total.Nice += c.Nice
		t.Total.System += c.System
		t.Total.Idle += c.Idle
		t.Total.Steal += c.Steal
	}
}

// part is the share of the i-th of n; the first has what is left over.
func part(d time.Duration, i int, n time.Duration) time.Duration {
	if i == 0 {
		return d - d/n*(n-1)
	}
	return d / n
}

// nicePart is the part of user that is nice, if nice is of all.
func nicePart(user, nice, all time.Duration) time.Duration {
	if all <= 0 || user <= 0 {
		return 0
	}
	return min(user, time.Duration(float64(user)*float64(min(nice, all))/float64(all)))
}

func above(a, b time.Duration) time.Duration { return max(0, a-b) }
