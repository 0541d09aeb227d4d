package main

import (
	"strconv"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/pkg/limits"
)

// column is a column of the table of guests.
type column struct {
	name string
	cell func(*guest.Info) string
	// number is what a column of figures is sorted by; nil: what it shows.
	number func(*guest.Info) float64
	want   limits.Want // what has to be read for it
	net    guest.NetWant
}

func columns() []column {
	plain := []column{
		{name: "name", cell: func(i *guest.Info) string { return i.Name }},
		{name: "state", cell: stateCell},
		{name: "pid", cell: func(i *guest.Info) string { return optional(i.Pid) }, number: func(i *guest.Info) float64 { return number(i.Pid) }},
		{name: "template", cell: func(i *guest.Info) string { return optional(i.Template) }},
		{name: "backend", cell: func(i *guest.Info) string { return optional(i.Backend) }},
		{name: "started", cell: startedCell},
		{name: "ready", cell: func(i *guest.Info) string { return optional(i.Ready) }},
		{name: "autostart", cell: autostartCell},
		{name: "groups", cell: groupsCell},
		{name: "rootfs", cell: func(i *guest.Info) string { return i.Rootfs }},
		{name: "cpus", cell: func(i *guest.Info) string { return optional(i.Use().CPUs) }, want: limits.WantCPUs},
		{name: "pressure", cell: pressureCell, number: pressureNumber, want: limits.WantPressure},
	}
	return append(append(plain, figureColumns()...), netColumns()...)
}

// figureColumns are those of one figure each.
func figureColumns() []column {
	const memory, detail, cpu, io, pids = limits.WantMemory, limits.WantDetail, limits.WantCPU, limits.WantIO, limits.WantPids
	return []column{
		figureColumn("memory", memory, bytesText, func(u *guest.Usage) *int64 { return u.Memory }),
		figureColumn("memory_max", memory, bytesText, func(u *guest.Usage) *int64 { return u.MemoryMax }),
		figureColumn("memory_peak", memory, bytesText, func(u *guest.Usage) *int64 { return u.MemoryPeak }),
		figureColumn("anon", detail, bytesText, func(u *guest.Usage) *int64 { return u.MemoryAnon }),
		figureColumn("file", detail, bytesText, func(u *guest.Usage) *int64 { return u.MemoryFile }),
		figureColumn("kernel", detail, bytesText, func(u *guest.Usage) *int64 { return u.MemoryKernel }),
		figureColumn("swap", memory, bytesText, func(u *guest.Usage) *int64 { return u.Swap }),
		figureColumn("swap_max", memory, bytesText, func(u *guest.Usage) *int64 { return u.SwapMax }),
		figureColumn("oom_kills", memory, count, func(u *guest.Usage) *int64 { return u.OOMKills }),
		figureColumn("cpu", cpu, secondsText, func(u *guest.Usage) *float64 { return u.CPU }),
		figureColumn("cpu_user", cpu, secondsText, func(u *guest.Usage) *float64 { return u.CPUUser }),
		figureColumn("cpu_system", cpu, secondsText, func(u *guest.Usage) *float64 { return u.CPUSystem }),
		figureColumn("cpu_quota", limits.WantQuota, decimal, func(u *guest.Usage) *float64 { return u.CPUQuota }),
		figureColumn("throttled", cpu, count, func(u *guest.Usage) *int64 { return u.CPUThrottled }),
		figureColumn("throttled_time", cpu, secondsText, func(u *guest.Usage) *float64 { return u.ThrottledTime }),
		ioColumn("read", bytesText, func(c guest.IOCount) int64 { return c.ReadBytes }),
		ioColumn("write", bytesText, func(c guest.IOCount) int64 { return c.WriteBytes }),
		ioColumn("read_ops", count, func(c guest.IOCount) int64 { return c.ReadOps }),
		ioColumn("write_ops", count, func(c guest.IOCount) int64 { return c.WriteOps }),
		{name: "io", cell: ioCell, number: ioNumber, want: io},
		figureColumn("pids", pids, count, func(u *guest.Usage) *int64 { return u.Pids }),
		figureColumn("pids_max", pids, count, func(u *guest.Usage) *int64 { return u.PidsMax }),
		figureColumn("pids_peak", pids, count, func(u *guest.Usage) *int64 { return u.PidsPeak }),
		figureColumn("pids_hits", pids, count, func(u *guest.Usage) *int64 { return u.PidsHits }),
		stallColumn("cpu_pressure", func(p *guest.Pressure) *guest.Stall { return p.CPU }),
		stallColumn("memory_pressure", func(p *guest.Pressure) *guest.Stall { return p.Memory }),
		stallColumn("io_pressure", func(p *guest.Pressure) *guest.Stall { return p.IO }),
	}
}

// figureColumn is a column of one figure, "-" where it is unknown or there is no limit.
func figureColumn[T int64 | float64](name string, want limits.Want, text func(T) string, of func(*guest.Usage) *T) column {
	return column{
		name: name, want: want,
		cell: func(i *guest.Info) string {
			v := of(i.Use())
			if v == nil {
				return "-"
			}
			return text(*v)
		},
		number: func(i *guest.Info) float64 {
			v := of(i.Use())
			if v == nil {
				return -1
			}
			return float64(*v)
		},
	}
}

func ioColumn(name string, text func(int64) string, of func(guest.IOCount) int64) column {
	return figureColumn(name, limits.WantIO, text, func(u *guest.Usage) *int64 {
		if u.IO == nil {
			return nil
		}
		n := of(u.IO.IOCount)
		return &n
	})
}

func stallColumn(name string, of func(*guest.Pressure) *guest.Stall) column {
	return figureColumn(name, limits.WantPressure, percent, func(u *guest.Usage) *float64 {
		if u.Pressure == nil || of(u.Pressure) == nil {
			return nil
		}
		return &of(u.Pressure).Some.Avg10
	})
}

// ioCell is what was read and written.
func ioCell(i *guest.Info) string {
	io := i.Use().IO
	if io == nil {
		return "-"
	}
	return bytesText(io.ReadBytes) + "/" + bytesText(io.WriteBytes)
}

func ioNumber(i *guest.Info) float64 {
	io := i.Use().IO
	if io == nil {
		return -1
	}
	return float64(io.ReadBytes + io.WriteBytes)
}

// pressureCell is how much of the last 10 s some waited for CPU, memory and I/O, in percent.
func pressureCell(i *guest.Info) string {
	return pressureText(i.Use().Pressure)
}

func pressureText(p *guest.Pressure) string {
	if p == nil {
		return "-"
	}
	return stallText(p.CPU) + "/" + stallText(p.Memory) + "/" + stallText(p.IO)
}

func stallText(s *guest.Stall) string {
	if s == nil {
		return "-"
	}
	return strconv.FormatFloat(s.Some.Avg10, 'f', 0, 64)
}

// pressureNumber sorts by the worst of the three.
func pressureNumber(i *guest.Info) float64 {
	worst := -1.0
	if p := i.Use().Pressure; p != nil {
		for _, s := range []*guest.Stall{p.CPU, p.Memory, p.IO} {
			if s != nil {
				worst = max(worst, s.Some.Avg10)
			}
		}
	}
	return worst
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func decimal(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

func percent(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) + "%" }

func secondsText(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) + "s" }
