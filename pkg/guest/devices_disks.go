package guest

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/pkg/limits/devices"
)

// disk is a block device that the host itself uses.
type disk struct {
	rule devices.Rule
	use  string
}

// hostDisks lists the block devices that are mounted or swapped to on the host, with those
// that they are made of or are a part of, and all that others are made of: who writes to one
// of them writes to the host's files. Source: proc_pid_mountinfo(5), the kernel's sysfs-block.
func hostDisks() ([]disk, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot read the host's mounts: %w", err)
	}
	var all []disk
	for line := range strings.Lines(string(text)) {
		before, after, _ := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if len(left) < 5 || len(right) < 2 {
			continue
		}
		use := "it is mounted at " + left[4]
		all = below(all, left[2], use, 0)
		// A file system of several devices, as btrfs, has a number that is none of theirs.
		if node, err := nodeOf(right[1]); strings.HasPrefix(right[1], "/dev/") && err == nil {
			all = below(all, node.Numbers(), use, 0)
		}
	}
	swaps, _ := os.ReadFile("/proc/swaps") // a kernel without swap has none
	for line := range strings.Lines(string(swaps)) {
		if node, err := nodeOf(strings.Fields(line + " -")[0]); err == nil && node.Type == devices.Block {
			all = below(all, node.Numbers(), "it is a swap space", 0)
		}
	}
	held, err := heldDisks("/sys")
	return append(all, held...), err
}

// maxStack bounds how deep devices are made of devices.
const maxStack = 8

// below adds a device, the disk that it is a partition of, and the devices that it is made of.
func below(all []disk, numbers, use string, depth int) []disk {
	var major, minor int32
	dir := "/sys/dev/block/" + numbers
	if _, err := fmt.Sscanf(numbers, "%d:%d", &major, &minor); err != nil || major == 0 || depth > maxStack {
		return all
	}
	all = append(all, disk{devices.Rule{Type: devices.Block, Major: major, Minor: minor}, use})
	if isPartition(dir) {
		if target, err := filepath.EvalSymlinks(dir); err == nil {
			if whole, ok := blockRule(filepath.Dir(target)); ok {
				all = append(all, disk{whole, use + ", a part of it"})
			}
		}
	}
	slaves, err := os.ReadDir(dir + "/slaves")
	if err != nil {
		return all
	}
	for _, s := range slaves {
		if text, err := fs.ReadFile(os.DirFS(dir+"/slaves"), s.Name()+"/dev"); err == nil {
			all = below(all, strings.TrimSpace(string(text)), use, depth+1)
		}
	}
	return all
}
