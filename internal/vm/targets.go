package main

import (
	"path"
	"strings"
)

// target is a package whose tests are run in machines.
type target struct {
	Package string // its directory
	Tags    string // for the build
	Tests   string // which: a regular expression for go test's -run; "" for all, in one machine
	Skip    string // which not
	Each    bool   // each test in a machine of its own
}

// name is what the target is called in the table, and its files.
func (t target) name() string { return strings.ReplaceAll(t.Package, "/", "-") }

// program is the name of its test program, which some tests know: what go test calls it.
func (t target) program() string { return path.Base(t.Package) + ".test" }

// cases are the tests for a systemd host.
const cases = "internal/vm/cases"

// long are the cases that take longer than all others together would: make test-vm runs them, make test doesn't.
func long() []string { return []string{"TestJourney"} }

// targets are what make test-vm runs. Of the packages' tests, which run on every host, these are the ones that meet another kernel, other
// control groups or another init than on a host without systemd, as many as a machine that is ten times slower does in its time.
func targets() []target {
	return []target{
		{Package: cases, Tags: "vm", Each: true},
		{Package: "pkg/limits/cgroupfs", Tests: "^(TestThisHost|TestDelegated)$"},
		{Package: "pkg/limits/detect"},
		{Package: "pkg/limits/devices"},
		{Package: "pkg/context/enter", Skip: "TenThousand|Overwritten|Stolen"},
		{Package: "pkg/doctor"},
		{Package: "pkg/guest/fdstore"},
		{Package: "pkg/views/fuse"},
		{Package: "pkg/vnet/networks", Tests: "^(TestNetworkOnAHost|TestDHCP)$"},
		{Package: "pkg/vnet/guard", Tests: "^(TestSamples|TestHostileGuest|TestLegalGuest|TestPort)$"},
		{Package: "pkg/vnet/shape", Tests: "^TestGuardComesFirst$"},
		{Package: "pkg/guest", Tests: "^(TestBusyboxFromCreateToDestroy|TestGuestReboots|TestKillAndRestart|TestLimitsOfTheConfiguration|" +
			"TestTwentyKillsOfTheMonitor|TestHolderDiesAlone|TestBothKilled|TestDevices|TestNestingIsTurnedOnLater|TestViewsAgree)$"},
	}
}
