package metrics

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest"
)

func ptr[T any](v T) *T { return &v }

// guests are one that uses some of everything, one that is stopped, and one whose texts
// are hostile.
func guests() []guest.Info {
	stall := &guest.Stall{Some: guest.StallShare{Avg10: 1.5, Total: 12.25}, Full: guest.StallShare{Total: 3}}
	web := guest.Info{
		Name: "web", State: "FROZEN", Ready: ptr(true), Boots: ptr(2), Template: ptr("debian"), Image: ptr("debian-13"), Backend: ptr("overlay"),
		StartedAt: ptr(time.UnixMilli(1700000000250)),
		Usage: &guest.Usage{
			Memory: ptr(int64(50 << 20)), MemoryPeak: ptr(int64(60 << 20)), MemoryMax: ptr(int64(64 << 20)), MemoryHigh: ptr(int64(62 << 20)),
			MemoryAnon: ptr(int64(1)), MemoryFile: ptr(int64(2)), MemoryKernel: ptr(int64(3)), Swap: ptr(int64(0)), SwapMax: ptr(int64(4096)),
			HighHits: ptr(int64(7)), MaxHits: ptr(int64(5)), OOMs: ptr(int64(1)), OOMKills: ptr(int64(1)),
			CPU: ptr(3.75), CPUUser: ptr(2.5), CPUSystem: ptr(1.25), CPUQuota: ptr(0.5), CPUs: ptr("0-1"),
			CPUPeriods: ptr(int64(100)), CPUThrottled: ptr(int64(40)), ThrottledTime: ptr(4.000001),
			Pids: ptr(int64(12)), PidsPeak: ptr(int64(16384)), PidsMax: ptr(int64(16384)), PidsHits: ptr(int64(3)),
			IO: &guest.IOUsage{IOCount: guest.IOCount{ReadBytes: 1 << 53, WriteBytes: 2}, Devices: []guest.DeviceUsage{
				{Device: "8:0", Name: "sda", IOCount: guest.IOCount{ReadBytes: 1 << 53, WriteBytes: 2, ReadOps: 3, WriteOps: 4}}, {Device: "7:1"}}},
			Network: &guest.NetUsage{Interfaces: []guest.InterfaceUsage{
				{Name: "eth0", NetCount: guest.NetCount{ReceiveBytes: 1 << 53, ReceivePackets: 2, ReceiveErrors: 3, ReceiveDrops: 4,
					TransmitBytes: 5, TransmitPackets: 6, TransmitErrors: 7, TransmitDrops: 8}},
				{Name: "e\"\x1b\xff"}}},
			Hugepages: []guest.HugepagesUsage{{Size: "2MB", Used: 2 << 20, Max: ptr(int64(4 << 20))}, {Size: "1GB", Used: 1 << 30}},
			Pressure:  &guest.Pressure{CPU: stall, Memory: stall, IO: stall},
		},
	}
	hostile := guest.Info{Name: "a\"b\\c\nd\xff", State: "RUNNING", Template: ptr("x\"} 1\nsysct_guest_evil 1"), Usage: &guest.Usage{Memory: ptr(int64(1))}}
	return []guest.Info{web, {Name: "off", State: "STOPPED", Template: ptr("busybox")}, hostile}
}

func TestGolden(t *testing.T) {
	for name, format := range map[string]Format{"openmetrics.txt": OpenMetrics, "classic.txt": Classic} {
		path := filepath.Join("testdata", name)
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := Append(nil, guests(), format); !bytes.Equal(got, want) {
			t.Errorf("%s:\n%s", path, got)
		}
	}
}

// TestPrometheusReadsIt asks Prometheus's own reader of each format.
func TestPrometheusReadsIt(t *testing.T) {
	for name, list := range map[string][]guest.Info{"guests": guests(), "none": nil} {
		check := exec.Command("promtool", "check", "metrics")
		check.Stdin = bytes.NewReader(Append(nil, list, Classic))
		if out, err := check.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s, classic: %v: %s", name, err, out)
		}
	}
	// promtool reads OpenMetrics to make blocks of it, for which it wants times.
	text := regexp.MustCompile(`(?m)^([^#].*)$`).ReplaceAll(Append(nil, guests(), OpenMetrics), []byte("$1 1700000000"))
	dir := t.TempDir()
	file := filepath.Join(dir, "metrics")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("promtool", "tsdb", "create-blocks-from", "openmetrics", file, filepath.Join(dir, "blocks")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "BLOCK ULID") {
		t.Errorf("OpenMetrics: %v: %s", err, out)
	}
	lines := strings.Count(string(text), " 1700000000\n")
	if !regexp.MustCompile(`1ms +` + strconv.Itoa(lines) + ` `).Match(out) {
		t.Errorf("of %d figures it read:\n%s", lines, out)
	}
}
