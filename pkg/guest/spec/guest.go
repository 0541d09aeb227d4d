package spec

import "time"

// guestVersion is the schema that this program reads and writes.
const guestVersion = 1

// Guest is the content of config.toml in a guest's directory.
type Guest struct {
	// The version of this file's schema. A file of a newer one is refused.
	// Default: 1
	// Change: restart
	Version int `toml:"version"`

	// Files of keys that this one is laid over: those that this file doesn't have are
	// taken from there. Tables are merged, lists and values replaced as a whole. A path
	// is absolute, or relative to the directory of the file that has it. A file has the
	// form of this one, and is to be root's alone with all directories on its path.
	// Those of include come first, each over the one before, then those of profiles.
	// Default: none
	// Change: live
	// Example: ["/etc/sysct/small.toml"]
	Include []string `toml:"include"`

	// Profiles that this file is laid over, as with include: web is the file web.toml in
	// the host's directory of profiles (/etc/sysct/profiles, see sysct.toml). After a
	// profile was edited, sysct apply has it count in a guest that runs.
	// Default: none
	// Change: live
	// Example: ["web"]
	Profiles []string `toml:"profiles"`

	// The host name that the guest starts with: letters, digits, - and _, in parts
	// separated by points, 64 characters at most. An init that reads /etc/hostname, as
	// systemd does, sets the name that is there afterwards.
	// Default: the guest's name
	// Change: restart
	// Example: "web1.example.org"
	Hostname string `toml:"hostname"`

	// Whether a guest that broke down is started again: "no" or "on-failure". Broken
	// down means that its init was killed by a signal that sysct didn't send, or
	// ended with a status other than 0. The pause before a new start doubles from
	// 1 s to 60 s; after the fifth start in ten minutes the guest stays stopped.
	// Default: "no"
	// Change: restart
	Restart string `toml:"restart"`

	// What the guest is protected from: "delete" refuses to destroy it, even by force,
	// "start" refuses to start it. A verb for all guests passes over it.
	// Default: none
	// Change: live
	// Example: ["delete"]
	Protect []string `toml:"protect"`

	// Whether the guest is destroyed when it stops: by its own poweroff, by a stop, a
	// kill or a failure, but not by a reboot or a restart.
	// Default: false
	// Change: restart
	Ephemeral bool `toml:"ephemeral"`

	// How willingly the kernel kills the guest's processes when the whole host lacks
	// memory: more than 0 is rather these than others, -1000 never. It has nothing to do
	// with the guest's own limit of memory.
	// Unit: a number, -1000 to 1000
	// Default: 0
	// Change: restart
	OOMScoreAdj int `toml:"oom_score_adj"`

	// Whether the guest is started when the host is, when, and with which others. The host
	// service (sysct host run) does it. Guests of a lower order are started first, and
	// stopped last.
	Autostart Autostart `toml:"autostart"`

	// Whether the guest may be a host of containers or guests itself: more ids (1,048,576),
	// /dev/fuse and /dev/net/tun, the keyring calls, and directories of the host's own file
	// system at /var/lib/containers, /var/lib/docker and /var/lib/sysct where its root is an
	// overlay. It is still held by its user namespace.
	// Default: false
	// Change: restart
	Nesting bool `toml:"nesting"`

	// Whether the guest runs without a user namespace of its own: its ids are the host's, its
	// root is the host's root. Capabilities, the filter, device rules and read-only mounts
	// keep it from changing the host by accident; a hostile root they don't keep from taking
	// the host. Only for software that is trusted like the host's own.
	// Default: false
	// Change: restart
	Privileged bool `toml:"privileged"`

	// The first program of the guest, and how it is brought to an end.
	Init Init `toml:"init"`

	// Environment variables of the guest's init, beside the ones that sysct sets
	// (container, container_*, NOTIFY_SOCKET, CREDENTIALS_DIRECTORY: these can't be set
	// here). A name has letters, digits and _.
	// Default: none
	// Change: restart
	// Example: LANG = "C.UTF-8"
	Env map[string]string `toml:"env"`

	// Secrets and settings for the guest's programs, by name: systemd credentials. Each is
	// a file that only the guest's root can read, in /run/host/credentials, and init has
	// that directory in $CREDENTIALS_DIRECTORY. A value is a text, or a table with one
	// key: file, the path of a file on the host that is read when the guest is started,
	// or base64, for what isn't text: credentials.key.file, credentials.key.base64. All
	// names and contents together have 1 MiB at most.
	// Default: none
	// Change: restart
	// Example: "firstboot.locale" = "C.UTF-8"
	Credentials map[string]Credential `toml:"credentials"`

	// Programs that are run at certain points of the guest's life. A command is an
	// absolute path and arguments, separated by blanks; a word with blanks in it is put
	// in ' or ". No shell reads it. A hook has one command or a list of them, run in
	// order; one that ends with another status than 0 before init runs gives up the
	// start. They are told what they are for by the environment (LXC_NAME, LXC_HOOK_TYPE
	// and others, each also as SYSCT_*) and by JSON on standard input; what they print is
	// in the guest's log. The programs on the host are to be root's alone, and in no
	// guest's tree.
	Hooks Hooks `toml:"hooks"`

	// What the guest may use of the host.
	Limits Limits `toml:"limits"`

	// What the guest sees of the machine: its own memory, CPUs, load and times instead of
	// the host's.
	Views Views `toml:"views"`

	// Resource limits of the guest's init, which its processes inherit, by name: as, core,
	// cpu, data, fsize, locks, memlock, msgqueue, nice, nofile, nproc, rss, rtprio, rttime,
	// sigpending, stack, in the units of setrlimit(2). A value is a number, "unlimited", or
	// a soft and a hard limit with a colon between them. Each is a process's or a user's
	// own, where [limits] are those of the whole guest; an init may set others.
	// Default: the host's
	// Change: restart
	// Example: nofile = "1024:65536"
	Rlimits map[string]Rlimit `toml:"rlimits"`

	// Devices of the host that the guest may use. Every guest has null, zero, full, random,
	// urandom, tty, its console and terminals.
	Device []Device `toml:"device"`

	// The network interfaces of the guest, 16 at most. Without any it has a network of its
	// own with nothing but the loopback interface.
	Net []Net `toml:"net"`

	// Ports of the host that lead to the guest's. Who comes from outside keeps his address.
	Publish []Publish `toml:"publish"`

	// How the guest finds names.
	DNS DNS `toml:"dns"`

	// What the guest has in common with another.
	Share Share `toml:"share"`

	// The console and the ttys of the guest, and the log that is kept of the console.
	Console Console `toml:"console"`
}

