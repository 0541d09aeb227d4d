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

func makePipe(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	must(t, err)
	t.Cleanup(func() { r.Close(); w.Close() })
	return r, w
}

func null(t testing.TB) int {
	t.Helper()
	f, err := os.OpenFile("/dev/null", os.O_RDWR, 0)
	must(t, err)
	t.Cleanup(func() { f.Close() })
	return int(f.Fd())
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// field returns a line's value from /proc/PID/status.
func field(status, name string) string {
	for line := range strings.Lines(status) {
		if v, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	return "no such line"
}
