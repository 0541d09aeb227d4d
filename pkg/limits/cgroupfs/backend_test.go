package cgroupfs_test

import (
	"os"
	"testing"

	"github.com/sysct/sysct/pkg/limits/cgroupfs"
	"github.com/sysct/sysct/pkg/limits/limitstest"
)

func TestMain(m *testing.M) { limitstest.Main(m) }

const mounts = "/sys/fs/cgroup/"

func tree() cgroupfs.Tree {
	t := cgroupfs.Tree{V2: mounts + "unified", V1: map[string]string{}}
	for _, c := range []string{"cpu", "cpuacct", "cpuset", "memory", "pids", "blkio", "devices", "freezer"} {
		t.V1[c] = mounts + c
	}
	return t
}

func TestHybrid(t *testing.T) {
	limitstest.Run(t, limitstest.Host{
		Backend:     cgroupfs.New(tree()),
		Controllers: []string{"cpu", "cpuset", "memory", "pids"},
		V2:          mounts + "unified",
		V1:          []string{mounts + "cpu", mounts + "cpuset", mounts + "memory", mounts + "pids"},
	})
}

// TestV2Alone has the v2 tree without the v1 hierarchies: a host without the controllers.
func TestV2Alone(t *testing.T) {
	limitstest.Run(t, limitstest.Host{
		Backend: cgroupfs.New(cgroupfs.Tree{V2: mounts + "unified"}),
		V2:      mounts + "unified",
	})
}

func TestMain_isRoot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Fatal("these tests make groups: they need root")
	}
}
