package main

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/manual"
)

// pages makes the manual as the generator does: from the description as JSON.
func pages(t *testing.T) map[string]string {
	t.Helper()
	data, err := json.Marshal(describe(newRoot(&app{}, nil)))
	if err != nil {
		t.Fatal(err)
	}
	var program manual.Program
	if err := json.Unmarshal(data, &program); err != nil {
		t.Fatal(err)
	}
	return program.Pages(manual.Edition{Version: "1.2.3", Date: "2026-01-02"})
}

// Every verb has a page with all of its parts, with something in each.
func TestEveryVerbHasAPage(t *testing.T) {
	all := pages(t)
	sections := []string{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"}
	for _, v := range verbs() {
		name := strings.Fields(v.names)[0]
		if v.build(&app{}).Hidden {
			continue
		}
		page, ok := all["sysct-"+name+".1"]
		if !ok {
			t.Errorf("%s has no page", name)
			continue
		}
		var found []string
		for _, part := range strings.Split(page, ".SH ")[1:] {
			title, body, _ := strings.Cut(part, "\n")
			found = append(found, title)
			plain := strings.NewReplacer(".PP", "", ".RS 4", "", ".nf", "", ".fi", "", ".RE", "").Replace(body)
			if strings.TrimSpace(plain) == "" {
				t.Errorf("%s: %s is empty", name, title)
			}
		}
		if !slices.Equal(found, sections) {
			t.Errorf("%s has %q", name, found)
		}
		if !strings.Contains(page, "sysct "+name) {
			t.Errorf("%s has no example of itself", name)
		}
	}
	if !strings.Contains(all["sysct.1"], `\fBset\fR`) || !strings.Contains(all["sysct.1"], `\-\-state\-dir`) {
		t.Error("sysct(1) lacks a verb or an option")
	}
}

// What formats the pages has nothing to complain of.
func TestPagesAreRight(t *testing.T) {
	for name, page := range pages(t) {
		cmd := exec.Command("groff", "-man", "-ww", "-z", "-Tutf8")
		cmd.Stdin = strings.NewReader(page)
		if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}
