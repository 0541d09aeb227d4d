package mounts

import (
	"path"
	"strconv"
)

// Kind is what an Op does.
type Kind string

const (
	KindFS       Kind = "fs"       // a new file system of type FS at Target
	KindFD       Kind = "fd"       // the detached mount that the fd named FD is, at Target
	KindReadonly Kind = "readonly" // Target bound over itself, read-only
	KindMaskFile Kind = "mask"     // Target, a file, hidden by /dev/null
	KindMaskDir  Kind = "maskdir"  // Target, a directory, hidden by an empty read-only one
	KindBind     Kind = "bind"     // Source, a path in the guest, bound at Target read-only
	KindTTY      Kind = "tty"      // Source, a terminal in the guest, bound at Target
	KindWritable Kind = "writable" // Source, a path in the guest, bound at Target writable
	KindTouch    Kind = "touch"    // Target, a file, opened and closed once
)

// Op is one mount of the plan. Target and Source are relative to the guest's root.
type Op struct {
	Kind    Kind
	Target  string
	Source  string
	FS      string
	FD      string
	Options []Option
	Attr    int  // MOUNT_ATTR_*
	Absent  bool // a target or source that does not exist is no error
	Soft    bool // nor is a target that can't be reached without a link, or isn't a directory
}

// Option is a file system's parameter; a flag has no value.
type Option struct {
	Key   string
	Value string
}

// Facts are what the plan depends on.
type Facts struct {
	PrivateNet bool // the guest has a network namespace of its own
	HostIDs    bool // it has no user namespace: what the kernel keeps it from else is read-only
	Sysfs      bool // sysfs can be mounted anew (with a private network); else the host's is handed in as fd "sys"
	// Views are what is shown in place of the kernel's own: paths as "proc/meminfo" in the
	// guest, each by its last component in the file system that is handed in as fd "views".
	Views    []string
	Pressure bool // /proc/pressure is the guest's own
	// Memory is the most that the guest may use, in bytes; 0: as much as the host has.
	Memory int64
}

// Attributes of struct mount_attr, linux/mount.h.
const (
	AttrReadonly = 0x1
	AttrNosuid   = 0x2
	AttrNodev    = 0x4
	AttrNoexec   = 0x8
	attrClosed   = AttrNosuid | AttrNodev | AttrNoexec
)

// Pristine is the directory in a guest where proc and sysfs stay mounted without
// anything over them: the kernel allows a nested mount of either only if a
// fully visible one exists in the mount namespace (mount_too_revealing).
const Pristine = "dev/.sysct"

// ViewRoot is where the file system of the views is mounted in a guest.
const ViewRoot = Pristine + "/views"

// ViewTouch is an empty file there.
const ViewTouch = "touch"

// Plan gives a guest's mounts in their order, the root itself not among them.
// Masks are cosmetic in a user namespace: any guest root can mount a fresh proc.
// They keep programs that look around from logging denials; the protection is
// the kernel's own. A guest with the host's ids has no other protection than what is
// read-only here, against accidents, not against a root that mounts a fresh proc. Source: systemd's CONTAINER_INTERFACE.
func Plan(f Facts) []Op {
	ops := []Op{
		{Kind: KindFS, FS: "proc", Target: "proc", Attr: attrClosed},
		{Kind: KindFD, FD: "dev", Target: "dev"},
		{Kind: KindFS, FS: "devpts", Target: "dev/pts", Attr: AttrNosuid | AttrNoexec,
			Options: []Option{{"ptmxmode", "0666"}, {"mode", "0620"}, {"gid", "5"}}},
		{Kind: KindFS, FS: "tmpfs", Target: "dev/shm", Attr: AttrNosuid | AttrNodev, Options: []Option{{"mode", "1777"}, {"size", shmSize(f.Memory)}}},
		{Kind: KindFS, FS: "mqueue", Target: "dev/mqueue", Attr: attrClosed},
		{Kind: KindFS, FS: "proc", Target: Pristine + "/proc", Attr: f.pristine()},
	}
	ops = append(ops, sysOps(f)...)
	ops = append(ops, Op{Kind: KindFS, FS: "tmpfs", Target: "run", Attr: AttrNosuid | AttrNodev,
		Options: []Option{{"mode", "0755"}, {"size", runSize(f.Memory)}, {"nr_inodes", "800k"}}})
	ops = append(ops, procOps(f)...)
	return append(ops, ViewOps(f)...)
}

