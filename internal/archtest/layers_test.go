package archtest

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// pkg is what `go list -json` says of a package.
type pkg struct {
	ImportPath string
	GoFiles    []string
	Imports    []string
}

// goList lists packages of the module as the build sees them.
func goList(t *testing.T, args ...string) []pkg {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-e", "-json=ImportPath,GoFiles,Imports"}, args...)...)
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %v\n%s", err, exit.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// checkLayers gives every way in which the packages differ from the table: imports
// go to a lower level only, and each package is in the table as each row has its package.
func checkLayers(levels map[string]int, all []pkg) []string {
	var wrong []string
	seen := map[string]bool{}
	for _, p := range all {
		name, _ := strings.CutPrefix(p.ImportPath, module+"/")
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		seen[name] = true
		level, ok := levels[name]
		if !ok {
			wrong = append(wrong, name+" is not in the table")
			continue
		}
		for _, path := range p.Imports {
			below, ours := strings.CutPrefix(path, module+"/")
			if at, ok := levels[below]; ours && ok && at >= level {
				wrong = append(wrong, fmt.Sprintf("%s (level %d) imports %s (level %d)", name, level, below, at))
			}
		}
	}
	for name := range levels {
		if !seen[name] {
			wrong = append(wrong, name+" is in the table and nowhere else")
		}
	}
	slices.Sort(wrong)
	return wrong
}

func TestImportsGoDown(t *testing.T) {
	text, err := between(architecture(t), "layers")
	if err != nil {
		t.Fatal(err)
	}
	levels, err := parseLayers(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, w := range checkLayers(levels, goList(t, "./...")) {
		t.Error(w)
	}
}

// TestTheGuardGuards gives the check what it has to complain about.
func TestTheGuardGuards(t *testing.T) {
	table := "| level | packages | for |\n|---|---|---|\n| 2 | `cmd/x` | a |\n| 1 | `pkg/{a,b}`, `pkg/gone` | b |\n| 0 | `internal/c` | c |\n"
	levels, err := parseLayers(table)
	if err != nil {
		t.Fatal(err)
	}
	used := func(name string, imports ...string) pkg {
		p := pkg{ImportPath: module + "/" + name, GoFiles: []string{"a.go"}}
		for _, i := range imports {
			p.Imports = append(p.Imports, module+"/"+i)
		}
		p.Imports = append(p.Imports, "os")
		return p
	}
	got := checkLayers(levels, []pkg{
		used("cmd/x", "pkg/a", "internal/c"),
		used("pkg/a", "pkg/b", "internal/c"),
		used("pkg/b", "cmd/x"),
		used("internal/c"),
		used("pkg/new"),
		{ImportPath: module + "/internal/onlytests"},
	})
	want := []string{
		"pkg/a (level 1) imports pkg/b (level 1)",
		"pkg/b (level 1) imports cmd/x (level 2)",
		"pkg/gone is in the table and nowhere else",
		"pkg/new is not in the table",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := parseLayers(table + "| 3 | `pkg/a` | again |\n"); err == nil {
		t.Error("a package may be in the table twice")
	}
}
