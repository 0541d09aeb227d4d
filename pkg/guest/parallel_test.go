package guest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// parallel is how many processes create at once.
const parallel = 50

// atOnce runs verbs, each as a process of its own, and gives their outputs and statuses.
func (in *instance) atOnce(verbs [][]string) (outputs []string, statuses []int) {
	in.t.Helper()
	outputs, statuses = make([]string, len(verbs)), make([]int, len(verbs))
	var wg sync.WaitGroup
	for i, verb := range verbs {
		wg.Go(func() {
			out, err := in.verb("", verb...)
			outputs[i], statuses[i] = out, exitStatus(err)
		})
	}
	wg.Wait()
	return outputs, statuses
}

func TestParallelCreatesOfOneName(t *testing.T) {
	in := newInstance(t)
	verbs := make([][]string, parallel)
	for i := range verbs {
		verbs[i] = []string{"create", "web", "-t", "busybox"}
	}
	outputs, statuses := in.atOnce(verbs)
	won := 0
	for i, status := range statuses {
		lines := strings.Split(strings.TrimSuffix(outputs[i], "\n"), "\n")
		last := lines[len(lines)-1]
		switch {
		case status == 0:
			won++
		case status != 1 || last != "sysct: create web: a guest of that name exists":
			t.Errorf("status %d: %s", status, outputs[i])
		}
	}
	if won != 1 {
		t.Errorf("%d won", won)
	}
	if n := strings.Count(in.ids(), "\n"); n != 1 {
		t.Errorf("%d ranges of ids: %s", n, in.ids())
	}
	in.collected()
	in.wholeThenGone("web")
}

func TestParallelCreatesOfDifferentNames(t *testing.T) {
	in := newInstance(t)
	verbs := make([][]string, parallel)
	for i := range verbs {
		verbs[i] = []string{"create", fmt.Sprint("web", i), "-t", "busybox"}
	}
	outputs, statuses := in.atOnce(verbs)
	for i, status := range statuses {
		if status != 0 {
			t.Errorf("%s: status %d: %s", verbs[i][1], status, outputs[i])
		}
	}
	ids, machines := map[uint32]string{}, map[string]string{}
	for _, verb := range verbs {
		name := verb[1]
		info := in.info(name)
		if info.IDBase == nil || *info.IDBase%idsOfOne != *in.info("web0").IDBase%idsOfOne || ids[*info.IDBase] != "" {
			t.Fatalf("ids of %s overlap: %+v", name, info)
		}
		if machines[deref(info.MachineID)] != "" {
			t.Errorf("%s has the machine id of %s", name, machines[*info.MachineID])
		}
		ids[*info.IDBase], machines[deref(info.MachineID)] = name, name
	}
	in.collected()
	if left, _ := filepath.Glob(in.dirs.State + "/.new-*"); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	if _, err := os.Lstat(in.dirs.State + "/web49"); err != nil {
		t.Error(err)
	}
}

// idsOfOne is how many ids a guest has.
const idsOfOne = 65536
