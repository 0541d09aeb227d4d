package views

import "strconv"

// CPUFile is a file below each cpuN of [CPUDir].
type CPUFile struct {
	Path string // below cpuN
	// Render appends the text for the i-th CPU of n. It can't fail.
	Render func(b []byte, i, n int) []byte
}

// CPUFiles is the table of them: a machine of one package, where each CPU is a core.
// Source: kernel, Documentation/ABI/stable/sysfs-devices-system-cpu.
func CPUFiles() []CPUFile {
	const dir = "topology/"
	return []CPUFile{
		{dir + "cluster_cpus", oneMask},
		{dir + "cluster_cpus_list", oneList},
		{dir + "cluster_id", noCluster},
		{dir + "core_cpus", oneMask},
		{dir + "core_cpus_list", oneList},
		{dir + "core_id", coreID},
		{dir + "core_siblings", allMask},
		{dir + "core_siblings_list", allList},
		{dir + "die_cpus", allMask},
		{dir + "die_cpus_list", allList},
		{dir + "die_id", zero},
		{dir + "package_cpus", allMask},
		{dir + "package_cpus_list", allList},
		{dir + "physical_package_id", zero},
		{dir + "thread_siblings", oneMask},
		{dir + "thread_siblings_list", oneList},
	}
}

func oneMask(b []byte, i, n int) []byte { return appendMask(b, i, 1, n) }
func oneList(b []byte, i, _ int) []byte { return appendList(b, i, 1) }
func allMask(b []byte, _, n int) []byte { return appendMask(b, 0, n, n) }
func allList(b []byte, _, n int) []byte { return appendList(b, 0, n) }
func zero(b []byte, _, _ int) []byte    { return append(b, "0\n"...) }

// noCluster is what x86 has for a CPU in no cluster.
func noCluster(b []byte, _, _ int) []byte { return append(b, "65535\n"...) }

func coreID(b []byte, i, _ int) []byte { return append(strconv.AppendInt(b, int64(i), 10), '\n') }