// Autostart is the table [autostart].
type Autostart struct {
	// Whether the guest is started with the host. The verbs enable and disable set this.
	// Default: false
	// Change: live
	Enabled bool `toml:"enabled"`

	// The place in the order of starts. All guests of a lower order are started before
	// this one, those of the same order at the same time; stops are in reverse.
	// Unit: a number, -1000000 to 1000000; lower first
	// Default: 0
	// Change: live
	Order int `toml:"order"`

	// How long, after this guest was started with the host, guests of a higher order wait.
	// Unit: seconds, or a number with h, m, s or ms; 1h at most
	// Default: "0s"
	// Change: live
	Delay Duration `toml:"delay"`

	// The groups that the guest is in: verbs work on those of a group, as in
	// start -g NAME. A group's name is formed like a guest's.
	// Default: none
	// Change: live
	// Example: ["db", "night"]
	Groups []string `toml:"groups"`

	// The guests that have to be ready before this one is started, if they are started at
	// all. They are waited for up to five minutes. They come before the order: if one has a
	// higher order than this guest, this one waits with it.
	// Default: none
	// Change: live
	// Example: ["db"]
	After []string `toml:"after"`

	// The guests that this one needs: they are started too, have to be ready before, and
	// if one can't be started this one isn't. What becomes of one later doesn't touch this
	// one. A unit of the host that needs a guest is to say Wants=sysct@NAME.service and
	// After=sysct@NAME.service, never Requires= or BindsTo=: these would restart it
	// whenever the guest's monitor is replaced.
	// Default: none
	// Change: live
	// Example: ["db"]
	Requires []string `toml:"requires"`
}

