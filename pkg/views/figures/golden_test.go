package figures

import (
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views"
)

// testdata has what kernels showed of a Debian guest with 256M, one CPU and half of
// its time: Linux 6.12 with version 2, Linux 6.18 with version 1.
func testdata(t *testing.T, version string) int {
	t.Helper()
	fd, err := unix.Open("testdata/"+version, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// golden holds the figures of a guest that is up for 150 s against these.
func golden(t *testing.T, dirs limits.Dirs, meminfo, cpus string, disks ...views.Disk) {
	s := open(t, Config{Groups: dirs, Offset: -time.Hour})
	need := views.NeedMemory | views.NeedTimes | views.NeedDisks
	shot := s.Snapshot(need, time.Hour+150*time.Second)
	text := string(views.Meminfo(nil, shot))
	for _, want := range strings.Split(strings.TrimSpace(meminfo), "\n") {
		name, value, _ := strings.Cut(want, ":")
		if !strings.Contains(text, "\n"+name+":") && !strings.HasPrefix(text, name+":") {
			t.Fatalf("no %s in\n%s", name, text)
		}
		_, rest, _ := strings.Cut("\n"+text, "\n"+name+":")
		if got := strings.Fields(rest)[0]; got != strings.TrimSpace(value) {
			t.Errorf("%s: got %s, want %s", name, got, value)
		}
	}
	if got := string(views.Stat(nil, shot)); !strings.HasPrefix(got, cpus) {
		t.Errorf("got %q, want %q", got[:min(len(got), 100)], cpus)
	}
	for i := range shot.Disks {
		shot.Disks[i].Name = "" // this host's
	}
	if !slices.Equal(shot.Disks, disks) {
		t.Errorf("disks %+v, want %+v", shot.Disks, disks)
	}
}

func TestGoldenV2(t *testing.T) {
	golden(t, limits.Dirs{V2: testdata(t, "v2")}, `
MemTotal: 262144
MemFree: 229564
MemAvailable: 253603
Cached: 22044
Active(file): 19764
Inactive(file): 2260
AnonPages: 6640
Mapped: 15108
Dirty: 296
KReclaimable: 2015
Slab: 2724
KernelStack: 128
PageTables: 556
Percpu: 143`,
		"cpu  2281 0 2983 4822 0 0 0 4912 0 0\ncpu0 2281 0 2983 4822 0 0 0 4912 0 0\nintr 0",
		views.Disk{Major: 254, WriteBytes: 3104768, Writes: 126}, views.Disk{Major: 254, Minor: 32, ReadBytes: 19763200, Reads: 612})
}

func TestGoldenV1(t *testing.T) {
	v1 := testdata(t, "v1")
	dirs := limits.Dirs{V2: tree(t, nil), V1: map[string]int{"memory": v1, "cpu": v1, "cpuacct": v1, "cpuset": v1, "blkio": v1, "pids": v1}}
	golden(t, dirs, `
MemTotal: 262144
MemFree: 238272
MemAvailable: 253876
Cached: 15640
Active(file): 2252
Inactive(file): 13352
AnonPages: 5700
Mapped: 5012
Shmem: 36
KReclaimable: 0
Slab: 0
KernelStack: 0`,
		"cpu  12 0 15 14972 0 0 0 0 0 0\ncpu0 12 0 15 14972 0 0 0 0 0 0\nintr 0",
		views.Disk{Major: 254, ReadBytes: 8294400, WriteBytes: 49152, Reads: 695, Writes: 17})
}
