package views

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTopology(t *testing.T) {
	masks := map[[2]int]string{
		{0, 1}: "1", {1, 2}: "2", {3, 4}: "8", {4, 5}: "10", {31, 32}: "80000000", {0, 33}: "0,00000001", {32, 33}: "1,00000000",
		{37, 40}: "20,00000000", {64, 96}: "00000001,00000000,00000000",
	}
	for at, want := range masks {
		if got := string(oneMask(nil, at[0], at[1])); got != want+"\n" {
			t.Errorf("the mask of CPU %d of %d is %q, want %q", at[0], at[1], got, want)
		}
	}
	for n, want := range map[int]string{1: "1", 3: "7", 6: "3f", 36: "f,ffffffff"} {
		if got := string(allMask(nil, 0, n)); got != want+"\n" {
			t.Errorf("the mask of all %d is %q, want %q", n, got, want)
		}
	}
	if got := string(allList(nil, 0, 12)) + string(allList(nil, 0, 1)) + string(oneList(nil, 7, 12)); got != "0-11\n0\n7\n" {
		t.Errorf("the lists are %q", got)
	}
}

// TestTopologyHasTheKernelsFiles: all that this machine has, but what only some have.
func TestTopologyHasTheKernelsFiles(t *testing.T) {
	names, err := filepath.Glob("/sys/devices/system/cpu/cpu0/topology/*")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	have := map[string]bool{}
	for _, f := range CPUFiles() {
		have[filepath.Base(f.Path)] = true
		if _, err := os.Stat(filepath.Join("/sys/devices/system/cpu/cpu0", f.Path)); err != nil && filepath.Base(f.Path)[:3] != "clu" {
			t.Error(err)
		}
	}
	for _, name := range names {
		switch base := filepath.Base(name); base {
		case "ppin": // only for the host's root
		default:
			if !have[base] {
				t.Errorf("%s isn't there", base)
			}
		}
	}
}
