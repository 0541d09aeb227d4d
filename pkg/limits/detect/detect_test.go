package detect

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/limits/limitstest"
)

func TestMain(m *testing.M) { limitstest.Main(m) }

const systemdV2 = `24 30 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
33 24 0:28 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot
`

const systemdHybrid = `34 24 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec shared:9 - tmpfs tmpfs ro,size=4096k,nr_inodes=1024,mode=755
35 34 0:30 / /sys/fs/cgroup/unified rw,nosuid,nodev,noexec,relatime shared:10 - cgroup2 cgroup2 rw,nsdelegate
36 34 0:31 / /sys/fs/cgroup/systemd rw,nosuid,nodev,noexec,relatime shared:11 - cgroup cgroup rw,xattr,name=systemd
40 34 0:35 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid,nodev,noexec,relatime shared:15 - cgroup cgroup rw,cpu,cpuacct
41 34 0:36 / /sys/fs/cgroup/net_cls,net_prio rw,nosuid,nodev,noexec,relatime shared:16 - cgroup cgroup rw,net_cls,net_prio
42 34 0:37 / /sys/fs/cgroup/memory rw,nosuid,nodev,noexec,relatime shared:17 - cgroup cgroup rw,memory
43 34 0:38 / /sys/fs/cgroup/pids ro,nosuid,nodev,noexec,relatime shared:18 - cgroup cgroup rw,pids
`

const twoPlaces = `50 24 0:28 /docker/a /mnt/part rw - cgroup2 cgroup2 rw
51 24 0:28 / /mnt/with\040space rw - cgroup2 cgroup2 rw
52 24 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw
`

func seen(mount) bool { return true }

func TestChoose(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want cgroupfs.Tree
	}{
		"systemd, v2": {systemdV2, cgroupfs.Tree{V2: "/sys/fs/cgroup", V1: map[string]string{}}},
		"systemd, hybrid": {systemdHybrid, cgroupfs.Tree{V2: "/sys/fs/cgroup/unified", V1: map[string]string{
			"cpu": "/sys/fs/cgroup/cpu,cpuacct", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct", "memory": "/sys/fs/cgroup/memory",
		}}},
		"the whole and writable one": {twoPlaces, cgroupfs.Tree{V2: "/mnt/with space", V1: map[string]string{}}},
	} {
		if got, err := choose(parse(c.text), seen); err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, %v", name, got, err)
		}
	}
}

func TestChooseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"": "no cgroup2 file system is mounted",
		"42 34 0:37 / /sys/fs/cgroup/memory rw shared:17 - cgroup cgroup rw,memory\n": "no cgroup2 file system is mounted",
		"33 24 0:28 / /sys/fs/cgroup ro - cgroup2 cgroup2 rw\n":                       "cgroup2 is mounted read-only on /sys/fs/cgroup",
		"garbage - cgroup2\n": "no cgroup2",
	} {
		if _, err := choose(parse(text), seen); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func TestChooseLeavesOutWhatIsMountedOver(t *testing.T) {
	hidden := func(m mount) bool { return m.point != "/mnt/with space" }
	got, err := choose(parse(twoPlaces), hidden)
	if err != nil || got.V2 != "/mnt/part" {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestFilter: what a host of many guests has between its cgroups.
func TestFilter(t *testing.T) {
	long := "60 24 0:50 / /a rw - overlay sysct/a rw,lowerdir+=/" + strings.Repeat("x", 9000) + " - cgroup2 cgroup2 rw\n"
	other := "61 24 0:51 / /b rw - tmpfs tmpfs rw\n"
	got, err := filter(strings.NewReader(long + systemdHybrid + other + long + twoPlaces + strings.TrimSuffix(systemdV2, "\n")))
	want := strings.Join(strings.SplitAfter(systemdHybrid, "\n")[1:], "") + twoPlaces + strings.TrimSuffix(strings.SplitAfter(systemdV2, "\n")[1], "\n")
	if err != nil || got != want {
		t.Errorf("got %v\n%s\nwant\n%s", err, got, want)
	}
}

// TestDetect makes a guest's groups on this host, whatever its layout.
func TestDetect(t *testing.T) {
	b, err := Detect()
	if err != nil {
		t.Fatal(err)
	}
	n := int64(50)
	g, err := b.Make(limitstest.Base(), "one", limits.Limits{Memory: &[]int64{1 << 26}[0], Pids: &n}, uint32(os.Getuid()), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if s, err := g.Stats(); err != nil || *s.Memory.Max != 1<<26 || s.Pids.Current != 0 {
		t.Errorf("figures: %+v, %v", s, err)
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
}
