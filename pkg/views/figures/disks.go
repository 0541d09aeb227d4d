package figures

import (
	"bytes"
	"os"
	"strconv"

	"github.com/sysct/sysct/pkg/views"
)

// disks has the files of I/O.
type disks struct {
	stat              file // v2
	bytes, operations file // v1
	names             map[uint64]string
}

func (d *disks) close() {
	d.stat.close()
	d.bytes.close()
	d.operations.close()
}

func (s *Source) openDisks() (err error) {
	d := &s.disks
	d.names = map[uint64]string{}
	if dir, v1 := s.config.Groups.Of("blkio"); v1 {
		return openAll(dir, map[string]*file{
			"blkio.throttle.io_service_bytes_recursive": &d.bytes, "blkio.throttle.io_serviced_recursive": &d.operations,
		})
	}
	d.stat, err = openFile(s.config.Groups.V2, "io.stat")
	return err
}

func (s *Source) readDisks() {
	d, all := &s.disks, s.shot.Disks[:0]
	if d.stat.there() {
		all = parseIOStat(all, s.reader.read(d.stat))
	} else {
		all = parseBlkio(all, s.reader.read(d.bytes), true)
		all = parseBlkio(all, s.reader.read(d.operations), false)
	}
	for i := range all {
		all[i].Name = d.name(all[i].Major, all[i].Minor)
	}
	s.shot.Disks = all
}

// name is the device's name on the host. One that is gone has its numbers.
func (d *disks) name(major, minor uint32) string {
	key := uint64(major)<<32 | uint64(minor)
	if name, ok := d.names[key]; ok {
		return name
	}
	numbers := strconv.FormatUint(uint64(major), 10) + ":" + strconv.FormatUint(uint64(minor), 10)
	name := numbers
	text, _ := os.ReadFile("/sys/dev/block/" + numbers + "/uevent")
	for l := range bytes.Lines(text) {
		if value, ok := bytes.CutPrefix(l, []byte("DEVNAME=")); ok {
			name = string(bytes.TrimSpace(value))
		}
	}
	d.names[key] = name
	return name
}

// parseIOStat reads io.stat: "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=5 dios=6".
func parseIOStat(all []views.Disk, text []byte) []views.Disk {
	for len(text) > 0 {
		var l []byte
		l, text = line(text)
		device, l := field(l)
		d := views.Disk{}
		if !numbers(device, &d) || len(bytes.TrimSpace(l)) == 0 {
			continue
		}
		for len(l) > 0 {
			var item []byte
			item, l = field(l)
			key, value, _ := bytes.Cut(item, []byte("="))
			if n := ioFigure(&d, string(key)); n != nil {
				*n = number(value)
			}
		}
		all = append(all, d)
	}
	return all
}

func ioFigure(d *views.Disk, key string) *uint64 {
	switch key {
	case "rbytes":
		return &d.ReadBytes
	case "wbytes":
		return &d.WriteBytes
	case "rios":
		return &d.Reads
	case "wios":
		return &d.Writes
	case "dbytes":
		return &d.DiscardBytes
	case "dios":
		return &d.Discards
	}
	return nil
}

// parseBlkio reads a file of v1: "8:0 Read 1" and so on, for each device.
func parseBlkio(all []views.Disk, text []byte, isBytes bool) []views.Disk {
	for len(text) > 0 {
		var l []byte
		l, text = line(text)
		device, l := field(l)
		key, value := field(l)
		d := views.Disk{}
		if !numbers(device, &d) || len(value) == 0 {
			continue
		}
		at := find(all, d)
		if at == len(all) {
			all = append(all, d)
		}
		if n := blkioFigure(&all[at], string(key), isBytes); n != nil {
			*n = number(value)
		}
	}
	return all
}

func blkioFigure(d *views.Disk, key string, isBytes bool) *uint64 {
	all := [...]*uint64{&d.Reads, &d.Writes, &d.Discards}
	if isBytes {
		all = [...]*uint64{&d.ReadBytes, &d.WriteBytes, &d.DiscardBytes}
	}
	switch key {
	case "Read":
		return all[0]
	case "Write":
		return all[1]
	case "Discard":
		return all[2]
	}
	return nil
}

func find(all []views.Disk, d views.Disk) int {
	for i := range all {
		if all[i].Major == d.Major && all[i].Minor == d.Minor {
			return i
		}
	}
	return len(all)
}

// numbers reads "8:0".
func numbers(text []byte, d *views.Disk) bool {
	major, minor, ok := bytes.Cut(text, []byte(":"))
	if !ok || len(major) == 0 || len(minor) == 0 || major[0] > '9' || minor[0] > '9' {
		return false
	}
	d.Major, d.Minor = uint32(min(number(major), 1<<12)), uint32(min(number(minor), 1<<20))
	return true
}
