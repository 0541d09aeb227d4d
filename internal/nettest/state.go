package nettest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// State describes the network of the namespace that the calling process is in, a line a
// fact: links, addresses, routes, rules, the bits of nftables, and all of its sysctls.
func State(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, question := range [][]string{
		{"ip", "-o", "link"}, {"ip", "-o", "addr"},
		{"ip", "-4", "route", "show", "table", "all"}, {"ip", "-6", "route", "show", "table", "all"},
		{"ip", "-4", "rule"}, {"ip", "-6", "rule"},
	} {
		for line := range strings.Lines(Run(t, question[0], question[1:]...)) {
			all = append(all, strings.Join(question, " ")+": "+steady(line))
		}
	}
	all = append(all, Tables(t)...)
	return append(all, sysctls(t)...)
}

// counting finds what goes by in what ip prints: times of addresses and routes, and the
// state of a queue.
var counting = regexp.MustCompile(`(valid_lft|preferred_lft|expires|users|used|age) -?[0-9]+(sec)?`)

func steady(line string) string {
	// Whether an address is tried still is a matter of the moment.
	return strings.TrimSpace(strings.ReplaceAll(counting.ReplaceAllString(line, "$1"), " tentative", ""))
}

// Tables are the tables that nftables has, a line each; none if there is no nft.
func Tables(t testing.TB) []string {
	t.Helper()
	if _, err := exec.LookPath("nft"); err != nil {
		return nil
	}
	var all []string
	for line := range strings.Lines(Run(t, "nft", "list", "tables")) {
		all = append(all, "nft: "+strings.TrimSpace(line))
	}
	return all
}

// sysctls are those of IP that are settings; some can only be written, some hold counts.
func sysctls(t testing.TB) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{"ipv4/*", "ipv[46]/conf/*/*", "ipv[46]/neigh/*/*", "ipv6/*", "bridge/*"} {
		paths, err := filepath.Glob("/proc/sys/net/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if strings.HasSuffix(path, "/stable_secret") || strings.HasSuffix(path, "/random") {
				continue
			}
			text, err := os.ReadFile(path)
			if err == nil {
				all = append(all, path+" = "+strings.TrimSpace(string(text)))
			}
		}
	}
	return all
}

// Difference names what one State has and the other hasn't, a line each; "": nothing.
func Difference(before, after []string) string {
	var text strings.Builder
	for _, line := range before {
		if !slices.Contains(after, line) {
			text.WriteString("- " + line + "\n")
		}
	}
	for _, line := range after {
		if !slices.Contains(before, line) {
			text.WriteString("+ " + line + "\n")
		}
	}
	return text.String()
}

// Run runs a program, which must succeed, and gives what it printed.
func Run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}
