package cgroupfs_test

import (
	"os"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/limits/limitstest"
)

func TestMain(m *testing.M) { limitstest.Main(m) }

const mounts = "/sys/fs/cgroup"

// TestThisHost is the whole tree of this host, pure v2 or hybrid.
func TestThisHost(t *testing.T) {
	controllers := []string{"cpu", "cpuset", "memory", "pids", "io", "hugetlb"}
	if pureV2() {
		limitstest.Run(t, limitstest.Host{Backend: cgroupfs.New(cgroupfs.Tree{V2: mounts}), Controllers: controllers, V2: mounts})
		return
	}
	host := limitstest.Host{Controllers: controllers, V2: mounts + "/unified"}
	tree := cgroupfs.Tree{V2: host.V2, V1: map[string]string{"freezer": mounts + "/freezer"}}
	for _, c := range []string{"cpu", "cpuset", "memory", "pids", "blkio"} {
		tree.V1[c] = mounts + "/" + c
		host.V1 = append(host.V1, tree.V1[c])
	}
	host.Backend = cgroupfs.New(tree)
	limitstest.Run(t, host)
}

// TestDelegated is a service manager's group in a pure v2 tree: a hybrid host has none.
func TestDelegated(t *testing.T) {
	if !pureV2() {
		return
	}
	backend := limitstest.Scoped{Backend: cgroupfs.NewDelegated(cgroupfs.Tree{V2: mounts}), V2: mounts}
	limitstest.RunLimits(t, limitstest.Host{Backend: backend, Controllers: limitstest.Delegated(), V2: mounts})
}

// TestCheckKnowsWhatIsNeverDelegated before the service manager has made any group.
func TestCheckKnowsWhatIsNeverDelegated(t *testing.T) {
	tree := cgroupfs.Tree{V2: mounts}
	if !pureV2() {
		tree.V2 += "/unified"
	}
	l := limits.Limits{Hugepages: map[string]int64{"2MB": 0}}
	if err := cgroupfs.New(tree).Check(l); err != nil {
		t.Errorf("where groups are made by writing: %v", err)
	}
	err := cgroupfs.NewDelegated(tree).Check(l)
	if want := "limits.hugepages: the host's service manager delegates no hugetlb controller"; err == nil || err.Error() != want {
		t.Errorf("where they are delegated: %v, want %s", err, want)
	}
}

// TestWithoutControllers is the v2 tree of a hybrid host alone. A pure one has all
// controllers there: it has no such case.
func TestWithoutControllers(t *testing.T) {
	if pureV2() {
		return
	}
	v2 := mounts + "/unified"
	limitstest.Run(t, limitstest.Host{Backend: cgroupfs.New(cgroupfs.Tree{V2: v2}), Controllers: []string{"hugetlb"}, V2: v2})
}

func pureV2() bool {
	_, err := os.Stat(mounts + "/cgroup.controllers")
	return err == nil
}
