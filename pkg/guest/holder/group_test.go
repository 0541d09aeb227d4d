package holder

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestLives: what was killed doesn't count, also before it is reaped.
func TestLives(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mount, _, err := v2()
	must(err)
	dir := filepath.Join(mount, fmt.Sprintf("sysct-test-lives-%d", os.Getpid()))
	must(os.Mkdir(dir, 0o755))
	eventually := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !is(); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("never came about: %s", what)
			}
		}
	}
	defer eventually("it is removed", func() bool { return os.Remove(dir) == nil })
	f, err := os.Open(dir)
	must(err)
	defer f.Close()
	if lives(dir) {
		t.Error("something lives in an empty group")
	}
	c := exec.Command("sleep", "1000")
	c.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	must(c.Start())
	defer c.Wait()
	defer c.Process.Kill()
	if !lives(dir) {
		t.Error("a process that nobody has killed isn't seen")
	}
	must(c.Process.Kill())
	eventually("what was killed doesn't count", func() bool { return !lives(dir) })
}
