package limits

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// maxCPU bounds the numbers in a set: the kernel's largest CONFIG_NR_CPUS.
const maxCPU = 8191

// CPUSet is a set of CPU numbers, ascending and without doubles.
type CPUSet []int

// ParseCPUSet reads the kernel's list format ("0-1,3"; a final newline is
// allowed, empty text is the empty set). Errors name the part that is wrong.
func ParseCPUSet(text string) (CPUSet, error) {
	text = strings.TrimSuffix(text, "\n")
	if text == "" {
		return nil, nil
	}
	var set CPUSet
	for _, part := range strings.Split(text, ",") {
		first, last, err := parseRange(part)
		if err != nil {
			return nil, fmt.Errorf("%q in the list of CPUs %s", part, err)
		}
		for cpu := first; cpu <= last; cpu++ {
			set = append(set, cpu)
		}
		if len(set) > 4*maxCPU {
			return nil, fmt.Errorf("the list of CPUs names each more than once")
		}
	}
	slices.Sort(set)
	return slices.Compact(set), nil
}

func parseRange(part string) (first, last int, err error) {
	low, high, isRange := strings.Cut(part, "-")
	if first, err = parseCPU(low); err != nil || !isRange {
		return first, first, err
	}
	if last, err = parseCPU(high); err != nil {
		return 0, 0, err
	}
	if last < first {
		return 0, 0, fmt.Errorf("ends before it begins")
	}
	return first, last, nil
}

// parseCPU takes digits alone: strconv would let a sign pass.
func parseCPU(text string) (int, error) {
	if strings.Trim(text, "0123456789") != "" || text == "" {
		return 0, fmt.Errorf("is no number or range")
	}
	n, err := strconv.Atoi(text)
	if err != nil || n > maxCPU {
		return 0, fmt.Errorf("is above the highest CPU number, %d", maxCPU)
	}
	return n, nil
}

// String is the shortest list that the kernel reads as this set.
func (s CPUSet) String() string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		first := i
		for i+1 < len(s) && s[i+1] == s[i]+1 {
			i++
		}
		if first > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Itoa(s[first]))
		if i > first {
			b.WriteString("-" + strconv.Itoa(s[i]))
		}
	}
	return b.String()
}

// Without gives the CPUs of s that are not in other.
func (s CPUSet) Without(other CPUSet) CPUSet {
	return slices.DeleteFunc(slices.Clone(s), func(cpu int) bool { return slices.Contains(other, cpu) })
}

// CheckCPUs says whether all of l.CPUSet is among the CPUs that are online, and whether
// these are as many as l.CPUs; if not, the *FieldError names both.
func (l Limits) CheckCPUs(online CPUSet) error {
	if l.CPUs > 0 {
		_, err := Choose(l.CPUs, online, nil, nil)
		return err
	}
	set, err := ParseCPUSet(l.CPUSet)
	if err != nil {
		return &FieldError{"limits.cpuset", err}
	}
	if off := set.Without(online); len(off) > 0 {
		return &FieldError{"limits.cpuset", fmt.Errorf("CPU %s is not online (online: %s)", off, online)}
	}
	return nil
}
