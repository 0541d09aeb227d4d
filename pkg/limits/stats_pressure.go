package limits

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Pressure says for how much of the time the guest's processes waited for something.
// All are from the v2 group, which counts them wherever the controllers are. nil where
// the kernel doesn't.
type Pressure struct{ CPU, Memory, IO *Stall }

// Stall is one resource's: Some of the processes waited, or all that could run at all
// (Full).
type Stall struct{ Some, Full Share }

// Share is the part of the last 10, 60 and 300 s in percent, and all of it in µs.
type Share struct {
	Avg10, Avg60, Avg300 float64
	Total                int64
}

// pressure gives nil if the kernel counts none (CONFIG_PSI, psi=0, cgroup.pressure).
func (f Files) pressure() (*Pressure, error) {
	p := &Pressure{}
	for _, r := range []struct {
		file string
		into **Stall
	}{{"cpu.pressure", &p.CPU}, {"memory.pressure", &p.Memory}, {"io.pressure", &p.IO}} {
		text, err := f.V2(r.file)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errors.ErrUnsupported) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if *r.into, err = parseStall(text); err != nil {
			return nil, fmt.Errorf("cannot parse %s: %w", r.file, err)
		}
	}
	if *p == (Pressure{}) {
		return nil, nil
	}
	return p, nil
}

// parseStall reads `some avg10=0.00 avg60=0.00 avg300=0.00 total=0` and the like with
// full, which cpu.pressure lacks before Linux 5.13.
func parseStall(text string) (*Stall, error) {
	s := &Stall{}
	for line := range strings.Lines(text) {
		kind, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		share := map[string]*Share{"some": &s.Some, "full": &s.Full}[kind]
		if share == nil {
			return nil, fmt.Errorf("%q", line)
		}
		for word := range strings.SplitSeq(rest, " ") {
			if err := share.set(strings.Cut(word, "=")); err != nil {
				return nil, err
			}
		}
	}
	return s, nil
}

func (s *Share) set(key, value string, _ bool) (err error) {
	switch key {
	case "avg10":
		s.Avg10, err = strconv.ParseFloat(value, 64)
	case "avg60":
		s.Avg60, err = strconv.ParseFloat(value, 64)
	case "avg300":
		s.Avg300, err = strconv.ParseFloat(value, 64)
	case "total":
		s.Total, err = strconv.ParseInt(value, 10, 64)
	}
	return err
}
