package guest

import (
	"testing"

	"github.com/sysct/sysct/pkg/guest/monitor"
	"github.com/sysct/sysct/pkg/limits"
)

// TestWhatIsInForceIsSaidAsSetTakesIt of files that somebody has written.
func TestWhatIsInForceIsSaidAsSetTakesIt(t *testing.T) {
	memory, pids := int64(8<<20), int64(100)
	l := limits.Limits{Memory: &memory, Pids: &pids, CPUQuota: &limits.CPUQuota{Quota: 5000, Period: 100000}}
	for _, c := range []struct{ field, controller, file, has, want string }{
		{"limits.memory", "memory", "memory.max", "67108864", "64M"},
		{"limits.memory", "memory", "memory.limit_in_bytes", "9223372036854771712", ""},
		{"limits.swap", "memory", "memory.memsw.limit_in_bytes", "9437184", "1M"},
		{"limits.cpu_quota", "cpu", "cpu.max", "75000 50000", "150%"},
		{"limits.cpu_quota", "cpu", "cpu.cfs_quota_us", "1500", "1.5%"},
		{"limits.cpu_weight", "cpu", "cpu.shares", "2048", "200"},
		{"limits.pids", "pids", "pids.max", "max", ""},
		{"limits.cpus", "cpuset", "cpuset.cpus", "0-1,4", "3"},
		{"limits.cpuset", "cpuset", "cpuset.cpus", "0-1,4", "0-1,4"},
	} {
		s := limits.Strayed{Knob: limits.Knob{Field: c.field, Controller: c.controller, File: c.file}, Has: c.has}
		if got := inForce(&s, l); got != c.want {
			t.Errorf("%s with %s: %q, not %q", c.file, c.has, got, c.want)
		}
	}
}

// TestTakingBackWhatWasRaisedIsToldToo: a limit that somebody has raised, and that the guest uses
// more than, is lowered by its configuration.
func TestTakingBackWhatWasRaisedIsToldToo(t *testing.T) {
	pids := int64(5)
	l := limits.Limits{Pids: &pids}
	used := limits.Stats{Pids: &limits.Pids{Current: 9}}
	if all := limits.Lowers(withoutStrayed(l, nil), l, used); len(all) != 0 {
		t.Errorf("nothing was raised: %v", all)
	}
	raised := []limits.Strayed{{Knob: limits.Knob{Field: "limits.pids"}, Has: "max"}}
	if all := limits.Lowers(withoutStrayed(l, raised), l, used); len(all) != 1 {
		t.Errorf("it was raised: %v", all)
	}
}

// TestOldMonitorIsNoticed by what it has left as it was, and not by what nobody asked for.
func TestOldMonitorIsNoticed(t *testing.T) {
	strayed := []limits.Strayed{{Knob: limits.Knob{Field: "limits.pids"}}, {Knob: limits.Knob{Field: "limits.swap"}}}
	for want, anew := range map[string]map[string]string{
		"": {"limits.memory": "1M"}, "limits.swap": {"limits.memory": "1M", "limits.swap": ""},
	} {
		if got := stillStrayed(strayed, anew); got != want {
			t.Errorf("%v: %q, not %q", anew, got, want)
		}
	}
}

// TestOverruleLeavesWhatIsRefused and what isn't wanted.
func TestOverruleLeavesWhatIsRefused(t *testing.T) {
	strayed := []limits.Strayed{
		{Knob: limits.Knob{Field: "limits.pids", File: "pids.max"}, Has: "5"},
		{Knob: limits.Knob{Field: "limits.cpuset", Controller: "cpuset", File: "cpuset.cpus"}, Has: ""},
		{Knob: limits.Knob{Field: "limits.memory", Controller: "memory", File: "memory.max"}, Has: "max"},
	}
	a := &Applying{Keys: []KeyChange{{Key: "limits.cpuset", Effect: KeyRefused, Reason: "offline"}, {Key: "limits.memory", From: "1M", To: "2M", Effect: KeyLive}}}
	a.plan = &monitor.Plan{}
	anew := a.overrule(strayed, func(string) bool { return false }, nil)
	if len(anew) != 1 || len(a.Keys) != 2 || a.Keys[0].Reason != "offline" || a.Keys[1].From != "" {
		t.Errorf("%v, %+v", anew, a.Keys)
	}
}
