// Package limitstest is the conformance suite for implementations of
// limits.Backend. It runs real processes in real groups of the host, as root,
// and says what a user would see. It is for tests only; TestMain of a test
// binary that uses it has to call Main.
package limitstest

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/sysct/sysct/pkg/limits"
)

// Host is a backend to be tested and what its host is known to have.
type Host struct {
	Backend limits.Backend
	// Controllers lists which of cpu, cpuset, io, memory and pids the backend has: v1's
	// blkio is io.
	Controllers []string
	// V2 and V1 are the mount points of the hierarchies that it makes groups in.
	V2 string
	V1 []string
}

// test is a part of the suite.
type test struct {
	name string
	run  func(*testing.T, Host)
}

// Run runs the whole suite.
func Run(t *testing.T, h Host) {
	h.run(t, []test{
		{"lifecycle", testLifecycle},
		{"an earlier life", testEarlierLife},
		{"side by side", testSideBySide},
		{"names", testNames},
		{"joining", testJoining},
		{"delegation", testDelegation},
		{"leaf", testLeaf},
		{"missing controllers", testMissing},
		{"figures", testFigures},
		{"watching", testWatching},
		{"freeze", testFreeze},
		{"freeze in vain", testFreezeInVain},
		{"frozen from above", testFrozenFromAbove},
		{"kill", testKill},
		{"listing", testListing},
		{"listing in unrest", testListingUnrest},
		{"ten thousand groups", testTenThousand},
		{"removal while busy", testRemovalWhileBusy},
	})
	RunLimits(t, h)
}

// RunLimits runs the part of it that is about limits.
func RunLimits(t *testing.T, h Host) {
	h.run(t, []test{
		{"memory", testMemory},
		{"pids", testPids},
		{"cpu", testCPU},
		{"cpuset", testCPUSet},
		{"cpus", testCPUCount},
		{"disk", testDisk},
		{"knobs", testKnobs},
		{"change undone", testChangeUndone},
		{"shrink", testShrink},
	})
}

func (h Host) run(t *testing.T, tests []test) {
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Cleanup(func() { h.nothingLeft(t) }) // after the test's own
			test.run(t, h)
		})
	}
}

// Base is the base that the suite makes its groups under: this process's own.
func Base() string { return fmt.Sprintf("sysct-test-%d", os.Getpid()) }

// owner is the host's id of the guests' root.
const owner = 1900000000

func (h Host) has(controller string) bool { return slices.Contains(h.Controllers, controller) }

// mounts lists all hierarchies.
func (h Host) mounts() []string { return append([]string{h.V2}, h.V1...) }

// guest is the path of the guest's v2 group.
func (h Host) guest(name string) string { return h.V2 + "/" + Base() + "/" + name + "/guest" }

// nothingLeft fails the test if any group is left in any hierarchy.
func (h Host) nothingLeft(t *testing.T) {
	t.Helper()
	for _, mount := range h.mounts() {
		if _, err := os.Lstat(mount + "/" + Base()); !os.IsNotExist(err) {
			t.Errorf("%s/%s is left (%v)", mount, Base(), err)
		}
	}
}

// guestOf makes a guest's groups for the length of a test.
func (h Host) guestOf(t *testing.T, name string, l limits.Limits) limits.Group {
	t.Helper()
	g, err := h.Backend.Make(Base(), name, l, owner, func(w string) { t.Errorf("warning: %s", w) })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { h.end(t, g) })
	return g
}

// end removes a guest, whatever the test has left running.
func (h Host) end(t *testing.T, g limits.Group) {
	t.Helper()
	if populated, _, err := g.Events(); err == nil && populated {
		if err := g.Kill(); err != nil {
			t.Error(err)
		}
	}
	if err := g.Remove(); err != nil {
		t.Error(err)
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
}

func ptr(n int64) *int64 { return &n }
