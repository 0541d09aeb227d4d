package guest

import (
	"github.com/sysct/sysct/pkg/guest/spec"
)

// viewsOf are the paths in the guest that show its own figures.
func viewsOf(v *spec.Views) []string {
	if !v.Enabled {
		return nil
	}
	var paths []string
	for _, f := range []struct {
		on   bool
		path string
	}{
		{v.Meminfo, "proc/meminfo"}, {v.CPUInfo, "proc/cpuinfo"}, {v.Stat, "proc/stat"}, {v.Uptime, "proc/uptime"},
		{v.Loadavg, "proc/loadavg"}, {v.Swaps, "proc/swaps"}, {v.Diskstats, "proc/diskstats"}, {v.CPUs, "sys/devices/system/cpu"},
	} {
		if f.on {
			paths = append(paths, f.path)
		}
	}
	return paths
}

// sysinfoOf says whether the guest's own figures answer sysinfo(2). Programs mix what it
// says with /proc/meminfo: one of the two from the host makes nonsense of both.
func sysinfoOf(v *spec.Views) bool { return v.Enabled && v.Sysinfo && v.Meminfo }
