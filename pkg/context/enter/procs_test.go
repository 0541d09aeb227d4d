package enter

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// children lists this process's children with their states, zombies too.
func children(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	must(t, err)
	var out []string
	for _, e := range entries {
		data, err := os.ReadFile("/proc/" + e.Name() + "/status")
		if err == nil && field(string(data), "PPid") == fmt.Sprint(os.Getpid()) {
			out = append(out, e.Name()+" "+field(string(data), "Name")+" "+field(string(data), "State"))
		}
	}
	return out
}

// descriptors lists what this process has open.
func descriptors(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	var out []string
	for _, e := range entries {
		link, err := os.Readlink("/proc/self/fd/" + e.Name())
		if err == nil && !strings.HasSuffix(link, "/fd") {
			out = append(out, e.Name()+" "+link)
		}
	}
	return out
}
