package main

import (
	"fmt"
	"strings"

	"github.com/sysct/sysct/pkg/guest"
)

// usageRows shows what a guest uses beside what it may use, and how often it met its
// limits. Scripts know the labels from lxc-info: the use comes first in each value.
func usageRows(u *guest.Usage, row func(label, value string)) {
	if u == nil {
		return
	}
	row("CPU use", cpuText(u))
	row("CPU limit", cpuLimit(u))
	row("CPU weight", optional(u.CPUWeight))
	row("CPUs", optional(u.CPUs))
	row("CPU throttled", throttledText(u))
	row("Memory use", sizeText(u.Memory))
	row("Memory is", memoryParts(u))
	row("Memory peak", sizeText(u.MemoryPeak))
	row("Memory limit", memoryLimit(u))
	row("Memory limit met", memoryHits(u))
	row("OOM kills", positive(u.OOMKills))
	if u.Swap != nil && *u.Swap > 0 {
		row("Swap use", bytesText(*u.Swap))
	}
	row("Swap limit", sizeText(u.SwapMax))
	hugepagesRows(u.Hugepages, row)
	row("Processes", pidsText(u))
	row("Forks refused", positive(u.PidsHits))
	ioRows(u.IO, row)
	row("I/O weight", optional(u.IOWeight))
	ioLimitRows(u.IOLimits, row)
	if p := u.Pressure; p != nil {
		row("CPU pressure", stallLine(p.CPU))
		row("Memory pressure", stallLine(p.Memory))
		row("I/O pressure", stallLine(p.IO))
	}
}

func cpuText(u *guest.Usage) string {
	if u.CPU == nil {
		return ""
	}
	text := fmt.Sprintf("%.2f s", *u.CPU)
	if u.CPUUser != nil && u.CPUSystem != nil {
		text += fmt.Sprintf(" (user %.2f s, system %.2f s)", *u.CPUUser, *u.CPUSystem)
	}
	return text
}

func cpuLimit(u *guest.Usage) string {
	if u.CPUQuota == nil {
		return ""
	}
	return fmt.Sprintf("%.4g of a CPU's time", *u.CPUQuota)
}

func throttledText(u *guest.Usage) string {
	if u.CPUThrottled == nil || *u.CPUThrottled == 0 || u.CPUPeriods == nil {
		return ""
	}
	text := fmt.Sprintf("%d of %d periods", *u.CPUThrottled, *u.CPUPeriods)
	if u.ThrottledTime != nil {
		text += fmt.Sprintf(", for %.2f s", *u.ThrottledTime)
	}
	return text
}

func memoryParts(u *guest.Usage) string {
	var parts []string
	for _, p := range []struct {
		label string
		value *int64
	}{{"anonymous", u.MemoryAnon}, {"files", u.MemoryFile}, {"kernel", u.MemoryKernel}} {
		if p.value != nil {
			parts = append(parts, p.label+" "+bytesText(*p.value))
		}
	}
	return strings.Join(parts, ", ")
}

func memoryLimit(u *guest.Usage) string {
	text := sizeText(u.MemoryMax)
	if u.MemoryMax != nil && u.Memory != nil && *u.MemoryMax > 0 {
		text += fmt.Sprintf(" (%.0f %% used)", 100*float64(*u.Memory)/float64(*u.MemoryMax))
	}
	for _, p := range []struct {
		label string
		value *int64
	}{{"slowed above", u.MemoryHigh}, {"kept", u.MemoryMin}} {
		if p.value != nil {
			text = strings.TrimPrefix(text+", "+p.label+" "+bytesText(*p.value), ", ")
		}
	}
	return text
}

// memoryHits says how often the limits were met.
func memoryHits(u *guest.Usage) string {
	var parts []string
	if n := positive(u.MaxHits); n != "" {
		parts = append(parts, n+" times")
	}
	if n := positive(u.HighHits); n != "" {
		parts = append(parts, "slowed "+n+" times")
	}
	return strings.Join(parts, ", ")
}

func pidsText(u *guest.Usage) string {
	if u.Pids == nil {
		return ""
	}
	text := count(*u.Pids)
	if u.PidsMax != nil {
		text += fmt.Sprintf(" of %d", *u.PidsMax)
	}
	if u.PidsPeak != nil {
		text += fmt.Sprintf(" (at most %d so far)", *u.PidsPeak)
	}
	return text
}

func ioRows(io *guest.IOUsage, row func(label, value string)) {
	if io == nil {
		return
	}
	row("I/O", ioLine(io.IOCount))
	if len(io.Devices) < 2 {
		return
	}
	for _, d := range io.Devices {
		row("I/O "+escape(deviceText(d.Device, d.Name)), ioLine(d.IOCount))
	}
}

func ioLine(c guest.IOCount) string {
	return fmt.Sprintf("read %s in %d operations, written %s in %d", bytesText(c.ReadBytes), c.ReadOps, bytesText(c.WriteBytes), c.WriteOps)
}

// ioLimitRows has a line for each disk: what the guest may do with it in a second.
func ioLimitRows(all []guest.DeviceLimits, row func(label, value string)) {
	for _, d := range all {
		var parts []string
		add := func(word, text string, n int64) {
			if n > 0 {
				parts = append(parts, word+" "+text+"/s")
			}
		}
		add("read", bytesText(d.Read), d.Read)
		add("write", bytesText(d.Write), d.Write)
		add("read", counted(d.ReadOps, "operation", "operations"), d.ReadOps)
		add("write", counted(d.WriteOps, "operation", "operations"), d.WriteOps)
		row("I/O limit "+escape(deviceText(d.Device, d.Name)), strings.Join(parts, ", "))
	}
}

func deviceText(id, name string) string {
	if name == "" {
		return id
	}
	return name
}

func hugepagesRows(all []guest.HugepagesUsage, row func(label, value string)) {
	for _, p := range all {
		text := bytesText(p.Used)
		if p.Max != nil {
			text += " of " + bytesText(*p.Max)
		}
		row("Huge pages "+p.Size, text)
	}
}

// stallLine is empty as long as nobody has waited.
func stallLine(s *guest.Stall) string {
	if s == nil || s.Some.Total == 0 {
		return ""
	}
	share := func(s guest.StallShare) string {
		return fmt.Sprintf("%.2f %.2f %.2f %% (%.2f s)", s.Avg10, s.Avg60, s.Avg300, s.Total)
	}
	return "some " + share(s.Some) + ", full " + share(s.Full)
}

func sizeText(n *int64) string {
	if n == nil {
		return ""
	}
	return bytesText(*n)
}

// positive is a count that is shown only if it is one.
func positive(n *int64) string {
	if n == nil || *n == 0 {
		return ""
	}
	return count(*n)
}
