// Package rlimit names the kernel's resource limits of a process, as setrlimit(2) and
// LXC's lxc.prlimit.NAME do: in small letters, without RLIMIT_.
package rlimit

import (
	"maps"
	"slices"

	"golang.org/x/sys/unix"
)

// Infinity is the value of no limit.
const Infinity = uint64(unix.RLIM_INFINITY)

func numbers() map[string]int {
	return map[string]int{
		"as": unix.RLIMIT_AS, "core": unix.RLIMIT_CORE, "cpu": unix.RLIMIT_CPU, "data": unix.RLIMIT_DATA,
		"fsize": unix.RLIMIT_FSIZE, "locks": unix.RLIMIT_LOCKS, "memlock": unix.RLIMIT_MEMLOCK,
		"msgqueue": unix.RLIMIT_MSGQUEUE, "nice": unix.RLIMIT_NICE, "nofile": unix.RLIMIT_NOFILE,
		"nproc": unix.RLIMIT_NPROC, "rss": unix.RLIMIT_RSS, "rtprio": unix.RLIMIT_RTPRIO,
		"rttime": unix.RLIMIT_RTTIME, "sigpending": unix.RLIMIT_SIGPENDING, "stack": unix.RLIMIT_STACK,
	}
}

// Names lists all that there are, sorted.
func Names() []string { return slices.Sorted(maps.Keys(numbers())) }

// Number is the kernel's number of a limit.
func Number(name string) (number int, known bool) {
	number, known = numbers()[name]
	return number, known
}
