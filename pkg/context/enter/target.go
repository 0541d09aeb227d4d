package enter

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/sysct/sysct/pkg/context/caps"
	"golang.org/x/sys/unix"
)

// Target is the guest that is entered. Nothing in it is closed by Start.
type Target struct {
	// PidFD is a pidfd of the guest's init; the namespaces are its.
	PidFD int
	// LeafFD is a directory of the v2 cgroup that the program is born in,
	// -1 for the caller's own.
	LeafFD int
	// JoinFDs are the v1 tasks files, open for writing, that the program
	// joins by itself before it enters.
	JoinFDs []int
	// Flags are the namespaces to join, unix.CLONE_NEW*; 0 stands for what
	// Namespaces finds.
	Flags int
	// Filter is a seccomp program, loaded without no_new_privs; nil is none.
	Filter []unix.SockFilter
	// Listen loads the filter with a listener, Child.Listener.
	Listen bool
	// Keep is the set of capabilities that the
	// bounding set keeps and that a program of user 0 has.
	Keep caps.Set
	// Rlimits are what the program has instead of the caller's own resource limits.
	Rlimits []Rlimit
	// OOMScoreAdj is the program's, see proc_pid_oom_score_adj(5); 0 leaves the caller's.
	OOMScoreAdj int
}

// Rlimit is a resource limit, see getrlimit(2).
type Rlimit struct {
	Resource   int
	Soft, Hard uint64
}

// Process is the program to start. All of it is in the guest's terms.
type Process struct {
	// Args are the arguments. Args[0] without a slash is looked for along
	// PATH as Env has it; directories that aren't absolute are skipped.
	Args []string
	// Env is the whole environment; nothing of the caller's is added.
	Env []string
	// Dir is the working directory, entered with the user's own rights;
	// empty is the root.
	Dir string
	// UID and GID are ids in the guest.
	UID, GID uint32
	// Groups are the supplementary groups, all of them.
	Groups []uint32
	// Files become descriptors 0, 1 and 2; the program has no others.
	Files [3]int
	// TTY makes Files[0], a terminal of the guest, the controlling one.
	TTY bool
	// Timeout bounds the way from fork to execve: a hostile guest can stop
	// the child in between. 0 is DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout is how long Start waits for the program's execve.
const DefaultTimeout = 30 * time.Second

// namespaces lists the files of /proc/PID/ns by their flag.
var namespaces = [...]struct {
	name string
	flag int
}{
	{"user", unix.CLONE_NEWUSER}, {"mnt", unix.CLONE_NEWNS}, {"pid", unix.CLONE_NEWPID},
	{"net", unix.CLONE_NEWNET}, {"uts", unix.CLONE_NEWUTS}, {"ipc", unix.CLONE_NEWIPC},
	{"cgroup", unix.CLONE_NEWCGROUP}, {"time", unix.CLONE_NEWTIME},
}

// Namespaces returns the flags of those namespaces that the process behind
// pidfd doesn't share with the caller. (To join one's own user namespace is an
// error, and a guest may have the host's network.)
func Namespaces(pidfd int) (int, error) {
	pid, err := pidOf(pidfd)
	if err != nil {
		return 0, err
	}
	own, err := readNamespaces("/proc/self/ns")
	if err != nil {
		return 0, err
	}
	theirs, err := readNamespaces("/proc/" + strconv.Itoa(pid) + "/ns")
	if err != nil {
		return 0, err
	}
	flags := 0
	for i, n := range namespaces {
		if own[i] != theirs[i] {
			flags |= n.flag
		}
	}
	return flags, checkAlive(pidfd)
}

// readNamespaces reads the links of /proc/PID/ns: a kind and an inode number.
// By a descriptor of the directory, which halves the time. A kind that the
// kernel was built without is empty.
func readNamespaces(dir string) (links [len(namespaces)]string, err error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return links, fmt.Errorf("cannot open %s: %w", dir, err)
	}
	defer unix.Close(fd)
	var buf [64]byte
	for i, n := range namespaces {
		size, err := unix.Readlinkat(fd, n.name, buf[:])
		if err == unix.ENOENT {
			continue
		}
		if err != nil {
			return links, fmt.Errorf("cannot read %s/%s: %w", dir, n.name, err)
		}
		links[i] = string(buf[:size])
	}
	return links, nil
}

// pidOf returns the pid behind a pidfd. What is then read under /proc/PID is
// the process's own only if checkAlive succeeds afterwards.
func pidOf(pidfd int) (int, error) {
	data, err := os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(pidfd))
	if err != nil {
		return 0, fmt.Errorf("cannot read pidfd: %w", err)
	}
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(line, "Pid:"); ok {
			pid, err := strconv.Atoi(strings.TrimSpace(v))
			if err == nil && pid > 0 {
				return pid, nil
			}
			return 0, fmt.Errorf("cannot read pidfd: %w", unix.ESRCH)
		}
	}
	return 0, fmt.Errorf("cannot read pidfd: descriptor %d is none", pidfd)
}

// checkAlive returns ESRCH if the process behind pidfd has ended: until then
// its pid can't have become another's.
func checkAlive(pidfd int) error {
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot poll pidfd: %w", err)
		}
		if n != 0 {
			return fmt.Errorf("cannot enter guest: its init has ended: %w", unix.ESRCH)
		}
		return nil
	}
}
