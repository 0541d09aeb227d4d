package hooks

import (
	"bytes"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

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
// id, and says how many there were. They are gone when it returns, unless that takes longer
// than a second; whoever is their parent reaps them. Those in guests' pid namespaces are not
// looked at, nor those of other users than root: reading the memory of a process may take as
// long as its owner likes (what is mapped there may be a file of FUSE).
func KillMarked(id string) int {
	k := killing{mark: []byte(marker + "=" + id), dying: map[int]int{}, deadline: time.Now().Add(dyingTime)}
	defer k.forget()
	killed := 0
	for range killRounds {
		n := k.round()
		if n == 0 {
			break
		}
		killed += n
	}
	k.await()
	if killed > 0 { // one that was just executing something had no mark to be seen
		killed += k.round()
		k.await()
	}
	return killed
}

// dyingTime is how long KillMarked waits altogether until those that it has killed are gone.
const dyingTime = time.Second

// mostDying bounds the descriptors of those that aren't gone yet.
const mostDying = 256

// killing is a call of KillMarked.
type killing struct {
	mark     []byte
	dying    map[int]int // pidfds of those that were killed, which have their mark for a while
	deadline time.Time
}

// round kills what it finds, and says how many there were that weren't killed before.
func (k *killing) round() int {
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
		if ofRoot(e.Name()) && k.killIf(pid) {
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
func (k *killing) killIf(pid int) bool {
	if fd, ok := k.dying[pid]; ok && !Exited(fd, 0) {
		return false
	}
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return false
	}
	if !marked(pid, k.mark) || unix.PidfdSendSignal(fd, unix.SIGKILL, nil, 0) != nil {
		unix.Close(fd)
		return false
	}
	if len(k.dying) >= mostDying {
		k.await()
		k.forget()
	}
	if old, ok := k.dying[pid]; ok {
		unix.Close(old) // it is gone, and its number another's
	}
	k.dying[pid] = fd
	return true
}

// await waits until those that were killed are gone.
func (k *killing) await() {
	for _, fd := range k.dying {
		for left := time.Until(k.deadline); left > 0 && !Exited(fd, left); left = time.Until(k.deadline) {
		}
	}
}

// forget closes their pidfds.
func (k *killing) forget() {
	for pid, fd := range k.dying {
		unix.Close(fd)
		delete(k.dying, pid)
	}
}

// marked says whether a process has the mark in its environment.
func marked(pid int, mark []byte) bool {
	env, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/environ")
	if err != nil {
		return false
	}
	return slices.ContainsFunc(bytes.Split(env, []byte{0}), func(kv []byte) bool { return bytes.Equal(kv, mark) })
}
