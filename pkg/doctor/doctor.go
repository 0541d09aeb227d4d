// Package doctor judges whether a host can run guests well. It is a table of small
// checks over [Host], which is all that they may ask: tests give one with made
// answers, [Look] the real one.
//
//	Look: files, trials of the kernel ──▶ Host ──▶ checks ──▶ findings
//
// What the kernel can do is tried in throw-away namespaces, processes and groups,
// never read off a version. Nothing on the host is changed. It knows no guests but
// their number; each guest is checked by package guest.
package doctor

import (
	"fmt"
	"slices"
)

// Severity says how bad a finding is.
type Severity string

// The severities. Only a problem keeps guests from running, or from running well.
const (
	OK      Severity = "ok"
	Note    Severity = "note"    // good to know, nothing to do
	Warning Severity = "warning" // it will hurt, or hurts some guests
	Problem Severity = "problem"
)

// Severities returns all of them, the worst first.
func Severities() []Severity { return []Severity{Problem, Warning, Note, OK} }

// Finding is what one check found.
type Finding struct {
	Guest    string   `json:"guest"` // "": the host
	Check    string   `json:"check"` // its name in the table
	Severity Severity `json:"severity"`
	Found    string   `json:"found"`
	Why      string   `json:"why"`  // why it matters; "" if all is well
	Mend     string   `json:"mend"` // the command that mends it; "": there is none
}

// Check is a line of the table.
type Check struct {
	Name string
	Run  func(*Host) []Finding
}

// Checks is the table of the host's checks, in the order in which they are told.
func Checks() []Check {
	return []Check{
		{"namespaces", namespaces},
		{"namespace limits", namespaceLimits},
		{"control groups", controlGroups},
		{"kernel", kernelFeatures},
		{"capabilities", capabilities},
		{"seccomp", seccomp},
		{"security modules", securityModules},
		{"directories", directories},
		{"mount options", mountOptions},
		{"idmapped mounts", idmappedMounts},
		{"overlay", overlay},
		{"copies", copies},
		{"space", space},
		{"id ranges", idRanges},
		{"templates", templates},
		{"inotify", inotify},
		{"keys", keys},
		{"processes", processes},
		{"open files", openFiles},
		{"FUSE", fuse},
		{"network programs", networkPrograms},
		{"networks", networks},
		{"forwarding", forwarding},
		{"firewall", firewall},
		{"bridge filter", bridgeFilter},
		{"name server", nameServer},
		{"leftovers", leftovers},
		{"helpers", helpers},
	}
}

// Examine goes through the table.
func Examine(h *Host) []Finding {
	var all []Finding
	for _, c := range Checks() {
		for _, f := range c.Run(h) {
			f.Check = c.Name
			all = append(all, f)
		}
	}
	return all
}

// Worst is the worst severity among the findings, OK if there are none.
func Worst(findings []Finding) Severity {
	for _, s := range Severities() {
		if slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == s }) {
			return s
		}
	}
	return OK
}

// Fine is a finding of something that is as it should be.
func Fine(format string, args ...any) Finding {
	return Finding{Severity: OK, Found: fmt.Sprintf(format, args...)}
}

// fine is all that a check has to say if nothing is wrong.
func fine(format string, args ...any) []Finding { return []Finding{Fine(format, args...)} }

// unknown is a finding of something that can't be read.
func unknown(err error) []Finding {
	return []Finding{{Severity: Note, Found: "not known: " + err.Error(), Why: "what can't be looked at can't be judged"}}
}

// orFine gives the findings, or the good news if there are none.
func orFine(bad []Finding, format string, args ...any) []Finding {
	if len(bad) > 0 {
		return bad
	}
	return fine(format, args...)
}