// shmSize is half of the memory that the guest may use, as the kernel's default is half of
// the host's: what is in a tmpfs can't be taken back, and counts as the guest's.
func shmSize(memory int64) string {
	if memory == 0 {
		return "50%" // of the host's, see tmpfs(5)
	}
	return strconv.FormatInt(memory/2, 10)
}

// runSize is a fifth, as systemd has it, but no less than half of a guest that has little:
// systemd takes no daemon-reload with less than 16 MiB free in /run.
func runSize(memory int64) string {
	const enough = 32 << 20
	if memory == 0 {
		return "20%"
	}
	return strconv.FormatInt(max(memory/5, min(memory/2, enough)), 10)
}

// ViewOps are those mounts that show the guest's own figures. The file system that they come
// from stays mounted beside the pristine ones: a detached one can't be cloned from before
// Linux 6.15.
func ViewOps(f Facts) []Op {
	var ops []Op
	if len(f.Views) > 0 {
		ops = append(ops, Op{Kind: KindFD, FD: "views", Target: ViewRoot})
	}
	for _, target := range f.Views {
		ops = append(ops, Op{Kind: KindBind, Source: ViewRoot + "/" + path.Base(target), Target: target, Absent: true})
	}
	if len(f.Views) > 0 {
		// Their server says once that it needn't be asked for this.
		ops = append(ops, Op{Kind: KindTouch, Target: ViewRoot + "/" + ViewTouch, Absent: true})
	}
	if f.Pressure {
		for _, what := range []string{"cpu", "memory", "io", "irq"} {
			ops = append(ops, Op{Kind: KindWritable, Source: "sys/fs/cgroup/" + what + ".pressure", Target: "proc/pressure/" + what, Absent: true})
		}
	}
	return ops
}

// pristine: without a user namespace a proc without anything over it is the host's sysctls,
// writable.
func (f Facts) pristine() int {
	if f.HostIDs {
		return attrClosed | AttrReadonly
	}
	return attrClosed
}

// sysOps: /sys is read-only, as the contract with systemd wants it, but for the
// delegated control groups.
func sysOps(f Facts) []Op {
	var ops []Op
	if f.Sysfs {
		ops = append(ops,
			Op{Kind: KindFS, FS: "sysfs", Target: Pristine + "/sys", Attr: f.pristine()},
			Op{Kind: KindFS, FS: "sysfs", Target: "sys", Attr: attrClosed | AttrReadonly})
	} else {
		ops = append(ops, Op{Kind: KindFD, FD: "sys", Target: "sys", Attr: attrClosed | AttrReadonly})
	}
	ops = append(ops, Op{Kind: KindFS, FS: "cgroup2", Target: "sys/fs/cgroup", Attr: attrClosed})
	for _, d := range []string{"sys/firmware", "sys/devices/virtual/powercap"} {
		ops = append(ops, Op{Kind: KindMaskDir, Target: d, Absent: true})
	}
	return ops
}

func procOps(f Facts) []Op {
	var ops []Op
	closed := []string{"bus", "fs", "irq", "sysrq-trigger"}
	if f.HostIDs {
		closed = append(closed, "acpi", "asound", "driver", "dynamic_debug", "mtrr", "tty")
	}
	for _, p := range closed {
		ops = append(ops, Op{Kind: KindReadonly, Target: "proc/" + p, Absent: true})
	}
	if !f.PrivateNet || f.HostIDs {
		ops = append(ops, Op{Kind: KindReadonly, Target: "proc/sys"})
	}
	for _, p := range []string{"kcore", "keys", "kallsyms", "kpagecount", "kpageflags", "kpagecgroup", "latency_stats",
		"sched_debug", "timer_list", "timer_stats", "interrupts", "slabinfo", "spl/kstat/zfs/arcstats"} {
		ops = append(ops, Op{Kind: KindMaskFile, Target: "proc/" + p, Absent: true})
	}
	for _, p := range []string{"scsi", "acpi"} {
		ops = append(ops, Op{Kind: KindMaskDir, Target: "proc/" + p, Absent: true})
	}
	return append(ops, Op{Kind: KindBind, Source: Pristine + "/boot_id", Target: "proc/sys/kernel/random/boot_id"})
}
