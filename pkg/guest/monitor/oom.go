package monitor

import "os"

// Scores of proc_pid_oom_score_adj(5). A host that runs out of memory should
// find others before the process that keeps a guest, but the guest's own
// processes get no such favour.
const (
	ownScore   = "-500"
	guestScore = "0"
)

// setScore sets this process's score and says whether that is allowed: lowering
// it takes CAP_SYS_RESOURCE, which not every host's root has.
func setScore(score string) bool {
	return os.WriteFile("/proc/self/oom_score_adj", []byte(score), 0) == nil
}

// neutrally forks with the score that a guest's process is to have. It is reset
// before the fork, because after it the process could have forked itself.
func (in inside) neutrally(fork func() error) error {
	if !in.favoured {
		return fork()
	}
	setScore(guestScore)
	defer setScore(ownScore)
	return fork()
}
