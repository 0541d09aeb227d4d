package metrics

import "github.com/sysct/sysct/pkg/guest"

func cpuFamilies() []family {
	return []family{
		{name: "sysct_guest_cpu_seconds", unit: "seconds", kind: counter, help: "CPU time that the guest used, by mode.", of: cpuTime},
		one("sysct_guest_cpu_quota_cpus", "cpus", gauge, "CPU time that the guest may use, in CPUs; none if there is no limit.", func(u *guest.Usage) *float64 { return u.CPUQuota }),
		one("sysct_guest_cpu_periods", "", counter, "Periods of the CPU quota in which the guest wanted to run.", func(u *guest.Usage) *int64 { return u.CPUPeriods }),
		one("sysct_guest_cpu_throttled_periods", "", counter, "Periods in which the CPU quota ran out.", func(u *guest.Usage) *int64 { return u.CPUThrottled }),
		one("sysct_guest_cpu_throttled_seconds", "seconds", counter, "Time for which the CPU quota held the guest up, summed over the CPUs.", func(u *guest.Usage) *float64 { return u.ThrottledTime }),
	}
}

// cpuTime is by mode, where the kernel tells them apart.
func cpuTime(i *guest.Info) []sample {
	u := i.Use()
	if u.CPUUser == nil || u.CPUSystem == nil {
		return nil
	}
	return []sample{{[]label{{"mode", "user"}}, *u.CPUUser}, {[]label{{"mode", "system"}}, *u.CPUSystem}}
}

func memoryFamilies() []family {
	return []family{
		one("sysct_guest_memory_bytes", "bytes", gauge, "Memory that the guest uses, page cache included.", func(u *guest.Usage) *int64 { return u.Memory }),
		one("sysct_guest_memory_peak_bytes", "bytes", gauge, "The most memory that the guest has used.", func(u *guest.Usage) *int64 { return u.MemoryPeak }),
		one("sysct_guest_memory_limit_bytes", "bytes", gauge, "The most memory that the guest may use; none if there is no limit.", func(u *guest.Usage) *int64 { return u.MemoryMax }),
		one("sysct_guest_memory_high_bytes", "bytes", gauge, "The memory above which the guest is slowed; none if there is no limit.", func(u *guest.Usage) *int64 { return u.MemoryHigh }),
		one("sysct_guest_memory_anon_bytes", "bytes", gauge, "Memory of the guest's processes.", func(u *guest.Usage) *int64 { return u.MemoryAnon }),
		one("sysct_guest_memory_file_bytes", "bytes", gauge, "Memory of files: page cache, tmpfs, shared memory.", func(u *guest.Usage) *int64 { return u.MemoryFile }),
		one("sysct_guest_memory_kernel_bytes", "bytes", gauge, "The kernel's memory for the guest.", func(u *guest.Usage) *int64 { return u.MemoryKernel }),
		one("sysct_guest_swap_bytes", "bytes", gauge, "Swap space that the guest uses.", func(u *guest.Usage) *int64 { return u.Swap }),
		one("sysct_guest_swap_limit_bytes", "bytes", gauge, "The most swap space that the guest may use; none if there is no limit.", func(u *guest.Usage) *int64 { return u.SwapMax }),
		one("sysct_guest_memory_limit_hits", "", counter, "How often the guest met its memory limit.", func(u *guest.Usage) *int64 { return u.MaxHits }),
		one("sysct_guest_memory_high_hits", "", counter, "How often the guest was slowed for its memory.", func(u *guest.Usage) *int64 { return u.HighHits }),
		one("sysct_guest_oom_kills", "", counter, "Processes of the guest that were killed for lack of memory.", func(u *guest.Usage) *int64 { return u.OOMKills }),
	}
}

