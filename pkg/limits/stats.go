package limits

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Stats is what a guest uses at the moment. What no controller counts is nil.
type Stats struct {
	Memory   *Memory
	CPUUsage int64  // CPU time in µs since the group was made (cpu.stat)
	Pids     *int64 // processes and threads
	PidsPeak *int64 // the most that Pids has been; nil before Linux 6.1
	PidsMax  *int64 // nil is no limit
}

// Memory is a guest's memory, in bytes.
type Memory struct {
	Current  int64  // memory.current, memory.usage_in_bytes
	Max      *int64 // nil is no limit
	Peak     *int64 // the most that Current has been; nil before Linux 5.19 on v2
	OOMKills int64  // processes that the kernel killed for lack of memory
}

// ReadFunc reads one file of one group. A file that is missing is fs.ErrNotExist.
type ReadFunc func(file string) (string, error)

// unlimitedV1 is below what v1 shows for no limit (the largest whole number of
// pages) and above any memory there is.
const unlimitedV1 = 1 << 62

// MemoryV2 reads the memory figures of a v2 group; nil if the controller is not
// enabled there.
func MemoryV2(read ReadFunc) (*Memory, error) {
	current, err := optional(number(read, "memory.current"))
	if current == nil || err != nil {
		return nil, err
	}
	m := &Memory{Current: *current}
	if m.Max, err = optional(number(read, "memory.max")); err != nil {
		return nil, err
	}
	if m.Peak, err = optional(number(read, "memory.peak")); err != nil {
		return nil, err
	}
	m.OOMKills, err = keyed(read, "memory.events", "oom_kill")
	return m, err
}

// MemoryV1 reads the memory figures of a group of the v1 memory hierarchy.
func MemoryV1(read ReadFunc) (*Memory, error) {
	m := &Memory{}
	var err error
	if m.Current, err = number(read, "memory.usage_in_bytes"); err != nil {
		return nil, err
	}
	limit, err := number(read, "memory.limit_in_bytes")
	if err != nil {
		return nil, err
	}
	if limit < unlimitedV1 {
		m.Max = &limit
	}
	if m.Peak, err = optional(number(read, "memory.max_usage_in_bytes")); err != nil {
		return nil, err
	}
	m.OOMKills, err = keyed(read, "memory.oom_control", "oom_kill")
	return m, err
}

// CPUUsage reads the CPU time of a v2 group in µs. The kernel keeps it in every
// v2 group, whether or not the cpu controller is enabled or on v1.
func CPUUsage(read ReadFunc) (int64, error) { return keyed(read, "cpu.stat", "usage_usec") }

// ReadPids reads the number of processes and threads of a group of either version;
// it stays nil if the controller is not enabled there.
func (s *Stats) ReadPids(read ReadFunc) (err error) {
	if s.Pids, err = optional(number(read, "pids.current")); s.Pids == nil || err != nil {
		return err
	}
	if s.PidsPeak, err = optional(number(read, "pids.peak")); err != nil {
		return err
	}
	s.PidsMax, err = optional(number(read, "pids.max"))
	return err
}

// Events reads populated and frozen from a cgroup.events file's text.
func Events(text string) (populated, frozen bool, err error) {
	p, err := valueOf("populated", text)
	if err != nil {
		return false, false, fmt.Errorf("cannot parse cgroup.events: %w", err)
	}
	// Missing in a kernel older than the v2 freezer (5.2): nothing is frozen there.
	f, err := valueOf("frozen", text)
	if err != nil {
		f = 0
	}
	return p != 0, f != 0, nil
}

func number(read ReadFunc, file string) (int64, error) {
	text, err := read(file)
	if err != nil {
		return 0, err
	}
	text = strings.TrimSpace(text)
	if text == "max" {
		return 0, errMax
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %s: %w", file, err)
	}
	return n, nil
}

// errMax is number's answer for "max", which is no figure.
var errMax = errors.New("no limit")

// optional turns a missing file and "max" into nil.
func optional(n int64, err error) (*int64, error) {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, errMax):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &n, nil
}

func keyed(read ReadFunc, file, key string) (int64, error) {
	text, err := read(file)
	if err != nil {
		return 0, err
	}
	n, err := valueOf(key, text)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %s: %w", file, err)
	}
	return n, nil
}

// valueOf finds "key N" in flat-keyed text.
func valueOf(key, text string) (int64, error) {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return strconv.ParseInt(v, 10, 64)
		}
	}
	return 0, fmt.Errorf("no line %q", key)
}
