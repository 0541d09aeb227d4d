package spec

// Limits is the table [limits].
type Limits struct {
	// The most memory that the guest may use, its page cache included. At the limit
	// it reclaims its own, then its largest process is killed.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024); 4M at least
	// Default: no limit
	// Change: live
	// Example: "512M"
	Memory *Bytes `toml:"memory"`

	// The most swap space that the guest may use beside its memory; 0 is none. On a host
	// with control groups v1 limits.memory has to be set, too.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024), or 0
	// Default: no limit
	// Change: live
	// Example: "256M"
	Swap *Space `toml:"swap"`

	// How much memory the guest may use before the kernel slows it down and takes memory
	// back. A guest that can't give any back may stand nearly still at this limit: memory
	// alone is the limit at which a process is killed. Control groups v2 only.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024); 4M at least
	// Default: no limit
	// Change: live
	// Example: "448M"
	MemoryHigh *Bytes `toml:"memory_high"`

	// How much of the guest's memory the kernel never takes back for others, not even
	// when the host has none left. Control groups v2 only.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024)
	// Default: nothing is kept for the guest
	// Change: live
	// Example: "64M"
	MemoryMin *Bytes `toml:"memory_min"`

	// How many CPUs the guest has. Which ones is chosen when it starts, those that the
	// fewest other guests are bound to; the guest sees no others. Not together with cpuset.
	// Unit: a number, 1 to what the host has
	// Default: all
	// Change: live
	// Example: 2
	CPUs *int64 `toml:"cpus"`

	// The CPUs that the guest may run on.
	// Unit: numbers and ranges of CPUs of the host, from 0
	// Default: all
	// Change: live
	// Example: "0-1,4"
	CPUSet string `toml:"cpuset"`

	// The most processor time that the guest may use, all its processes together.
	// Unit: percent of one CPU as in "150%", or a number of CPUs as in 1.5
	// Default: no limit
	// Change: live
	// Example: "150%"
	CPUQuota *CPUQuota `toml:"cpu_quota"`

	// The processor time that the guest may save up while it uses less than its cpu_quota,
	// to use more for a moment later.
	// Unit: percent of one CPU during a tenth of a second; no more than cpu_quota
	// Default: none
	// Change: live
	// Example: "50%"
	CPUBurst *CPUQuota `toml:"cpu_burst"`

	// The guest's share of the processor time where guests compete for it: one of 200
	// gets twice what one of 100 gets.
	// Unit: a number, 1 to 10000
	// Default: 100
	// Change: live
	// Example: 200
	CPUWeight *int64 `toml:"cpu_weight"`

	// The most processes and threads that the guest may have.
	// Unit: a number, 1 to 4194304
	// Default: 16384, or a quarter of what the host itself can have
	// Change: live
	// Example: 1000
	Pids *int64 `toml:"pids"`

	// The most memory that the guest may use in huge pages, by the size of the pages.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024), or 0
	// Default: no limit
	// Change: live
	// Example: "2M" = "64M"
	Hugepages map[string]Space `toml:"hugepages"`

	// What the guest may use of the host's disks.
	IO IO `toml:"io"`
}

// IO is the table [limits.io].
type IO struct {
	// The guest's share of a disk where guests compete for it: one of 200 gets twice what
	// one of 100 gets. The host's kernel needs io.cost, or the disk the scheduler bfq.
	// Unit: a number, 1 to 10000
	// Default: 100
	// Change: live
	// Example: 200
	Weight *int64 `toml:"weight"`

	// The limits of one disk. Without any the guest may use disks as it can.
	Devices []IODevice `toml:"device"`
}

// IODevice is an entry of [[limits.io.device]].
type IODevice struct {
	// The disk: its device node, or any file or directory that lies on it. The limits
	// are those of the whole disk, whatever partition is named.
	// Default: none, an entry must have it
	// Change: live
	// Example: "/var/lib/sysct"
	Path string `toml:"path"`

	// The most that the guest may read in a second.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024)
	// Default: no limit
	// Change: live
	// Example: "50M"
	Read *Bytes `toml:"read"`

	// The most that the guest may write in a second.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024)
	// Default: no limit
	// Change: live
	// Example: "20M"
	Write *Bytes `toml:"write"`

	// The most operations in a second that read.
	// Unit: a number, 1 to 4294967295
	// Default: no limit
	// Change: live
	// Example: 1000
	ReadOps *int64 `toml:"read_ops"`

	// The most operations in a second that write.
	// Unit: a number, 1 to 4294967295
	// Default: no limit
	// Change: live
	// Example: 500
	WriteOps *int64 `toml:"write_ops"`
}
