package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// placed is a knob and the group that it is turned in.
type placed struct {
	limits.Knob
	dir *dir
}

func inGroup(d *dir, knobs []limits.Knob) []placed {
	all := make([]placed, len(knobs))
	for i, k := range knobs {
		all[i] = placed{k, d}
	}
	return all
}

// inV2 puts knobs into the groups that they are for.
func inV2(own, guest, payload *dir, knobs []limits.Knob) []placed {
	all := make([]placed, len(knobs))
	for i, k := range knobs {
		all[i] = placed{k, map[limits.Place]*dir{limits.Beside: own, limits.InGuest: guest, limits.InPayload: payload}[k.Place]}
	}
	return all
}

func (m *maker) placed(knobs []limits.Knob) []placed {
	return inV2(m.group, m.guest, m.payload, knobs)
}

// write writes knobs in their order.
func write(knobs []placed) error {
	lacking := map[string]error{}
	for _, p := range knobs {
		err := p.write()
		switch {
		case p.Either && errors.Is(err, fs.ErrNotExist):
			if _, ok := lacking[p.Field]; !ok {
				lacking[p.Field] = err
			}
		case err != nil:
			return p.cannot(err)
		case p.Either:
			lacking[p.Field] = nil
		}
	}
	for _, p := range knobs {
		if err := lacking[p.Field]; err != nil {
			return p.cannot(err)
		}
	}
	return nil
}

func (p *placed) write() error {
	if p.Value != "" {
		return p.dir.write(p.File, p.Value)
	}
	err := p.dir.write(p.File, "\n") // the kernel isn't told of a write of nothing
	if errors.Is(err, unix.ENOSPC) && p.File == "cpuset.cpus" {
		return p.writeAllCPUs()
	}
	return err
}

// writeAllCPUs gives a cpuset of v2 with processes, which the kernel lets nobody empty, all
// that the host could ever have. What it gets is what the group above it has of them, also
// of CPUs that come online later. Source: cpuset_is_populated in kernel/cgroup/cpuset.c.
func (p *placed) writeAllCPUs() error {
	text, err := os.ReadFile("/sys/devices/system/cpu/possible")
	if err != nil {
		return fmt.Errorf("cannot read which CPUs there may be: %w", err)
	}
	return p.dir.write(p.File, strings.TrimSpace(string(text)))
}

// cannot says what the kernel lacks or refuses, with the key of the configuration.
func (p *placed) cannot(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist) && p.File == "memory.memsw.limit_in_bytes":
		return &limits.FieldError{Field: p.Field, Err: errors.New("the host's kernel doesn't count swap: it has to be booted with swapaccount=1")}
	case errors.Is(err, fs.ErrNotExist):
		return &limits.FieldError{Field: p.Field, Err: fmt.Errorf("the host's kernel has no %s", p.File)}
	case errors.Is(err, unix.ENODEV) && p.Key != "":
		return &limits.FieldError{Field: p.Field, Err: fmt.Errorf("%s is no disk: %w", p.Key, err)}
	case errors.Is(err, unix.EBUSY) && p.Controller == "memory":
		return p.inUse()
	}
	return fmt.Errorf("cannot set %s to %s: %w", p.File, p.Value, err)
}

// inUse is the error of a limit of memory that a v1 hierarchy refuses, because it can't take
// back enough: it has tried to.
func (p *placed) inUse() error {
	e := &inUseError{knob: p.Knob}
	if text, err := p.dir.read(strings.Replace(p.File, "limit", "usage", 1)); err == nil {
		e.used, _ = strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	}
	return e
}

// inUseError says it in people's units; it is an EBUSY.
type inUseError struct {
	knob limits.Knob
	used int64 // bytes; 0: not known
}

func (e *inUseError) Unwrap() error { return unix.EBUSY }

func (e *inUseError) Error() string {
	limit := e.knob.Value
	if n, err := strconv.ParseInt(limit, 10, 64); err == nil {
		limit = limits.SizeText(n)
	}
	return fmt.Sprintf("%s: it can't be %s while %s are in use that the kernel can't take back: nothing was changed\n"+
		"hint: set more than that, end some of the guest's processes, or empty its tmpfs", e.knob.Field, limit, limits.SizeText(e.used))
}
