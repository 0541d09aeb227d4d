package fdstore

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// firstFD is SD_LISTEN_FDS_START.
const firstFD = 3

// firstVar is where the descriptors of a process begin that executed itself anew: those
// from 3 on were in use. It is this project's own.
const firstVar = "SYSCT_LISTEN_FIRST"

// maxFDs bounds LISTEN_FDS, so that a wrong value costs no long loop.
const maxFDs = 4096

// Stored is a descriptor with the name it was stored under.
type Stored struct {
	Name string
	FD   int
}

// Received are the descriptors that this process was started with. Every
// descriptor from 3 on is made close-on-exec, also one that it was started with
// by mistake, and the variables are taken out of the environment, so that no
// child takes them for its own. It is to be called once, before anything else.
//
// LISTEN_PID must be this process if it is set. The holder doesn't set it:
// between fork and exec it can't learn the pid of the child; instead it hands
// no child an environment that it got from someone else.
func Received() ([]Stored, error) {
	env := map[string]string{}
	for _, key := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID", firstVar} {
		env[key] = os.Getenv(key)
		os.Unsetenv(key)
	}
	names, err := names(env, os.Getpid())
	if err != nil {
		return nil, err
	}
	if err := unix.CloseRange(firstFD, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC); err != nil {
		return nil, fmt.Errorf("cannot make descriptors close-on-exec: %w", err)
	}
	first := firstFD
	if n, err := strconv.Atoi(env[firstVar]); err == nil && n > firstFD {
		first = n
	}
	stored := make([]Stored, 0, len(names))
	for i, name := range names {
		fd := first + i
		if _, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil {
			return nil, fmt.Errorf("cannot take over descriptor %d (%s): %w", fd, name, err)
		}
		stored = append(stored, Stored{Name: name, FD: fd})
	}
	return stored, nil
}

// names are the names of the descriptors from 3 on.
func names(env map[string]string, pid int) ([]string, error) {
	if env["LISTEN_FDS"] == "" {
		return nil, nil
	}
	if p := env["LISTEN_PID"]; p != "" && p != strconv.Itoa(pid) {
		return nil, nil
	}
	n, err := strconv.Atoi(env["LISTEN_FDS"])
	if err != nil || n < 0 || n > maxFDs {
		return nil, fmt.Errorf("cannot read LISTEN_FDS: %q is not a number of descriptors", env["LISTEN_FDS"])
	}
	list := strings.Split(env["LISTEN_FDNAMES"], ":")
	out := make([]string, n)
	for i := range out {
		out[i] = "unknown" // as sd_listen_fds_with_names(3) calls them
		if i < len(list) && list[i] != "" {
			out[i] = list[i]
		}
	}
	return out, nil
}

// EnvironAt is Environ for descriptors from another number on, which only this
// package's Received understands.
func EnvironAt(first int, names []string) []string {
	return append(Environ(names), firstVar+"="+strconv.Itoa(first))
}

// Environ are the variables that tell a child of its descriptors, which are
// its 3, 4, … in this order.
func Environ(names []string) []string {
	return []string{
		"LISTEN_FDS=" + strconv.Itoa(len(names)),
		"LISTEN_FDNAMES=" + strings.Join(names, ":"),
	}
}
