package limits

import (
	"errors"
	"fmt"
	"strings"
)

// The kernel's bounds (kernel/sched/core.c, include/linux/threads.h,
// include/linux/cgroup.h). They are checked here because it answers a bare EINVAL.
const (
	minQuota  = 1000    // µs, also the shortest period
	maxPeriod = 1000000 // µs
	maxPids   = 4194304 // PID_MAX_LIMIT on 64 bits
	maxWeight = 10000   // CGROUP_WEIGHT_MAX
)

func checkAmount(n *int64) error {
	if *n <= 0 {
		return fmt.Errorf("%d bytes is no size", *n)
	}
	return nil
}

// checkSwap: no swap at all is possible, a negative one isn't.
func checkSwap(l *Limits) error {
	if *l.Swap < 0 {
		return fmt.Errorf("%d bytes is no size", *l.Swap)
	}
	return nil
}

func swapNeedsMemory(l *Limits) error {
	if l.Memory == nil {
		return errors.New("limits.memory has to be set too: the memory controller of this host is of control groups v1, which bounds memory and swap together")
	}
	return nil
}

func checkQuota(l *Limits) error {
	switch quota, period := l.CPUQuota.Quota, l.CPUQuota.Period; {
	case period < minQuota || period > maxPeriod:
		return fmt.Errorf("a period of %d µs is not between %d and %d", period, minQuota, maxPeriod)
	case quota < minQuota:
		return fmt.Errorf("%d µs is under the smallest quota of %d", quota, minQuota)
	}
	return nil
}

func checkBurst(l *Limits) error {
	if b := l.CPUQuota.Burst; b < 0 || b > l.CPUQuota.Quota {
		return fmt.Errorf("%d µs is not between 0 and the quota of %d", b, l.CPUQuota.Quota)
	}
	return nil
}

func checkWeight(n int64) error {
	if n < 1 || n > maxWeight {
		return fmt.Errorf("%d is not between 1 and %d", n, maxWeight)
	}
	return nil
}

func checkCPUs(l *Limits) error {
	if l.CPUs < 0 || l.CPUs > maxCPU+1 {
		return fmt.Errorf("%d is no number of CPUs", l.CPUs)
	}
	set, err := ParseCPUSet(l.CPUSet)
	if err == nil && len(set) == 0 && l.CPUs == 0 {
		err = errors.New("it is empty")
	}
	return err
}

func checkPids(l *Limits) error {
	if *l.Pids <= 0 || *l.Pids > maxPids {
		return fmt.Errorf("%d is not between 1 and %d", *l.Pids, maxPids)
	}
	return nil
}

func checkHugepages(l *Limits) error {
	for size, n := range l.Hugepages {
		if number := strings.TrimRight(size, "KMGB"); number == "" || number == size || strings.Trim(number, "0123456789") != "" {
			return fmt.Errorf("%q is no size of pages, as 2MB", size)
		}
		if n < 0 {
			return fmt.Errorf("%d bytes of pages of %s is no size", n, size)
		}
	}
	return nil
}

func checkDevices(l *Limits) error {
	seen := map[[2]uint32]bool{}
	for _, d := range l.IO.Devices {
		switch {
		case seen[[2]uint32{d.Major, d.Minor}]:
			return fmt.Errorf("the disk %s is there twice", d.number())
		case min(d.ReadBPS, d.WriteBPS, d.ReadIOPS, d.WriteIOPS) < 0:
			return fmt.Errorf("a limit of the disk %s is negative", d.number())
		case d.ReadBPS|d.WriteBPS|d.ReadIOPS|d.WriteIOPS == 0:
			return fmt.Errorf("no limit for the disk %s", d.number())
		}
		seen[[2]uint32{d.Major, d.Minor}] = true
	}
	return nil
}
