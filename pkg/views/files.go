package views

import "time"

// File is one virtual file.
//
// Two renders have the same length as long as the guest has the same CPUs and
// disks: the page cache goes by a file's size, and would cut a longer text or fill
// up a shorter one with zero bytes. The last byte is a newline; what makes up the
// length are wide columns, blanks at the end of a line, or counters of no interrupts.
type File struct {
	Path string        // in the guest, without the first slash
	Size int           // bytes that a small machine's text takes: a hint for a buffer
	TTL  time.Duration // how old a text may be that a reader gets
	Need Need          // the parts of the snapshot that Render looks at
	// Render appends the text. It can't fail.
	Render func(b []byte, s *Snapshot) []byte
}

// How old a text may be.
const (
	ttl       = 50 * time.Millisecond
	ttlUptime = 10 * time.Millisecond
)

// CPUDir is the directory that the cpuN directories are in.
const CPUDir = "sys/devices/system/cpu"

// Files is the table of all virtual files.
func Files() []File {
	return []File{
		{"proc/cpuinfo", 4096, ttl, NeedCPUInfo, CPUInfo},
		{"proc/diskstats", 1024, ttl, NeedDisks, Diskstats},
		{"proc/loadavg", loadavgLength, ttl, NeedLoad, Loadavg},
		{"proc/meminfo", 2048, ttl, NeedMemory, Meminfo},
		{"proc/stat", 1024, ttl, NeedTimes | NeedTasks, Stat},
		{"proc/swaps", 256, ttl, NeedMemory, Swaps},
		{"proc/uptime", uptimeLength, ttlUptime, NeedTimes, Uptime},
		{CPUDir + "/isolated", 1, ttl, 0, noCPUs},
		{CPUDir + "/kernel_max", 8, ttl, NeedCPUs, kernelMax},
		{CPUDir + "/offline", 1, ttl, 0, noCPUs},
		{CPUDir + "/online", 8, ttl, NeedCPUs, cpuList},
		{CPUDir + "/possible", 8, ttl, NeedCPUs, cpuList},
		{CPUDir + "/present", 8, ttl, NeedCPUs, cpuList},
	}
}
