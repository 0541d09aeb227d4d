package guest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/rlimit"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits"
)

// checkRaised refuses resource limits and an OOM score that only a process with
// CAP_SYS_RESOURCE may give: where sysct itself runs in a container it often has none, and
// the guest's start would fail. Sources: getrlimit(2), proc_pid_oom_score_adj(5).
func checkRaised(cfg *spec.Guest, _ *limits.Limits) error {
	if (len(cfg.Rlimits) == 0 && cfg.OOMScoreAdj >= 0) || mayRaise() {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(cfg.Rlimits)) {
		number, _ := rlimit.Number(name)
		var own unix.Rlimit
		if err := unix.Prlimit(0, number, nil, &own); err != nil {
			return fmt.Errorf("cannot read the resource limit %s: %w", name, err)
		}
		if hard := cfg.Rlimits[name].Hard; hard > own.Max {
			return as(ErrConfig, fmt.Errorf("rlimits.%s: %s is above sysct's own hard limit, %s, and to raise it sysct lacks CAP_SYS_RESOURCE here",
				name, cfg.Rlimits[name], spec.Rlimit{Soft: own.Max, Hard: own.Max}))
		}
	}
	if least := min(0, ownOOMScore()); cfg.OOMScoreAdj < least {
		return as(ErrConfig, fmt.Errorf("oom_score_adj: %d is below sysct's own %d, and to lower it sysct lacks CAP_SYS_RESOURCE here", cfg.OOMScoreAdj, least))
	}
	return nil
}

// mayRaise says whether this process has CAP_SYS_RESOURCE in the first user namespace,
// which has all ids.
func mayRaise() bool {
	ids, err := os.ReadFile("/proc/self/uid_map")
	if err != nil || strings.Join(strings.Fields(string(ids)), " ") != "0 0 4294967295" {
		return false
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	return unix.Capget(&header, &data[0]) == nil && data[0].Effective>>unix.CAP_SYS_RESOURCE&1 != 0
}

// ownOOMScore is 0 if it can't be read.
func ownOOMScore() int {
	text, err := os.ReadFile("/proc/self/oom_score_adj")
	if err != nil {
		return 0
	}
	score, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return 0
	}
	return score
}
