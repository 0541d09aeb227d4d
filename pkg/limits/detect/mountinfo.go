package detect

import (
	"slices"
	"strconv"
	"strings"
)

// mount is a line of /proc/self/mountinfo about a cgroup file system.
type mount struct {
	device   string // major:minor
	root     string // the part of the hierarchy that is mounted
	point    string
	kind     string // cgroup or cgroup2
	writable bool
	options  []string // of the file system: for v1 its controllers are among them
}

// parse reads the cgroup lines of mountinfo; see proc_pid_mountinfo(5).
func parse(text string) []mount {
	var all []mount
	for line := range strings.Lines(text) {
		before, after, found := strings.Cut(strings.TrimSuffix(line, "\n"), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !found || len(left) < 6 || len(right) < 3 || right[0] != "cgroup" && right[0] != "cgroup2" {
			continue
		}
		options := strings.Split(right[len(right)-1], ",")
		all = append(all, mount{
			device: left[2], root: unescape(left[3]), point: unescape(left[4]), kind: right[0],
			writable: !slices.Contains(strings.Split(left[5], ","), "ro") && !slices.Contains(options, "ro"),
			options:  options,
		})
	}
	return all
}

// controllers are those bound to a v1 mount that a guest's limits can use. Others
// and named hierarchies are left alone.
func (m *mount) controllers() []string {
	if m.kind != "cgroup" {
		return nil
	}
	known := []string{"blkio", "cpu", "cpuacct", "cpuset", "devices", "freezer", "hugetlb", "memory", "pids"}
	return slices.DeleteFunc(known, func(c string) bool { return !slices.Contains(m.options, c) })
}

// better prefers what can be written, then a whole hierarchy to a part of one,
// then the usual place. Of equals the first stays.
func (m *mount) better(other *mount) bool {
	return other == nil || m.rank() > other.rank()
}

func (m *mount) rank() int {
	rank := 0
	if m.writable {
		rank += 4
	}
	if m.root == "/" {
		rank += 2
	}
	if m.point == "/sys/fs/cgroup" || strings.HasPrefix(m.point, "/sys/fs/cgroup/") {
		rank++
	}
	return rank
}

// unescape undoes the kernel's \ooo for space, tab, newline and backslash.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
