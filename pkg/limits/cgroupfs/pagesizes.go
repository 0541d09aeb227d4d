package cgroupfs

import (
	"os"
	"strconv"
	"strings"
)

// pageSizes lists the sizes of huge pages that the host has, as control groups name them.
// Source: mem_fmt in mm/hugetlb_cgroup.c.
func pageSizes() []string {
	entries, err := os.ReadDir("/sys/kernel/mm/hugepages")
	if err != nil {
		return nil // a kernel without any
	}
	var all []string
	for _, e := range entries {
		text, ok := strings.CutPrefix(e.Name(), "hugepages-")
		kib, err := strconv.ParseInt(strings.TrimSuffix(text, "kB"), 10, 64)
		if !ok || err != nil {
			continue
		}
		n, unit := kib, "KB"
		switch {
		case kib >= 1<<20:
			n, unit = kib>>20, "GB"
		case kib >= 1<<10:
			n, unit = kib>>10, "MB"
		}
		all = append(all, strconv.FormatInt(n, 10)+unit)
	}
	return all
}
