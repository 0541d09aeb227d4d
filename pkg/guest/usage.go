package guest

import (
	"time"

	"github.com/sysct/sysct/pkg/limits"
)

// usage reads what the guest uses; a figure that can't be read stays nil.
func (info *Info) usage(group limits.Group) {
	stats, err := group.Stats()
	if err != nil {
		return
	}
	cpu := (time.Duration(stats.CPUUsage) * time.Microsecond).Seconds()
	info.Usage = &Usage{CPU: &cpu, Pids: stats.Pids}
	if mem := stats.Memory; mem != nil {
		info.Usage.Memory, info.Usage.MemoryMax, info.Usage.MemoryPeak = &mem.Current, mem.Max, mem.Peak
		info.Usage.OOMKills = &mem.OOMKills
	}
}
