package views

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func text2(n uint64) string { return strconv.FormatUint(n, 10) }

func meminfoValue(t *rapid.T, text, name string) uint64 {
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseUint(strings.Fields(value)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no %s in\n%s", name, text)
	return 0
}

// TestTimesNeverGoBack, and are together the time that has gone by, whatever the
// counters do.
func TestTimesNeverGoBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var k TimeKeeper
		var last Times
		var at time.Duration
		span := rapid.Int64Range(0, int64(10*time.Second))
		d := func(name string) time.Duration { return time.Duration(span.Draw(t, name)) }
		for range 10 {
			at += d("gone")
			cpus := [][]int{{0}, {0, 1}, {2, 5}}[rapid.IntRange(0, 2).Draw(t, "cpus")]
			use := &CPUUse{User: d("user"), System: d("system"), Nice: d("nice"), Throttled: d("throttled")}
			if rapid.Bool().Draw(t, "each") {
				use.Each = []CPUShare{{d("u"), d("s")}, {d("u"), d("s")}, {d("u"), d("s")}}
			}
			k.Advance(at, cpus, rapid.Bool().Draw(t, "pinned"), use)
			var now Times
			k.Times(&now, len(cpus))
			check(t, &last.Total, &now.Total)
			for i := range min(len(now.CPU), len(last.CPU)) {
				check(t, &last.CPU[i], &now.CPU[i])
			}
			for i, c := range k.CPU {
				if c.sum() < k.Elapsed[i] {
					t.Fatalf("CPU %d: %+v in %v", i, c, k.Elapsed[i])
				}
			}
			last = now
		}
	})
}

func check(t *rapid.T, a, b *Time) {
	if b.User < a.User || b.Nice < a.Nice || b.System < a.System || b.Idle < a.Idle || b.Steal < a.Steal {
		t.Fatalf("%+v, then %+v", a, b)
	}
}

func TestEachCPUHasItsOwnTime(t *testing.T) {
	var k TimeKeeper
	use := &CPUUse{User: 3 * time.Second, Each: []CPUShare{{User: 9 * time.Second}, {}, {User: 3 * time.Second}}}
	k.Advance(10*time.Second, []int{1, 2}, true, use)
	if k.CPU[0] != (Time{Idle: 10 * time.Second}) || k.CPU[1] != (Time{User: 3 * time.Second, Idle: 7 * time.Second}) {
		t.Errorf("%+v", k.CPU)
	}
	// With a quota the guest sees fewer CPUs than it runs on.
	k = TimeKeeper{}
	k.Advance(10*time.Second, []int{1}, false, &CPUUse{User: 4 * time.Second, Throttled: 5 * time.Second})
	if k.CPU[0] != (Time{User: 4 * time.Second, Steal: 5 * time.Second, Idle: time.Second}) {
		t.Errorf("%+v", k.CPU)
	}
}

// TestLoadIsTheKernels: the average of one minute of one task after one minute is
// 1-1/e, and it gets to what there is.
func TestLoadIsTheKernels(t *testing.T) {
	load := AdvanceLoad([3]uint64{}, LoadOf(1), 12)
	if text := string(Loadavg(nil, &Snapshot{Load: load})); !strings.HasPrefix(text, "0.63 0.18 0.06 0/0 0 ") {
		t.Errorf("%q", text)
	}
	if load = AdvanceLoad(load, LoadOf(3), 1000); load != [3]uint64{LoadOf(3), LoadOf(3), LoadOf(3)} {
		t.Errorf("%v", load)
	}
	if load = AdvanceLoad(load, 0, 5000); load != [3]uint64{} {
		t.Errorf("%v", load)
	}
}

func FuzzCPUInfo(f *testing.F) {
	f.Add([]byte("processor\t: 3\nphysical id\t: 0\nsiblings\t: 4\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		CPUInfo(nil, &Snapshot{CPUInfo: [][]byte{text, text}})
	})
}

func FuzzParseTimeOffsets(f *testing.F) {
	f.Add([]byte("monotonic -1 5\nboottime -2 999999999\n"))
	f.Fuzz(func(t *testing.T, text []byte) { ParseTimeOffsets(text) })
}
