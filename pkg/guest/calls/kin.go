package calls

import (
	"bufio"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// kin tells which callers see the guest's /proc/meminfo. A namespace of the guest's that has
// mounted /proc for itself (unshare --mount-proc, a container) shows the host's there, and
// programs that take the total from sysinfo(2) and the rest from the file (busybox free) would
// print nonsense if the two weren't of the same.
type kin struct {
	init  int
	space namespace // of init
	seen  [64]caller
}

type namespace struct{ dev, ino uint64 }

type caller struct {
	pid   uint32
	other bool
	until time.Time
}

const (
	// callerFor is how long it is remembered of a process.
	callerFor = time.Second
	// maxMounts is how many mounts are looked at: any user of the guest can make a namespace
	// with many more, and all who call wait meanwhile. Beyond, it can't be told.
	maxMounts = 500
)

// other says whether the process sees a /proc that isn't the guest's. What can't be told is
// taken for the guest's.
func (k *kin) other(w *writer, pid uint32, init int) bool {
	c := &k.seen[pid%uint32(len(k.seen))]
	now := time.Now()
	if c.pid == pid && now.Before(c.until) && k.init == init {
		return c.other
	}
	if k.init != init {
		k.init, k.space = init, space(w, uint32(init))
	}
	*c = caller{pid, false, now.Add(callerFor)}
	if own := space(w, pid); own != k.space && own != (namespace{}) && k.space != (namespace{}) {
		c.other = k.hasOwnProc(w, pid)
	}
	return c.other
}

// space is a process' PID namespace; of none that is there no more.
func space(w *writer, pid uint32) namespace {
	fd, err := w.open(pid, "ns/pid", unix.O_RDONLY)
	if err != nil {
		return namespace{}
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return namespace{}
	}
	return namespace{uint64(st.Dev), st.Ino}
}

// hasOwnProc looks for a view on the /proc that a process sees, among its mounts: the file
// itself can't be looked at, as a path in the guest may hang. What is covered by another mount
// is listed as well. Source: proc_pid_mountinfo(5).
func (k *kin) hasOwnProc(w *writer, pid uint32) bool {
	fd, err := w.open(pid, "mountinfo", unix.O_RDONLY)
	if err != nil {
		return false
	}
	f := os.NewFile(uintptr(fd), "mountinfo")
	defer f.Close()
	var proc, below string // the last /proc, and what the last view is on
	lines := bufio.NewScanner(f)
	for n := 0; lines.Scan(); n++ {
		if n == maxMounts {
			return false
		}
		field := strings.SplitN(lines.Text(), " ", 6)
		if len(field) < 6 {
			continue
		}
		switch field[4] {
		case "/proc":
			proc = field[0]
		case "/proc/meminfo":
			below = field[1]
		}
	}
	return lines.Err() == nil && proc != "" && below != proc
}
