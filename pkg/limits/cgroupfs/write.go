package cgroupfs

import (
	"errors"
	"fmt"
	"io/fs"

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
	value := p.Value
	if value == "" {
		value = "\n" // the kernel isn't told of a write of nothing
	}
	return p.dir.write(p.File, value)
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
	}
	return fmt.Errorf("cannot set %s to %s: %w", p.File, p.Value, err)
}
