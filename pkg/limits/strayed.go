package limits

import (
	"math"
	"os"
	"slices"
	"strings"
)

// Strayed is a knob whose file has something else than limits put there: somebody wrote it
// by hand, or the kernel changed it, as the CPUs of a v1 group when one goes offline.
type Strayed struct {
	Knob        // with the value that it ought to have
	Has  string // the value that it has, in the kernel's words; "": it is empty
}

// Kept are the knobs of limits that can be compared with what the kernel has, those of no
// limit included: of CPU time, memory and processes. For CPUs there is [StrayedCPUs].
func Kept(l Limits, on Controllers) []Knob {
	var all []Knob
	for _, r := range rows() {
		if !slices.Contains([]string{"cpu", "memory", "pids"}, r.controller) {
			continue
		}
		if knobs, _, err := r.place(&l, on); err == nil { // else it was never kept
			all = append(all, knobs...)
		}
	}
	return all
}

// Strayed compares the knob with the text of its file.
func (k Knob) Strayed(text string) (s Strayed, strayed bool) {
	has := k.Present(text).Value
	if k.Controller == "memory" {
		strayed = pages(has) != pages(k.Value)
	} else {
		strayed = has != k.Value
	}
	return Strayed{k, has}, strayed
}

// pages is an amount of memory as the kernel keeps it: in whole pages, rounded down, and at
// most as many as have bytes that can be counted, which are no limit.
func pages(value string) int64 {
	return amount(value) / int64(os.Getpagesize())
}

// StrayedCPUs compares the CPUs that a guest is bound to with its limits: there are those of
// the group above. Where all were given, more may have come since.
func StrayedCPUs(l Limits, has, there CPUSet) (s Strayed, strayed bool) {
	s = Strayed{Knob{Field: "limits.cpuset", Controller: "cpuset", File: "cpuset.cpus"}, has.String()}
	switch {
	case l.CPUs > 0:
		s.Field = "limits.cpus"
		return s, len(has) != l.CPUs
	case l.CPUSet != "":
		want, err := ParseCPUSet(l.CPUSet)
		s.Value = want.String()
		return s, err == nil && !slices.Equal(has, want)
	}
	return s, len(has) > 0 && len(there.Without(has)) > 0
}

// InForce is the limit that a file of a number stands for, in the unit of its key: bytes,
// microseconds in a period of so many, a weight, processes. l are the limits that it strayed
// from; ok is false for no limit, and where the file alone doesn't say.
func (s *Strayed) InForce(l Limits, period int64) (n int64, ok bool) {
	n = amount(s.Has)
	switch {
	case s.Controller == "memory" && pages(s.Has) == pages("max"), n == math.MaxInt64, s.File == "cpu.cfs_period_us":
		return 0, false
	case s.File == "memory.memsw.limit_in_bytes":
		if l.Memory == nil || n < *l.Memory {
			return 0, false
		}
		return n - *l.Memory, true
	case s.File == "cpu.max":
		_, of, _ := strings.Cut(s.Has, " ")
		return n * period / max(1, amount(of)), true
	case s.File == "cpu.cfs_quota_us" && l.CPUQuota != nil:
		return n * period / l.CPUQuota.Period, true
	case s.File == "cpu.shares":
		return (n*100 + 512) / 1024, true
	}
	return n, true
}
