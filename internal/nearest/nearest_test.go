package nearest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestOf(t *testing.T) {
	keys := []string{"memory", "cpu_quota", "cpuset", "pids", "start", "stop", "ls"}
	for word, want := range map[string]string{
		"memroy": "memory", "memry": "memory", "Memory": "memory", "memoryy": "memory",
		"cpuquota": "cpu_quota", "cpusets": "cpuset", "pid": "pids", "strat": "start",
		"sl": "ls", "stpo": "stop",
		"": "", "xyz": "", "network": "", "m": "",
	} {
		if got := Of(word, keys); got != want {
			t.Errorf("Of(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestTheNearerAndThenTheFirstWins(t *testing.T) {
	if got := Of("restrat", []string{"restore", "restart"}); got != "restart" {
		t.Errorf("got %q", got)
	}
	if got := Of("cart", []string{"card", "care"}); got != "card" {
		t.Errorf("got %q", got)
	}
}

func TestHugeWordsAreNotNear(t *testing.T) {
	huge := strings.Repeat("a", 1<<20)
	if got := Of(huge, []string{huge}); got != "" {
		t.Errorf("got %d bytes", len(got))
	}
	if got := Of("aaa", []string{huge}); got != "" {
		t.Errorf("got %d bytes", len(got))
	}
}

func TestDistanceIsSymmetricAndZeroOnlyForEquals(t *testing.T) {
	word := rapid.SliceOfN(rapid.RuneFrom([]rune("abc_")), 0, 8)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		d := distance(a, b)
		if d != distance(b, a) || (d == 0) != (string(a) == string(b)) || d > max(len(a), len(b)) {
			t.Fatalf("distance(%q, %q) = %d", string(a), string(b), d)
		}
	})
}
