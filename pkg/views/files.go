package views

import "time"

// File is one virtual file.
//
// Two renders have the same length as long as the guest has the same CPUs, the
// same disks, and swap or none: the page cache goes by a file's size, and would
// cut a longer text or fill up a shorter one with zero bytes. The last byte is a
// newline; what makes up the length are blanks before one of the newlines.
type File struct {
	Path string        // in the guest, without the first slash
	Size int           // bytes that a small machine's text takes: a hint for a buffer
	TTL  time.Duration // how old a text may be that a reader gets
	Need Need          // the parts of the snapshot that Render looks at
	// Render appends the text. It can't fail.
	Render func(b []byte, s *Snapshot) []byte
}

// How old a text may be. What changes only by the administrator's hand is made
// invalid then.
const (
	ttl       = 50 * time.Millisecond
	ttlUptime = 10 * time.Millisecond
	ttlCPUs   = time.Hour
)

// Files is the table of all virtual files but those of single CPUs.
func Files() []File {
	return []File{
		{"proc/meminfo", 2048, ttl, NeedMemory, Meminfo},
		{"proc/uptime", 64, ttlUptime, NeedTimes, Uptime},
	}
}
