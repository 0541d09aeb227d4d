package guest

import (
	"time"

	"github.com/sysct/sysct/pkg/limits"
)

// usage is what the guest uses in the units of Info.
func (info *Info) usage(stats *limits.Stats) {
	cpu := (time.Duration(stats.CPUUsage) * time.Microsecond).Seconds()
	info.Usage = &Usage{CPU: &cpu, Pids: stats.Pids, PidsPeak: stats.PidsPeak, PidsMax: stats.PidsMax}
	if mem := stats.Memory; mem != nil {
		info.Usage.Memory, info.Usage.MemoryMax, info.Usage.MemoryPeak = &mem.Current, mem.Max, mem.Peak
		info.Usage.OOMKills = &mem.OOMKills
	}
}
