package rlimit

import (
	"os"
	"strings"
	"testing"
)

// TestEveryLimitOfTheKernelHasAName: the kernel shows a line for each.
func TestEveryLimitOfTheKernelHasAName(t *testing.T) {
	text, err := os.ReadFile("/proc/self/limits")
	if err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(string(text), "\n") - 1; lines != len(Names()) {
		t.Errorf("%d names for %d limits", len(Names()), lines)
	}
	seen := map[int]string{}
	for _, name := range Names() {
		number, known := Number(name)
		if !known || seen[number] != "" {
			t.Errorf("%s is %d, %v, as is %s", name, number, known, seen[number])
		}
		seen[number] = name
	}
	if _, known := Number("NOFILE"); known {
		t.Error("names are in small letters")
	}
}
