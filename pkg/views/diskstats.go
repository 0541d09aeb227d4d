package views

import "strconv"

const (
	diskLine   = 176
	diskDigits = 15
	diskName   = 32 // BDEVNAME_SIZE
)

// Diskstats renders /proc/diskstats: what the guest itself has read and written.
// Merges and times have no source and are 0. Source: block/genhd.c, diskstats_show.
func Diskstats(b []byte, s *Snapshot) []byte {
	for i := range s.Disks {
		d := &s.Disks[i]
		start := len(b)
		b = padded(b, uint64(d.Major), 4)
		b = padded(append(b, ' '), uint64(d.Minor), 7)
		b = append(append(b, ' '), d.Name[:min(len(d.Name), diskName)]...)
		b = operations(b, d.Reads, d.ReadBytes)
		b = operations(b, d.Writes, d.WriteBytes)
		b = append(b, " 0 0 0"...)
		b = operations(b, d.Discards, d.DiscardBytes)
		b = append(b, " 0 0"...)
		b = endLine(b, start, diskLine)
	}
	return b
}

// operations appends their number, those merged, sectors of 512 bytes, and time.
func operations(b []byte, n, bytes uint64) []byte {
	b = strconv.AppendUint(append(b, ' '), min(n, largest(diskDigits)), 10)
	b = strconv.AppendUint(append(b, " 0 "...), min(bytes>>9, largest(diskDigits)), 10)
	return append(b, " 0"...)
}