func otherFamilies() []family {
	return []family{
		one("sysct_guest_pids", "", gauge, "Processes and threads of the guest.", func(u *guest.Usage) *int64 { return u.Pids }),
		one("sysct_guest_pids_peak", "", gauge, "The most processes and threads that the guest has had.", func(u *guest.Usage) *int64 { return u.PidsPeak }),
		one("sysct_guest_pids_limit", "", gauge, "The most processes and threads that the guest may have; none if there is no limit.", func(u *guest.Usage) *int64 { return u.PidsMax }),
		one("sysct_guest_pids_limit_hits", "", counter, "Forks that failed because of the limit.", func(u *guest.Usage) *int64 { return u.PidsHits }),
		hugepages("sysct_guest_hugepages_bytes", "Memory of the guest in huge pages, by the size of the pages.", func(p guest.HugepagesUsage) *int64 { return &p.Used }),
		hugepages("sysct_guest_hugepages_limit_bytes", "The most memory in huge pages that the guest may use; none if there is no limit.", func(p guest.HugepagesUsage) *int64 { return p.Max }),
		devices("sysct_guest_io_read_bytes", "bytes", "Bytes that the guest read from a block device.", func(c guest.IOCount) int64 { return c.ReadBytes }),
		devices("sysct_guest_io_written_bytes", "bytes", "Bytes that the guest wrote to a block device.", func(c guest.IOCount) int64 { return c.WriteBytes }),
		devices("sysct_guest_io_reads", "", "Reads of the guest from a block device.", func(c guest.IOCount) int64 { return c.ReadOps }),
		devices("sysct_guest_io_writes", "", "Writes of the guest to a block device.", func(c guest.IOCount) int64 { return c.WriteOps }),
		interfaces("sysct_guest_network_receive_bytes", "bytes", "Bytes that the guest received.", func(c *guest.NetCount) int64 { return c.ReceiveBytes }),
		interfaces("sysct_guest_network_receive_packets", "", "Packets that the guest received.", func(c *guest.NetCount) int64 { return c.ReceivePackets }),
		interfaces("sysct_guest_network_receive_errors", "", "Packets with errors that the guest received.", func(c *guest.NetCount) int64 { return c.ReceiveErrors }),
		interfaces("sysct_guest_network_receive_drops", "", "Packets that the guest received and dropped.", func(c *guest.NetCount) int64 { return c.ReceiveDrops }),
		interfaces("sysct_guest_network_transmit_bytes", "bytes", "Bytes that the guest sent.", func(c *guest.NetCount) int64 { return c.TransmitBytes }),
		interfaces("sysct_guest_network_transmit_packets", "", "Packets that the guest sent.", func(c *guest.NetCount) int64 { return c.TransmitPackets }),
		interfaces("sysct_guest_network_transmit_errors", "", "Packets that the guest couldn't send for an error.", func(c *guest.NetCount) int64 { return c.TransmitErrors }),
		interfaces("sysct_guest_network_transmit_drops", "", "Packets that were dropped when the guest sent them.", func(c *guest.NetCount) int64 { return c.TransmitDrops }),
		stalls("sysct_guest_pressure_waiting_seconds", "Time for which some process of the guest waited for a resource.", func(s *guest.Stall) float64 { return s.Some.Total }),
		stalls("sysct_guest_pressure_stalled_seconds", "Time for which all processes of the guest that could run waited for a resource.", func(s *guest.Stall) float64 { return s.Full.Total }),
	}
}

// hugepages is a gauge for each size of pages.
func hugepages(name, help string, of func(guest.HugepagesUsage) *int64) family {
	return family{name: name, unit: "bytes", kind: gauge, help: help, of: func(i *guest.Info) (all []sample) {
		for _, p := range i.Use().Hugepages {
			if n := of(p); n != nil {
				all = append(all, sample{[]label{{"size", p.Size}}, float64(*n)})
			}
		}
		return all
	}}
}

// devices is a counter for each block device.
func devices(name, unit, help string, of func(guest.IOCount) int64) family {
	return family{name: name, unit: unit, kind: counter, help: help, of: func(i *guest.Info) []sample {
		io := i.Use().IO
		if io == nil {
			return nil
		}
		var all []sample
		for _, d := range io.Devices {
			device := d.Name
			if device == "" {
				device = d.Device
			}
			all = append(all, sample{[]label{{"device", device}}, float64(of(d.IOCount))})
		}
		return all
	}}
}

// interfaces is a counter for each interface that the guest has from outside.
func interfaces(name, unit, help string, of func(*guest.NetCount) int64) family {
	return family{name: name, unit: unit, kind: counter, help: help, of: func(i *guest.Info) []sample {
		net := i.Use().Network
		if net == nil {
			return nil
		}
		var all []sample
		for j := range net.Interfaces {
			all = append(all, sample{[]label{{"interface", net.Interfaces[j].Name}}, float64(of(&net.Interfaces[j].NetCount))})
		}
		return all
	}}
}

// stalls is a counter for each resource.
func stalls(name, help string, of func(*guest.Stall) float64) family {
	return family{name: name, unit: "seconds", kind: counter, help: help, of: func(i *guest.Info) []sample {
		p := i.Use().Pressure
		if p == nil {
			return nil
		}
		var all []sample
		for _, r := range []struct {
			name  string
			stall *guest.Stall
		}{{"cpu", p.CPU}, {"memory", p.Memory}, {"io", p.IO}} {
			if r.stall != nil {
				all = append(all, sample{[]label{{"resource", r.name}}, of(r.stall)})
			}
		}
		return all
	}}
}
