package doctor

import (
	"os"
	"strings"
	"time"
)

// countTime is how long it is looked for inotify in all processes' descriptors.
const countTime = 300 * time.Millisecond

// countInotify looks at the descriptors of all processes that it may look at.
func countInotify() InotifyUse {
	var use InotifyUse
	procs, err := os.ReadDir("/proc")
	if err != nil {
		return InotifyUse{Partly: true}
	}
	deadline := time.Now().Add(countTime)
	for _, p := range procs {
		if name := p.Name(); name[0] < '0' || name[0] > '9' {
			continue
		}
		if time.Now().After(deadline) {
			use.Partly = true
			break
		}
		use.add("/proc/" + p.Name())
	}
	return use
}

// add counts a process's. A watch is a line of its fdinfo; see proc_pid_fdinfo(5).
func (u *InotifyUse) add(proc string) {
	dir, err := os.Open(proc + "/fd")
	if err != nil {
		return // it has ended
	}
	defer dir.Close()
	fds, _ := dir.Readdirnames(-1)
	for _, fd := range fds {
		if target, err := os.Readlink(proc + "/fd/" + fd); err != nil || target != "anon_inode:inotify" {
			continue
		}
		u.Instances++
		if text, err := os.ReadFile(proc + "/fdinfo/" + fd); err == nil {
			u.Watches += int64(strings.Count(string(text), "inotify wd:"))
		}
	}
}