// Init is the table [init].
type Init struct {
	// The program that is executed as the guest's process 1, and its arguments. The
	// program is an absolute path in the guest.
	// Default: ["/sbin/init"]
	// Change: restart
	Cmd []string `toml:"cmd"`

	// How init is asked to shut the guest down: "auto", which finds out what init it
	// is and uses that one's own way, or a signal, as in "SIGPWR" or "SIGRTMIN+4".
	// Default: "auto"
	// Change: restart
	Halt string `toml:"halt"`

	// A command that is run in the guest to find out whether it is up: status 0 means
	// ready. It is needed only for a guest whose init doesn't say so (READY=1) and
	// that shows no login prompt on its console.
	// Default: none
	// Change: restart
	// Example: ["/usr/bin/test", "-e", "/run/up"]
	ReadyCmd []string `toml:"ready_cmd"`

	// How long a clean stop may take before the guest is killed; 0 kills it at once.
	// Unit: seconds, or a number with h, m, s or ms; 24h at most
	// Default: "60s"
	// Change: restart
	StopTimeout Duration `toml:"stop_timeout"`
}

// Views is the table [views].
type Views struct {
	// Whether the guest sees figures of its own at all. The keys below turn off single
	// ones: the guest then sees the host's there.
	// Default: true
	// Change: restart
	Enabled bool `toml:"enabled"`

	// Memory and swap space: /proc/meminfo. Without it there is no sysinfo either, since
	// programs mix the two.
	// Default: true
	// Change: restart
	Meminfo bool `toml:"meminfo"`

	// The CPUs that the guest may run on: /proc/cpuinfo.
	// Default: true
	// Change: restart
	CPUInfo bool `toml:"cpuinfo"`

	// The times of its CPUs, and its processes: /proc/stat.
	// Default: true
	// Change: restart
	Stat bool `toml:"stat"`

	// How long it is up, and its CPUs were idle: /proc/uptime.
	// Default: true
	// Change: restart
	Uptime bool `toml:"uptime"`

	// Its load: /proc/loadavg.
	// Default: true
	// Change: restart
	Loadavg bool `toml:"loadavg"`

	// Its swap space: /proc/swaps.
	// Default: true
	// Change: restart
	Swaps bool `toml:"swaps"`

	// What it reads from and writes to disks: /proc/diskstats.
	// Default: true
	// Change: restart
	Diskstats bool `toml:"diskstats"`

	// Its CPUs by number: /sys/devices/system/cpu.
	// Default: true
	// Change: restart
	CPUs bool `toml:"cpus"`

	// What it waits for CPUs, memory, and disks: /proc/pressure. Its root can set triggers.
	// Default: true
	// Change: restart
	Pressure bool `toml:"pressure"`

	// What sysinfo(2) answers, in programs of 32 bits too: memory, swap space, load, how
	// long it is up. busybox, uptime, and C libraries ask it.
	// Default: true
	// Change: restart
	Sysinfo bool `toml:"sysinfo"`
}

// Console is the table [console].
type Console struct {
	// How many ttys the guest has beside its console: /dev/pts/1 and so on.
	// Unit: a number, 0 to 12
	// Default: 4
	// Change: restart
	TTYs int `toml:"ttys"`

	// The size at which the console's log is rotated.
	// Unit: bytes, or a whole number with K, M, G or T (powers of 1024); 4K to 1G
	// Default: "1M"
	// Change: restart
	LogSize Bytes `toml:"log_size"`

	// How many files of the console's log are kept, the one that is written included.
	// Unit: a number, 1 to 100
	// Default: 4
	// Change: restart
	LogFiles int `toml:"log_files"`
}

// Default returns a guest's configuration with nothing but defaults.
func Default() *Guest {
	return &Guest{
		Version: guestVersion,
		Restart: "no",
		Init:    Init{Cmd: []string{"/sbin/init"}, Halt: "auto", StopTimeout: Duration(60 * time.Second)},
		Hooks:   Hooks{Timeout: Duration(60 * time.Second)},
		Views: Views{Enabled: true, Meminfo: true, CPUInfo: true, Stat: true, Uptime: true, Loadavg: true, Swaps: true,
			Diskstats: true, CPUs: true, Pressure: true, Sysinfo: true},
		DNS:     DNS{Write: true},
		Console: Console{TTYs: 4, LogSize: MiB, LogFiles: 4},
	}
}
