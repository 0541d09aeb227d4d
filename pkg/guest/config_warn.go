package guest

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits/detect"
	"github.com/sysct/sysct/pkg/limits/disks"
)

// warnOf warns of what may be meant so and most likely isn't, where a configuration has
// become so.
func (m *Manager) warnOf(before, after *spec.Guest) {
	warnings := append(privilegedWarnings(before, after), credentialWarnings(before, after)...)
	var host unix.Sysinfo_t
	if unix.Sysinfo(&host) == nil {
		warnings = append(warnings, memoryWarnings(before, after, int64(host.Totalram)*int64(host.Unit))...)
		warnings = append(warnings, swapWarnings(before, after, int64(host.Totalswap)*int64(host.Unit))...)
	}
	if online, err := onlineCPUs(); err == nil {
		warnings = append(warnings, quotaWarnings(before, after, len(online))...)
	}
	warnings = append(warnings, weightWarnings(before, after, heedsWeights)...)
	for _, w := range warnings {
		m.opt.Warn(w)
	}
	m.warnOfPublished(before, after)
}

// memoryWarnings are of a limit that can't be met: total is the host's memory in bytes.
func memoryWarnings(before, after *spec.Guest, total int64) []string {
	now, was := after.Limits.Memory, before.Limits.Memory
	if now == nil || int64(*now) <= total || was != nil && *was == *now {
		return nil
	}
	return []string{fmt.Sprintf("limits.memory: %s is more than the host has, %s", now, roughly(total))}
}

// swapWarnings are of swap where the host has total bytes of it, none at all.
func swapWarnings(before, after *spec.Guest, total int64) []string {
	now, was := after.Limits.Swap, before.Limits.Swap
	if now == nil || *now == 0 || total > 0 || was != nil && *was == *now {
		return nil
	}
	return []string{fmt.Sprintf("limits.swap: %s, but the host has no swap space", now)}
}

// quotaWarnings are of a quota above all the host's CPUs: a percentage without its sign is
// a number of CPUs.
func quotaWarnings(before, after *spec.Guest, cpus int) []string {
	now, was := after.Limits.CPUQuota, before.Limits.CPUQuota
	if now == nil || int64(*now) <= int64(cpus)*spec.CPUPeriod || was != nil && *was == *now {
		return nil
	}
	n := strconv.FormatFloat(float64(*now)/spec.CPUPeriod, 'f', -1, 64)
	return []string{fmt.Sprintf("limits.cpu_quota: %s is %s CPUs, and the host has %d: one and a half are 150%% or 1.5", now, n, cpus)}
}

// defaultWeight is what every guest has.
const defaultWeight = 100

// weightWarnings are of a share of disks where none is shared so. heeded says whether any is,
// and if not what it takes.
func weightWarnings(before, after *spec.Guest, heeded func() (yes bool, takes string)) []string {
	now, was := after.Limits.IO.Weight, before.Limits.IO.Weight
	if now == nil || *now == defaultWeight || was != nil && *was == *now {
		return nil
	}
	yes, takes := heeded()
	if yes {
		return nil
	}
	return []string{fmt.Sprintf("limits.io.weight: %d, but no disk of the host is shared by weights: it takes %s", *now, takes)}
}

// heedsWeights is of this host. What can't be known is taken for heeded: no warning is wrong.
func heedsWeights() (yes bool, takes string) {
	tree, err := detect.Find()
	if err != nil {
		return true, "" // a start says what is wrong
	}
	costs, takes := "", "the scheduler bfq"
	if _, v1 := tree.V1["blkio"]; !v1 {
		text, _ := os.ReadFile(tree.V2 + "/io.cost.qos") // not every kernel has it
		costs, takes = string(text), "the scheduler bfq, or io.cost"
	}
	yes, err = disks.HeedWeights(costs)
	return yes || err != nil, takes
}

// roughly is a size in MiB, or GiB from ten on.
func roughly(n int64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%.1fG", float64(n)/(1<<30))
	}
	return spec.Bytes(n >> 20 << 20).String()
}

// credentialWarnings are of files that can't be read now: a start would fail.
func credentialWarnings(before, after *spec.Guest) []string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(after.Credentials)) {
		c := after.Credentials[name]
		if c.File == "" || before.Credentials[name].File == c.File {
			continue
		}
		if _, err := content(&c); err != nil {
			all = append(all, fmt.Sprintf("credentials.%s: %v: the guest can't be started until it can be read", name, err))
		}
	}
	return all
}
