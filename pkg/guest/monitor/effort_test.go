package monitor

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/internal/epoll"
	"github.com/sysct/sysct/pkg/limits"
	"github.com/sysct/sysct/pkg/views/fuse"
)

// quota are limits of so many hundredths of a CPU.
func quota(hundredths int64) *limits.Limits {
	return &limits.Limits{CPUQuota: &limits.CPUQuota{Quota: hundredths * 500, Period: 50000}}
}

// TestShareOfEffort: a guest's quota bounds its share, from both sides.
func TestShareOfEffort(t *testing.T) {
	for hundredths, want := range map[int64]time.Duration{400: effortMost, 41: effortMost, 40: 40, 20: 20, 6: 6, 5: effortLeast, 1: effortLeast} {
		if got := effortShare(quota(hundredths)); got != want {
			t.Errorf("with %d %% of a CPU the share is %d %%, want %d", hundredths, got, want)
		}
	}
	if got := effortShare(&limits.Limits{}); got != effortMost {
		t.Errorf("without a quota the share is %d %%", got)
	}
}

// TestEffort: in ten seconds of asking without end the process works for its share and the
// burst; of what takes less nothing waits, and other work holds nobody up for long. All of that
// from the moment on in which the guest's quota has changed.
func TestEffort(t *testing.T) {
	const step, length = 3 * time.Millisecond, 10 * time.Second
	var e effort
	mono, worked := time.Hour, time.Hour
	run := func(idle time.Duration) (work, longest time.Duration) {
		e.spend(mono, worked)
		end, before := mono+length, worked
		for mono < end {
			mono, worked = mono+step+idle, worked+step
			wait := e.spend(mono, worked)
			mono, longest = mono+wait, max(longest, wait)
		}
		return worked - before, longest
	}
	for _, hundredths := range []int64{0, 20, 1, 100} { // 0: nobody has bounded it
		share := time.Duration(effortMost)
		if hundredths > 0 {
			e.bound(quota(hundredths))
			share = effortShare(quota(hundredths))
		}
		fair := length * share / 100
		if work, longest := run(0); work > fair+effortSaved*share/100+2*step || work < fair-step || longest > 2*step*100/share {
			t.Errorf("with %d %% it works for %v in %v, and rests for up to %v", share, work, length, longest)
		}
		mono += time.Minute
		if _, longest := run(step * 100 / share); longest > 0 {
			t.Errorf("with %d %% who asks for less waits for %v", share, longest)
		}
	}
	e = effort{}
	e.spend(0, 0)
	if wait := e.spend(time.Second, time.Hour); wait != effortDebt*100/effortMost {
		t.Errorf("after other work a rest takes %v", wait)
	}
	if wait := e.spend(1<<62, time.Hour); wait != 0 || e.left != effortSaved*effortMost/100 {
		t.Errorf("after a long time there is %v left, and a wait of %v", e.left, wait)
	}
}

// TestRest: who has made the monitor work too much isn't heard until its rest is over, the rest
// of the loop is, and nothing is lost.
func TestRest(t *testing.T) {
	loop, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	var views, other [2]int
	for _, p := range []*[2]int{&views, &other} {
		if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
			t.Fatal(err)
		}
		defer unix.Close(p[0])
		defer unix.Close(p[1])
		unix.Write(p[1], []byte("x"))
	}
	m := &monitor{loop: loop, views: viewServer{dev: views[0]}}
	heard, others := 0, 0
	// The first begins to count, and there is a burst.
	hear := func() { heard++; m.restViews(m.effort.spend(0, time.Duration(heard)*effortSaved*effortMost/100)) }
	if err := m.hearViews(hear); err != nil {
		t.Fatal(err)
	}
	loop.Add(other[0], unix.EPOLLIN, func(uint32) { others++ })
	for range 5 {
		if err := loop.Round(time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	if heard != 3 || others != 5 || m.views.restUntil == 0 {
		t.Fatalf("in five rounds %d requests were heard, other things %d times", heard, others)
	}
	m.hearAgain(m.views.restUntil-1, hear)
	loop.Round(0)
	if heard != 3 {
		t.Error("it is heard before its rest is over")
	}
	m.hearAgain(m.views.restUntil, hear)
	loop.Round(0)
	if heard != 4 {
		t.Error("it isn't heard when its rest is over")
	}
	m.restViews(time.Hour)
	m.dropViews()
	if m.views.restUntil != 0 {
		t.Error("a connection that has ended rests on")
	}
}

// TestAnswersAreCounted: a monitor that has worked too much rests after effortRounds rounds of
// answers, and not before.
func TestAnswersAreCounted(t *testing.T) {
	loop, err := epoll.New()
	if err != nil {
		t.Fatal(err)
	}
	defer loop.Close()
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(p[0])
	defer unix.Close(p[1])
	m := &monitor{loop: loop, views: viewServer{dev: p[0]}}
	if m.views.server, err = fuse.New(p[0], make([]byte, fuse.SlotSize), &fuse.Table{}, func() fuse.Now { return fuse.Now{} }); err != nil {
		t.Fatal(err)
	}
	m.effort = effort{known: true, left: -effortDebt, at: now().Mono}
	if err := m.hearViews(m.answerViews); err != nil {
		t.Fatal(err)
	}
	unix.Write(p[1], []byte("x"))
	rounds := 0
	for ; m.views.restUntil == 0 && rounds < 100; rounds++ {
		m.answerViews()
	}
	if rounds != effortRounds {
		t.Errorf("it rests after %d rounds", rounds)
	}
}

// TestChangedQuotaBoundsTheEffort: a change of a guest's limits counts at once.
func TestChangedQuotaBoundsTheEffort(t *testing.T) {
	fd, err := unix.MemfdCreate("plan", unix.MFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	m := &monitor{plan: &Plan{}, views: viewServer{dev: -1}}
	m.commit(m.plan.with(&Change{Limits: quota(20)}), fd)
	unix.Close(fd)
	if m.effort.share != 20 {
		t.Errorf("the share is %d %%", m.effort.share)
	}
}
