//go:build go1.26

package enter

import _ "unsafe" // for go:linkname

// The runtime's own hooks around a fork: the first blocks all signals and
// makes any attempt to grow the stack fatal, the second undoes both. They are
// on the runtime's list of names that others link to (go.dev/issue/67401).
// A Go release that changes them gets a file of its own beside this one, and
// this one an upper bound; the test with 10,000 entries under load decides.

//go:linkname beforeFork syscall.runtime_BeforeFork
func beforeFork()

//go:linkname afterFork syscall.runtime_AfterFork
func afterFork()
