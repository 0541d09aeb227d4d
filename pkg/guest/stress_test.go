package guest_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest"
)

// stressTime is how long the actors act; SYSCT_TEST_STRESS says it otherwise.
const stressTime = 2 * time.Minute

// act is what an actor may do, and the exit statuses that are answers and no faults.
type act struct {
	args     []string // NAME and OTHER stand for guests
	statuses []int
}

// acts: 2 is a guest in the wrong state, 3 one that has just been destroyed, 4 one that
// can only be copied, 5 one that another verb freezes or thaws. Nothing may fail, hang or be killed.
func acts() []act {
	return []act{
		{[]string{"create", "NAME", "-t", "busybox"}, []int{0, exists}},
		{[]string{"create", "NAME", "-t", "busybox", "-B", "dir"}, []int{0, exists}},
		{[]string{"launch", "NAME", "-t", "busybox"}, []int{0, exists, 2, 3}},
		{[]string{"start", "NAME"}, []int{0, 2, 3}},
		{[]string{"start", "NAME"}, []int{0, 2, 3}},
		{[]string{"stop", "-t", "10", "NAME"}, []int{0, 2, 3}},
		{[]string{"stop", "-k", "NAME"}, []int{0, 2, 3}},
		{[]string{"kill", "-s", "TERM", "NAME"}, []int{0, 2, 3}},
		{[]string{"restart", "-t", "10", "NAME"}, []int{0, 2, 3}},
		{[]string{"destroy", "NAME"}, []int{0, 2, 3}},
		{[]string{"destroy", "-f", "NAME"}, []int{0, 3}},
		{[]string{"launch", "NAME", "-t", "busybox"}, []int{0, exists, 2, 3}},
		{[]string{"launch", "NAME", "-t", "busybox", "-B", "dir"}, []int{0, exists, 2, 3}},
		{[]string{"freeze", "NAME"}, []int{0, 2, 3, 5}},
		{[]string{"thaw", "NAME"}, []int{0, 2, 3, 5}},
		{[]string{"exec", "NAME", "--", "true"}, []int{0, 2, 3, 129, 137, 143}}, // the guest's end ends it
		{[]string{"exec", "NAME", "--", "sleep", "0.2"}, []int{0, 2, 3, 129, 137, 143}},
		{[]string{"clone", "NAME", "OTHER"}, []int{0, exists, 2, 3}},
		{[]string{"clone", "-s", "NAME", "OTHER"}, []int{0, exists, 2, 3, 4}},
		{[]string{"rename", "NAME", "OTHER"}, []int{0, exists, 2, 3}},
		{[]string{"info", "NAME"}, []int{0, 3}},
		{[]string{"ls"}, []int{0}},
		{[]string{"ls", "-f"}, []int{0}},
		{[]string{"gc"}, []int{0}},
	}
}

// exists stands for status 1 with the message that the name is taken.
const exists = -1

// TestEverythingAtOnce has actors do what comes to their mind to a handful of guests.
// Every verb ends, in one of the ways that make sense; a guest that nobody touches
// runs on; and in the end nothing is left.
func TestEverythingAtOnce(t *testing.T) {
	in := newInstance(t)
	in.create("calm", "busybox", "overlay")
	in.start("calm")
	calm := *in.info("calm").Pid
	begun := time.Now()
	end := begun.Add(timeOf(t, "SYSCT_TEST_STRESS", stressTime))
	var wg sync.WaitGroup
	var mu sync.Mutex
	done, answers := 0, map[string]int{}
	for actor := range 6 {
		random := rand.New(rand.NewPCG(uint64(actor), uint64(begun.UnixNano())))
		wg.Go(func() {
			for time.Now().Before(end) {
				a := acts()[random.IntN(len(acts()))]
				status := in.act(a, random)
				mu.Lock()
				done++
				answers[a.args[0]+" "+strconv.Itoa(status)]++
				mu.Unlock()
			}
		})
	}
	in.thawed(end, []string{"a", "b", "c", "d"}, wg.Wait)
	t.Logf("%d verbs: %v", done, answers)
	in.runs("calm", calm)
	in.endAll()
}

// thawed has the guests run on after the end, while what is waited for isn't through: an
// exec in a guest that an actor froze with its last verb would wait for ever.
func (in *instance) thawed(end time.Time, names []string, wait func()) {
	over := make(chan struct{})
	go func() {
		wait()
		close(over)
	}()
	for {
		select {
		case <-over:
			return
		case <-time.After(time.Second):
		}
		for _, name := range names {
			if time.Now().After(end) {
				in.Thaw(context.Background(), name, 0)
			}
		}
	}
}

// act does one thing and looks at how it ended.
func (in *instance) act(a act, random *rand.Rand) int {
	in.t.Helper()
	names := []string{"a", "b", "c", "d"}
	random.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })
	args := slices.Clone(a.args)
	for i, arg := range args {
		switch arg {
		case "NAME":
			args[i] = names[0]
		case "OTHER":
			args[i] = names[1]
		}
	}
	out, status := in.bounded(args...)
	taken := status == 1 && strings.Contains(out, "a guest of that name exists")
	if !slices.Contains(a.statuses, status) && !(taken && slices.Contains(a.statuses, exists)) {
		in.t.Errorf("sysct %s: status %d\n%s", strings.Join(args, " "), status, out)
	}
	return status
}

// bounded runs a verb for two minutes at most: one that takes longer hangs.
func (in *instance) bounded(args ...string) (string, int) {
	in.t.Helper()
	path, err := failing()
	if err != nil {
		in.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = in.env("")
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		in.t.Errorf("sysct %s hangs\n%s", strings.Join(args, " "), out)
	}
	return string(out), exitStatus(err)
}

// endAll destroys all guests, collects, and looks for what is left beside what the end
// of every test looks for.
func (in *instance) endAll() {
	t := in.t
	t.Helper()
	ctx := context.Background()
	names, err := in.Names()
	if err != nil {
		t.Error(err)
	}
	for _, name := range names {
		if err := in.Destroy(ctx, name, guest.DestroyOptions{Force: true}); err != nil {
			t.Errorf("destroy %s: %v", name, err)
			in.show(name)
		}
	}
	in.collected()
	if in.names() != "" || in.ids() != "" {
		t.Errorf("left are the guests %q, the ids %q", in.names(), in.ids())
	}
	if dirs, _ := filepath.Glob(in.dirs.Run + "/[a-z]*/"); len(dirs) > 0 {
		t.Errorf("left are %q", dirs)
	}
	in.noTraces()
}

// timeOf is a time that the environment sets.
func timeOf(t *testing.T, variable string, otherwise time.Duration) time.Duration {
	t.Helper()
	text := os.Getenv(variable)
	if text == "" {
		return otherwise
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(fmt.Errorf("%s: %w", variable, err))
	}
	return d
}
