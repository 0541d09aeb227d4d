package limits

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// Bounds are what no figure stands beside: shares, and what may be used of single disks.
type Bounds struct {
	CPUWeight *int64 // nil is 100, or no such controller
	// IO has the share on the scale of [IO] also where the scheduler bfq has another, to
	// the nearest 11; nil is 100, or no such controller.
	IO IO
}

// defaultWeight is that of a guest without a word on it.
const defaultWeight = 100

func (f Files) bounds() (*Bounds, error) {
	b := &Bounds{}
	for _, read := range []func(*Bounds) error{f.cpuWeight, f.ioWeight, f.ioLimits} {
		if err := read(b); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// beside is a file of the group above the guest's own, where weights stand on v2.
func beside(file string) string { return "../" + file }

func (f Files) cpuWeight(b *Bounds) error {
	read, v1 := f.of("cpu")
	file := beside("cpu.weight")
	if v1 {
		file = "cpu.shares"
	}
	weight, err := optional(number(read, file))
	if weight != nil && v1 {
		*weight = (*weight*defaultWeight + 512) / 1024
	}
	b.CPUWeight = unusual(weight)
	return err
}

func (f Files) ioWeight(b *Bounds) error {
	read, v1 := f.of("blkio")
	names := []string{beside("io.weight"), beside("io.bfq.weight")}
	if v1 {
		names = []string{"blkio.bfq.weight"}
	}
	for _, name := range names {
		text, err := read(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(text, "\n")
		n, err := strconv.ParseInt(strings.TrimPrefix(first, "default "), 10, 64)
		if err != nil {
			return fmt.Errorf("cannot parse %s: %w", name, err)
		}
		if strings.Contains(name, "bfq") && n > defaultWeight {
			n = defaultWeight + (n-defaultWeight)*(maxWeight-defaultWeight)/(1000-defaultWeight)
		}
		b.IO.Weight = unusual(&n)
		return nil
	}
	return nil
}

// unusual is nil for the weight that all have.
func unusual(n *int64) *int64 {
	if n != nil && *n == defaultWeight {
		return nil
	}
	return n
}

// ioLimits reads `8:0 rbps=1 wbps=max riops=max wiops=4` (v2), or `8:0 1` of a file for each.
func (f Files) ioLimits(b *Bounds) error {
	read, v1 := f.of("blkio")
	names := []string{"io.max"}
	if v1 {
		names = []string{"read_bps", "write_bps", "read_iops", "write_iops"}
	}
	for _, name := range names {
		file, key := name, ""
		if v1 {
			file, key = "blkio.throttle."+name+"_device", name
		}
		text, err := read(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = parseIOLimits(text, key, &b.IO.Devices)
		}
		if err != nil {
			return fmt.Errorf("cannot parse %s: %w", file, err)
		}
	}
	return nil
}

// parseIOLimits reads lines of a device each. Of v1 key says what is limited.
func parseIOLimits(text, key string, into *[]IODevice) error {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		for _, word := range words[1:] {
			name, value := key, word
			if key == "" {
				name, value, _ = strings.Cut(word, "=")
			}
			if value == "max" {
				continue
			}
			n, err := strconv.ParseInt(value, 10, 64)
			if err != nil {
				return err
			}
			d, err := deviceIn(into, words[0])
			if err != nil {
				return err
			}
			if field := d.field(name); field != nil {
				*field = n
			}
		}
	}
	return nil
}

// field is a limit by the kernel's name of it, of either version.
func (d *IODevice) field(name string) *int64 {
	switch name {
	case "rbps", "read_bps":
		return &d.ReadBPS
	case "wbps", "write_bps":
		return &d.WriteBPS
	case "riops", "read_iops":
		return &d.ReadIOPS
	case "wiops", "write_iops":
		return &d.WriteIOPS
	}
	return nil
}

// deviceIn finds a device in a list by its numbers, and adds it if it isn't there.
func deviceIn(list *[]IODevice, id string) (*IODevice, error) {
	for i := range *list {
		if d := &(*list)[i]; d.number() == id {
			return d, nil
		}
	}
	var d IODevice
	if _, err := fmt.Sscanf(id, "%d:%d", &d.Major, &d.Minor); err != nil {
		return nil, fmt.Errorf("%q is no device", id)
	}
	*list = append(*list, d)
	return &(*list)[len(*list)-1], nil
}
