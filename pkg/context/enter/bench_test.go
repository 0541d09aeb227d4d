package enter

import (
	"os/exec"
	"strconv"
	"testing"
)

// BenchmarkStart is one entry of /bin/true, from Start to its end.
func BenchmarkStart(b *testing.B) {
	g := newGuest(b)
	n := null(b)
	p := &Process{Args: []string{"/bin/true"}, Files: [3]int{n, n, n}}
	for b.Loop() {
		c, err := Start(&g.target, p)
		must(b, err)
		_, err = c.Wait()
		must(b, err)
	}
}

// BenchmarkHost is the same program started on the host, by vfork.
func BenchmarkHost(b *testing.B) {
	for b.Loop() {
		must(b, exec.Command("/bin/true").Run())
	}
}

// BenchmarkNsenter is the same entry by nsenter, without groups, filter and
// capabilities.
func BenchmarkNsenter(b *testing.B) {
	g := newGuest(b)
	for b.Loop() {
		must(b, exec.Command("/usr/bin/nsenter", "--all", "--target", strconv.Itoa(g.pid), "/bin/true").Run())
	}
}
