package cases

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/internal/testprograms"
)

// programs is the variable that names the directory with sysct, built once for all tests.
const programs = "SYSCT_NET_PROGRAMS"

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	if nettest.Inside() {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "sysct-test-programs-")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	defer os.RemoveAll(dir)
	os.Setenv(programs, dir)
	var builds sync.WaitGroup
	var failed atomic.Bool
	builds.Go(func() {
		cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "send"), "../send")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // it runs in a guest without libraries
		if out, err := cmd.CombinedOutput(); err != nil {
			fmt.Printf("%v\n%s", err, out)
			failed.Store(true)
		}
	})
	for _, p := range []string{"sysct", "sysct-helper", "sysct-net"} {
		builds.Go(func() {
			if err := testprograms.Build(filepath.Join(dir, p), p, ""); err != nil {
				fmt.Println(err)
				failed.Store(true)
			}
		})
	}
	if builds.Wait(); failed.Load() {
		return 1
	}
	return m.Run()
}
