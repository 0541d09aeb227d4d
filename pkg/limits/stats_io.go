package limits

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// IOStats is what a guest read from and wrote to block devices since its groups were made.
// What it wrote to files counts when the kernel writes it back: on v2 for the guest,
// on v1 for nobody. On v1 a kernel since 6.10 counts for a device only from when the
// first limit is set on it, by whomever.
type IOStats struct {
	IOCount            // the sum
	Devices []DeviceIO // in the order of their numbers
}

// IOCount is bytes and operations.
type IOCount struct{ ReadBytes, WriteBytes, ReadOps, WriteOps int64 }

// DeviceIO is one block device's.
type DeviceIO struct {
	Major, Minor uint32
	IOCount
}

// io reads a group of either version; nil if the controller is not enabled there. On v1
// it is nil, too, while there is no device: perhaps none is counted.
func (f Files) io() (*IOStats, error) {
	read, v1 := f.of("blkio")
	parse, files := parseIOV2, []string{"io.stat"}
	if v1 {
		parse, files = parseIOV1, []string{"blkio.throttle.io_service_bytes_recursive", "blkio.throttle.io_serviced_recursive"}
	}
	found := ioDevices{}
	for _, file := range files {
		text, err := read(file)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		if err == nil {
			err = parse(text, strings.Contains(file, "serviced"), found)
		}
		if err != nil {
			return nil, fmt.Errorf("cannot parse %s: %w", file, err)
		}
		if v1 && len(found) == 0 {
			return nil, nil // the other file has none either
		}
	}
	return found.sum(), nil
}

// ioDevices are figures by "MAJOR:MINOR".
type ioDevices map[string]*DeviceIO

func (d ioDevices) get(id string) (*DeviceIO, error) {
	if dev := d[id]; dev != nil {
		return dev, nil
	}
	major, minor, _ := strings.Cut(id, ":")
	a, err1 := strconv.ParseUint(major, 10, 32)
	b, err2 := strconv.ParseUint(minor, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return nil, fmt.Errorf("%q is no device", id)
	}
	d[id] = &DeviceIO{Major: uint32(a), Minor: uint32(b)}
	return d[id], nil
}

func (d ioDevices) sum() *IOStats {
	io := &IOStats{}
	for _, dev := range d {
		if dev.IOCount == (IOCount{}) {
			continue // io.stat lists a device for a limit alone, too
		}
		io.Devices = append(io.Devices, *dev)
		io.ReadBytes += dev.ReadBytes
		io.WriteBytes += dev.WriteBytes
		io.ReadOps += dev.ReadOps
		io.WriteOps += dev.WriteOps
	}
	slices.SortFunc(io.Devices, func(a, b DeviceIO) int {
		return cmp.Or(cmp.Compare(a.Major, b.Major), cmp.Compare(a.Minor, b.Minor))
	})
	return io
}

// parseIOV2 reads io.stat: `8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6`. A line may
// be a device without figures (Linux 5.x), and have other keys.
func parseIOV2(text string, _ bool, into ioDevices) error {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 2 {
			continue
		}
		dev, err := into.get(words[0])
		if err != nil {
			return err
		}
		for _, word := range words[1:] {
			key, value, _ := strings.Cut(word, "=")
			field := map[string]*int64{"rbytes": &dev.ReadBytes, "wbytes": &dev.WriteBytes, "rios": &dev.ReadOps, "wios": &dev.WriteOps}[key]
			if field == nil {
				continue
			}
			if *field, err = strconv.ParseInt(value, 10, 64); err != nil {
				return err
			}
		}
	}
	return nil
}

// parseIOV1 reads the files of blkio.throttle: `8:0 Read 1`, and a sum that is `Total 2`.
func parseIOV1(text string, ops bool, into ioDevices) error {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) != 3 || words[1] != "Read" && words[1] != "Write" {
			continue
		}
		dev, err := into.get(words[0])
		if err != nil {
			return err
		}
		field := &dev.ReadBytes
		switch {
		case ops && words[1] == "Read":
			field = &dev.ReadOps
		case ops:
			field = &dev.WriteOps
		case words[1] == "Write":
			field = &dev.WriteBytes
		}
		if *field, err = strconv.ParseInt(words[2], 10, 64); err != nil {
			return err
		}
	}
	return nil
}
