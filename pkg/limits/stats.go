package limits

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Stats is what a guest uses at the moment, and what it has used since its groups
// were made. What wasn't asked for, or what no controller counts, is nil.
type Stats struct {
	CPU      *CPU
	Memory   *Memory
	IO       *IOStats
	Pids     *Pids
	Pressure *Pressure
	Bounds   *Bounds
	// Hugepages are those that the guest has a limit or some of.
	Hugepages []Hugepages
}

// Want says which figures are to be read: each costs some files a guest.
type Want uint

// What there is to be wanted.
const (
	WantCPU       Want = 1 << iota // time, and how the quota held it up
	WantMemory                     // use, limits, and how often they were met
	WantDetail                     // what the memory is used for (the dearest to read)
	WantIO                         // bytes and operations
	WantPids                       // processes and threads
	WantPressure                   // stall times
	WantQuota                      // what CPU time it may use
	WantCPUs                       // which CPUs it may use
	WantHugepages                  // use of huge pages, and limits
	WantBounds                     // shares, and limits of disks

	WantNothing Want = 0
	WantAll     Want = 1<<iota - 1
)

// Has says whether any of what is wanted.
func (w Want) Has(what Want) bool { return w&what != 0 }

// ReadFunc reads one file of one group. A file that is missing is fs.ErrNotExist.
type ReadFunc func(file string) (string, error)

// Files reads the files of one guest's groups.
type Files struct {
	V2 ReadFunc
	// V1 gives the reader for a controller that is on v1, nil for one that isn't.
	V1 func(controller string) ReadFunc
	// PageSizes are those of huge pages that the host has, as "2MB".
	PageSizes []string
}

// of is the reader for a controller's files, and whether they are those of v1.
func (f Files) of(controller string) (read ReadFunc, v1 bool) {
	if f.V1 != nil {
		if read = f.V1(controller); read != nil {
			return read, true
		}
	}
	return f.V2, false
}

// Read reads what is wanted. A controller that the guest isn't under has nil; a
// file whose text makes no sense is an error.
func (f Files) Read(want Want) (s Stats, err error) {
	for _, part := range []struct {
		want Want
		read func() error
	}{
		{WantCPU | WantQuota | WantCPUs, func() (err error) { s.CPU, err = f.cpu(want); return err }},
		{WantMemory | WantDetail, func() (err error) { s.Memory, err = f.memory(want); return err }},
		{WantIO, func() (err error) { s.IO, err = f.io(); return err }},
		{WantPids, func() (err error) { s.Pids, err = f.pids(); return err }},
		{WantPressure, func() (err error) { s.Pressure, err = f.pressure(); return err }},
		{WantHugepages, func() (err error) { s.Hugepages, err = f.hugepages(); return err }},
		{WantBounds, func() (err error) { s.Bounds, err = f.bounds(); return err }},
	} {
		if want.Has(part.want) {
			if err := part.read(); err != nil {
				return s, err
			}
		}
	}
	return s, nil
}

// KillCount reads how many processes were killed for lack of memory from the text of
// memory.events (v2) or memory.oom_control (v1).
func KillCount(text string) (int64, error) { return valueOf("oom_kill", text) }

// RefusedCount reads how many forks were refused from the text of pids.events.
func RefusedCount(text string) (int64, error) { return valueOf("max", text) }

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

// figure is a file of one number, to be read into a field that stays nil if the file is
// missing or says "max".
type figure struct {
	file string
	into **int64
}

func figures(read ReadFunc, all ...figure) (err error) {
	for _, f := range all {
		if *f.into, err = optional(number(read, f.file)); err != nil {
			return err
		}
	}
	return nil
}

// keys reads a flat-keyed file ("key N" a line); a missing file has no keys.
func keys(read ReadFunc, file string) (flat, error) {
	text, err := read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return flat{file: file}, nil
	}
	return flat{file: file, text: text}, err
}

// flat is the text of a flat-keyed file.
type flat struct{ file, text string }

// value is that of a key which has to be there.
func (f flat) value(key string) (int64, error) {
	n, err := valueOf(key, f.text)
	if err != nil {
		return 0, fmt.Errorf("cannot parse %s: %w", f.file, err)
	}
	return n, nil
}

// get is the value of a key; nil if it isn't there.
func (f flat) get(key string) *int64 {
	if n, err := valueOf(key, f.text); err == nil {
		return &n
	}
	return nil
}

// valueOf finds "key N" in flat-keyed text.
func valueOf(key, text string) (int64, error) {
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if rest, ok := strings.CutPrefix(line, key); ok && strings.HasPrefix(rest, " ") {
			return strconv.ParseInt(rest[1:], 10, 64)
		}
	}
	return 0, fmt.Errorf("no line %q", key)
}
