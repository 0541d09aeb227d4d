package limitstest

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
)

// testFigures has a process use some of each and be counted for it, by the guest's own
// group and in the look at all.
func testFigures(t *testing.T, h Host) {
	g := h.guestOf(t, "one", limits.Limits{})
	file := onDisk(t)
	counted := h.countIO(t, "one", file)
	c := start(t, g, "dd if=/dev/zero of="+file+" bs=4096 count=16 oflag=direct 2>&1 && dd if="+file+" of=/dev/null bs=4096 iflag=direct 2>&1 && echo done && exec sleep 600")
	c.running(t, "sleep")
	own, err := g.Stats()
	if err != nil {
		t.Fatal(err)
	}
	sights, err := h.Backend.Sights(Base(), []string{"one"}, limits.WantAll)
	if err != nil || sights["one"].Stats == nil {
		t.Fatalf("sights: %+v, %v", sights, err)
	}
	for name, s := range map[string]limits.Stats{"own": own, "in the list": *sights["one"].Stats} {
		if s.CPU == nil || s.CPU.Usage == 0 {
			t.Errorf("%s: CPU: %+v", name, s.CPU)
		}
		if h.has("memory") && (s.Memory == nil || s.Memory.Current == 0 || s.Memory.Anon == nil) || !h.has("memory") && s.Memory != nil {
			t.Errorf("%s: memory: %+v", name, s.Memory)
		}
		if h.has("cpu") && (s.CPU.Periods == nil || s.CPU.ThrottledTime == nil) {
			t.Errorf("%s: throttling: %+v", name, *s.CPU)
		}
		if h.has("cpuset") && len(s.CPU.CPUs) == 0 {
			t.Errorf("%s: it may run on no CPU: %+v", name, *s.CPU)
		}
		h.checkIO(t, name, s.IO, counted)
		if _, err := os.Stat("/proc/pressure/cpu"); err == nil && (s.Pressure == nil || s.Pressure.IO == nil || s.Pressure.CPU == nil || s.Pressure.Memory == nil) {
			t.Errorf("%s: pressure: %+v", name, s.Pressure)
		}
	}
	sights, err = h.Backend.Sights(Base(), []string{"one"}, limits.WantCPU)
	if s := sights["one"].Stats; err != nil || s == nil || s.CPU == nil || s.Memory != nil || s.Pids != nil || s.IO != nil || s.Pressure != nil || s.CPU.CPUs != nil {
		t.Errorf("more than what was wanted: %+v, %v", s, err)
	}
}

func (h Host) checkIO(t *testing.T, name string, io *limits.IOStats, counted bool) {
	t.Helper()
	switch {
	case !h.has("io") && io != nil:
		t.Errorf("%s: I/O without a controller: %+v", name, *io)
	case !counted:
	case io == nil || io.WriteBytes < 65536 || io.ReadBytes < 65536 || io.WriteOps < 16 || io.ReadOps < 16 || len(io.Devices) == 0:
		t.Errorf("%s: I/O: %+v", name, io)
	}
}

// countIO has the file's device counted, and says whether it is: a v1 kernel may do so
// from the first limit on only, even if it is none (0), and knows whole disks alone.
func (h Host) countIO(t *testing.T, name, file string) bool {
	t.Helper()
	if !h.has("io") || len(h.V1) == 0 {
		return h.has("io")
	}
	var st unix.Stat_t
	if err := unix.Stat(file, &st); err != nil {
		t.Fatal(err)
	}
	device := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(st.Dev), unix.Minor(st.Dev))
	if _, err := os.Stat(device + "/partition"); err == nil {
		device += "/.."
	}
	id, err := os.ReadFile(device + "/dev")
	if err != nil {
		return false // a file system without a block device of its own
	}
	i := slices.IndexFunc(h.V1, func(mount string) bool { return strings.HasSuffix(mount, "/blkio") })
	rule := strings.TrimSpace(string(id)) + " 0"
	if err := os.WriteFile(h.V1[i]+"/"+Base()+"/"+name+"/blkio.throttle.read_bps_device", []byte(rule), 0); err != nil {
		t.Fatal(err)
	}
	return true
}

// onDisk is a file that everybody may write and that lies on a block device.
func onDisk(t *testing.T) string {
	t.Helper()
	path := "/var/tmp/sysct-figures-" + strconv.Itoa(os.Getpid())
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(path) })
	if err := os.Chmod(path, 0o666); err != nil {
		t.Fatal(err)
	}
	return path
}
