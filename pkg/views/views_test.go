package views

import (
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files")

// example is a small guest.
func example() *Snapshot {
	m := NewMemory(MemoryUse{
		Host: 16 << 30, HostSwap: 4 << 30, Limit: 256 << 20, Current: 100 << 20, SwapLimit: 512 << 20, SwapUsed: 20 << 20,
		File: 60 << 20, Stat: MemoryStat{ActiveFile: 30 << 20, InactiveFile: 20 << 20, Anon: 30 << 20, SlabReclaimable: 4 << 20, SlabUnreclaimable: 1 << 20},
	})
	cpu := func(i int) Time {
		return Time{User: time.Duration(i) * time.Second, System: 2 * time.Second, Idle: time.Hour, Steal: 30 * time.Millisecond}
	}
	s := &Snapshot{
		Uptime: time.Hour + 10*time.Second, BootTime: 1795358382, Memory: m, CPUs: []int{2, 3},
		Times: Times{Total: Time{User: 3 * time.Second, System: 4 * time.Second, Idle: 2 * time.Hour, Steal: 60 * time.Millisecond}, CPU: []Time{cpu(1), cpu(2)}},
		Tasks: Tasks{Running: 2, Blocked: 1, Total: 40, LastPID: 1234}, Load: [3]uint64{1 << 11, 1 << 10, 3 << 9},
		Disks: []Disk{{Major: 254, Name: "vda", ReadBytes: 8192, WriteBytes: 4096, Reads: 2, Writes: 1}},
	}
	paragraph := func(cpu string) []byte {
		return []byte("processor\t: " + cpu + "\nmodel name\t: AMD EPYC\nphysical id\t: 0\nsiblings\t: 64\ncore id\t\t: " + cpu + "\ncpu cores\t: 32\npower management:\n")
	}
	s.CPUInfo = [][]byte{paragraph("2"), paragraph("3")}
	return s
}

// TestGolden: go test -run Golden -update writes the texts anew.
func TestGolden(t *testing.T) {
	for _, f := range Files() {
		name := "testdata/" + strings.ReplaceAll(f.Path, "/", "_")
		got := f.Render(nil, example())
		if *update {
			if err := os.WriteFile(name, got, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", f.Path, got, want)
		}
	}
}

// TestMeminfoHasTheKernelsLines in the kernel's order.
func TestMeminfoHasTheKernelsLines(t *testing.T) {
	kernel, err := os.ReadFile("testdata/kernel_meminfo")
	if err != nil {
		t.Fatal(err)
	}
	names := func(text string) (all []string) {
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, ":")
			if !strings.HasPrefix(name, "DirectMap") && name != "Balloon" {
				all = append(all, name)
			}
		}
		return all
	}
	got, want := names(string(Meminfo(nil, example()))), names(string(kernel))
	if strings.Join(got, " ") != strings.Join(want, " ") {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

func anySnapshot(t *rapid.T) *Snapshot {
	n := rapid.Uint64()
	m := MemoryUse{
		Host: rapid.Uint64Range(1<<20, 1<<50).Draw(t, "host"), HostSwap: n.Draw(t, "host swap"), Limit: n.Draw(t, "limit"), Current: n.Draw(t, "current"),
		SwapLimit: n.Draw(t, "swap limit"), SwapUsed: n.Draw(t, "swap used"), File: n.Draw(t, "file"), SwapCached: n.Draw(t, "swap cached"),
		Zswap: n.Draw(t, "zswap"), Zswapped: n.Draw(t, "zswapped"),
	}
	for _, f := range []*uint64{
		&m.Stat.Shmem, &m.Stat.Mapped, &m.Stat.Dirty, &m.Stat.ActiveAnon, &m.Stat.InactiveAnon, &m.Stat.ActiveFile,
		&m.Stat.InactiveFile, &m.Stat.Anon, &m.Stat.SlabReclaimable, &m.Stat.SlabUnreclaimable, &m.Stat.Percpu,
	} {
		*f = n.Draw(t, "figure")
	}
	d := rapid.Int64()
	any := func() Time {
		return Time{time.Duration(d.Draw(t, "user")), time.Duration(d.Draw(t, "nice")), time.Duration(d.Draw(t, "system")), time.Duration(d.Draw(t, "idle")), time.Duration(d.Draw(t, "steal"))}
	}
	return &Snapshot{
		Uptime: time.Duration(d.Draw(t, "uptime")), BootTime: d.Draw(t, "boot"), Memory: NewMemory(m), CPUs: []int{0, 1},
		Times: Times{Total: any(), CPU: []Time{any(), any()}}, Tasks: Tasks{n.Draw(t, "running"), n.Draw(t, "blocked"), n.Draw(t, "total"), n.Draw(t, "pid")},
		Load:  [3]uint64{n.Draw(t, "1"), n.Draw(t, "5"), n.Draw(t, "15")},
		Disks: []Disk{{Major: 4095, Minor: 1 << 20, Name: "a-device-of-a-long-name", Reads: n.Draw(t, "reads"), ReadBytes: n.Draw(t, "bytes"), Discards: n.Draw(t, "discards")}},
	}
}

// TestLengthIsConstant whatever the figures are, and the last byte is a newline.
func TestLengthIsConstant(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anySnapshot(t), anySnapshot(t)
		for _, f := range Files() {
			x, y := f.Render(nil, a), f.Render(nil, b)
			if len(x) != len(y) {
				t.Fatalf("%s: %d and %d bytes:\n%s\n%s", f.Path, len(x), len(y), x, y)
			}
			if f.Path != "proc/cpuinfo" && !strings.HasSuffix(string(x), "\n") || strings.ContainsRune(string(x), 0) {
				t.Fatalf("%s: %q", f.Path, x)
			}
		}
	})
}

