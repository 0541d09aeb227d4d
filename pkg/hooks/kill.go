package hooks

import (
	"bytes"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// marker is the variable by which all that comes from a hook is known: a process that has
// left its session, or lost its parent, has it still.
const marker = "SYSCT_HOOK_ID"

// killRounds is how often it is looked for what was started while it was looked.
const killRounds = 5

// kill ends a command with all that it has started.
func (r *Runner) kill(pid int) {
	unix.Kill(-pid, unix.SIGKILL) // its process group, at once
	unix.Kill(pid, unix.SIGKILL)
	KillMarked(r.ID)
}

// KillMarked kills the processes of the host that come from hooks that were run with that
// id, and says how many there were. Those in guests' pid namespaces are not looked at, nor
// those of other users than root: reading the memory of a process may take as long as its
// owner likes (what is mapped there may be a file of FUSE).
func KillMarked(id string) int {
	killed := 0
	for range killRounds {
		n := killOnce([]byte(marker + "=" + id))
		if n == 0 {
			break
		}
		killed += n
	}
	return killed
}

func killOnce(mark []byte) int {
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return 0
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		if ns, err := os.Readlink("/proc/" + e.Name() + "/ns/pid"); err != nil || ns != own {
			continue
		}
		if ofRoot(e.Name()) && killIf(pid, mark) {
			n++
		}
	}
	return n
}

// ofRoot says whether all of a process's user ids are root's. The owner of its directory in
// proc is no sign: it is root too where the process isn't dumpable (proc(5)).
func ofRoot(pid string) bool {
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(status)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok {
			return strings.Join(strings.Fields(ids), " ") == "0 0 0 0"
		}
	}
	return false
}

// killIf goes by a pidfd, so that another process that gets the number isn't killed.
func killIf(pid int, mark []byte) bool {
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	for _, kv := range bytes.Split(env, []byte{0}) {
		if bytes.Equal(kv, mark) {
			return unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) == nil
		}
	}
	return false
}
