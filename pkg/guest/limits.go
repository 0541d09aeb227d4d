package guest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sysct/sysct/internal/rlimit"
	sysctx "github.com/sysct/sysct/pkg/context"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/limits/detect"
	"github.com/sysct/sysct/pkg/limits/disks"
)

// guestLimits are the limits of a configuration on this host. What it doesn't have is
// ErrConfig.
func (m *Manager) guestLimits(cfg *spec.Guest) (limits.Limits, error) {
	c := &cfg.Limits
	l := limits.Limits{
		Memory: number(c.Memory), Swap: number(c.Swap), MemoryHigh: number(c.MemoryHigh), MemoryMin: number(c.MemoryMin),
		CPUSet: c.CPUSet, CPUWeight: c.CPUWeight, Pids: c.Pids, IO: limits.IO{Weight: c.IO.Weight},
	}
	if c.CPUs != nil {
		l.CPUs = int(*c.CPUs)
	}
	if c.CPUQuota != nil {
		l.CPUQuota = &limits.CPUQuota{Quota: int64(*c.CPUQuota), Period: spec.CPUPeriod}
		if c.CPUBurst != nil {
			l.CPUQuota.Burst = int64(*c.CPUBurst)
		}
	}
	for _, fill := range []func(*spec.Guest, *limits.Limits) error{checkCPUs, fillPids, fillHugepages, fillDisks, m.canKeep, checkOpenFiles, checkRaised} {
		if err := fill(cfg, &l); err != nil {
			return l, err
		}
	}
	return l, nil
}

// number is a value of a configuration as limits have it.
func number[T ~int64](n *T) *int64 {
	if n == nil {
		return nil
	}
	plain := int64(*n)
	return &plain
}

// count is the same of one that needs no pointer: 0 is none.
func count[T ~int64](n *T) int64 {
	if n == nil {
		return 0
	}
	return int64(*n)
}

// checkCPUs refuses CPUs that the host doesn't have before anything is made.
func checkCPUs(_ *spec.Guest, l *limits.Limits) error {
	online, err := onlineCPUs()
	if err != nil {
		return err
	}
	return as(ErrConfig, l.CheckCPUs(online))
}

func onlineCPUs() (limits.CPUSet, error) {
	data, err := os.ReadFile("/sys/devices/system/cpu/online")
	if err != nil {
		return nil, fmt.Errorf("cannot read the host's CPUs: %w", err)
	}
	online, err := limits.ParseCPUSet(strings.TrimSpace(string(data)))
	if err != nil {
		return nil, fmt.Errorf("cannot read the host's CPUs: %w", err)
	}
	return online, nil
}

func fillPids(_ *spec.Guest, l *limits.Limits) error {
	if l.Pids != nil {
		return nil
	}
	pids, err := limits.HostDefaultPids()
	l.Pids, l.PidsDefault = &pids, true
	return err
}

// fillHugepages refuses sizes that the host's kernel doesn't have.
func fillHugepages(cfg *spec.Guest, l *limits.Limits) error {
	for _, size := range slices.Sorted(maps.Keys(cfg.Limits.Hugepages)) {
		page, err := spec.ParseBytes(size)
		if err == nil {
			_, err = os.Stat(fmt.Sprintf("/sys/kernel/mm/hugepages/hugepages-%dkB", page/spec.KiB))
		}
		if err != nil {
			return as(ErrConfig, fmt.Errorf("limits.hugepages.%s: this host has no huge pages of that size", size))
		}
		if l.Hugepages == nil {
			l.Hugepages = map[string]int64{}
		}
		l.Hugepages[spec.HugepageName(size)] = int64(cfg.Limits.Hugepages[size])
	}
	return nil
}

// fillDisks finds the disks that limits are for.
func fillDisks(cfg *spec.Guest, l *limits.Limits) error {
	known := map[disks.Disk]string{}
	for i, d := range cfg.Limits.IO.Devices {
		key := fmt.Sprintf("limits.io.device[%d].path", i)
		disk, err := disks.Of(d.Path)
		if err != nil {
			return as(ErrConfig, fmt.Errorf("%s: %w", key, err))
		}
		if other, ok := known[disk]; ok {
			return as(ErrConfig, fmt.Errorf("%s: %s and %s are on the same disk, %s", key, other, d.Path, disk))
		}
		known[disk] = d.Path
		l.IO.Devices = append(l.IO.Devices, limits.IODevice{
			Major: disk.Major, Minor: disk.Minor,
			ReadBPS: count(d.Read), WriteBPS: count(d.Write), ReadIOPS: count(d.ReadOps), WriteIOPS: count(d.WriteOps),
		})
	}
	return nil
}

// checkOpenFiles refuses more open files than the kernel gives anybody.
func checkOpenFiles(cfg *spec.Guest, _ *limits.Limits) error {
	r, ok := cfg.Rlimits["nofile"]
	if !ok {
		return nil
	}
	var most uint64
	text, err := os.ReadFile("/proc/sys/fs/nr_open")
	if err == nil {
		_, err = fmt.Sscan(string(text), &most)
	}
	if err != nil {
		return fmt.Errorf("cannot read the host's largest number of open files: %w", err)
	}
	if r.Hard > most {
		return as(ErrConfig, fmt.Errorf("rlimits.nofile: %s is more than the host's kernel gives: fs.nr_open is %d", r, most))
	}
	return nil
}

// rlimits are the resource limits for the guest's init, in the order of their names.
func rlimits(cfg *spec.Guest) []sysctx.Rlimit {
	var all []sysctx.Rlimit
	for _, name := range slices.Sorted(maps.Keys(cfg.Rlimits)) {
		if n, ok := rlimit.Number(name); ok {
			r := cfg.Rlimits[name]
			all = append(all, sysctx.Rlimit{Name: name, Resource: n, Soft: r.Soft, Hard: r.Hard})
		}
	}
	return all
}

// canKeep says which limit no control group of this host can keep.
func (m *Manager) canKeep(_ *spec.Guest, l *limits.Limits) error {
	tree, err := detect.Find()
	if err != nil {
		return nil // a start says what is wrong
	}
	backend := cgroupfs.New(tree)
	if m.units {
		backend = cgroupfs.NewDelegated(tree)
	}
	var field *limits.FieldError
	if err := backend.Check(*l); errors.As(err, &field) {
		return as(ErrConfig, field)
	}
	return nil
}