func TestMemoryMakesSense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := anySnapshot(t).Memory
		if m.Total == 0 || m.Free > m.Available || m.Available > m.Total || m.SwapFree > m.SwapTotal {
			t.Fatalf("%+v", m)
		}
		if m.Free+m.Cached+m.SlabReclaimable > m.Total {
			t.Fatalf("free, cache and slab are more than there is: %+v", m)
		}
		text := strings.ReplaceAll(string(Meminfo(nil, &Snapshot{Memory: m})), "kB", "")
		total := meminfoValue(t, text, "MemTotal")
		for line := range strings.Lines(text) {
			name, _, _ := strings.Cut(line, ":")
			switch name {
			case "SwapTotal", "SwapFree", "Zswapped", "CommitLimit", "Hugepagesize":
			default:
				if n := meminfoValue(t, text, name); n > total {
					t.Fatalf("%s %d of %d", name, n, total)
				}
			}
		}
	})
}

// TestAllAgree: meminfo, sysinfo(2) and swaps tell the same.
func TestAllAgree(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		text, info := string(Meminfo(nil, s)), Sysinfo(s)
		for name, n := range map[string]uint64{
			"MemTotal": info.TotalRAM, "MemFree": info.FreeRAM, "Shmem": info.SharedRAM, "SwapTotal": info.TotalSwap, "SwapFree": info.FreeSwap,
		} {
			if got := meminfoValue(t, text, name); got != min(n>>10, largest(meminfoDigits)) {
				t.Fatalf("%s: %d, sysinfo %d", name, got, n>>10)
			}
		}
		lines := strings.Split(strings.TrimSpace(string(Swaps(nil, s))), "\n")
		if s.Memory.SwapTotal < 1024 {
			return
		}
		f := strings.Fields(lines[1])
		if f[2] != text2(min(info.TotalSwap>>10, largest(meminfoDigits))) || f[3] != text2(min((info.TotalSwap>>10)-(info.FreeSwap>>10), largest(meminfoDigits))) {
			t.Fatalf("%q, sysinfo %+v", lines, info)
		}
	})
}
