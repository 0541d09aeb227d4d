package disks

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// HeedWeights says whether any disk of the host is shared by the weights of control groups: its
// scheduler is bfq, or io.cost is on for it. costs is the text of io.cost.qos of the v2 tree's
// root; empty where the controller is on v1, which has no io.cost.
//
// Sources: the kernel's Documentation/ABI, sysfs-block (queue/scheduler), and
// Documentation/admin-guide/cgroup-v2.rst (io.cost.qos).
func HeedWeights(costs string) (bool, error) { return heedWeights("/sys", costs) }

func heedWeights(sys, costs string) (bool, error) {
	for line := range strings.Lines(costs) {
		if slices.Contains(strings.Fields(line), "enable=1") {
			return true, nil
		}
	}
	names, err := os.ReadDir(sys + "/block")
	if err != nil {
		return false, err
	}
	for _, name := range names {
		// A disk that goes meanwhile, or that has no queue, has no scheduler.
		text, err := os.ReadFile(filepath.Join(sys, "block", name.Name(), "queue/scheduler"))
		if err == nil && slices.Contains(strings.Fields(string(text)), "[bfq]") {
			return true, nil
		}
	}
	return false, nil
}
