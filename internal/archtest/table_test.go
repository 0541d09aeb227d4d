// Package archtest holds the code against ARCHITECTURE.md and the rules of the
// house: which package may import which, what the helper may link, and who may
// reach a path by its name. It has tests only.
package archtest

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// module is the import path of the repository's root, and root the way there.
const (
	module = "github.com/sysct/sysct"
	root   = "../.."
)

// architecture reads the document that the table stands in.
func architecture(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "ARCHITECTURE.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// between gives the text between the comments <!-- name --> and <!-- /name -->.
func between(text, name string) (string, error) {
	_, rest, begun := strings.Cut(text, "<!-- "+name+" -->\n")
	part, _, ended := strings.Cut(rest, "<!-- /"+name+" -->")
	if !begun || !ended {
		return "", fmt.Errorf("no part %q between its two comments", name)
	}
	return part, nil
}

// parseLayers reads the table: each row has a level and packages in backquotes,
// relative to the module; braces hold alternatives.
func parseLayers(text string) (map[string]int, error) {
	levels := map[string]int{}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 {
			continue
		}
		level, err := strconv.Atoi(strings.TrimSpace(cells[1]))
		if err != nil {
			continue // the table's head
		}
		for i, word := range strings.Split(cells[2], "`") {
			if i%2 == 0 {
				continue
			}
			for _, name := range expand(word) {
				if _, twice := levels[name]; twice {
					return nil, fmt.Errorf("%s is in the table twice", name)
				}
				levels[name] = level
			}
		}
	}
	return levels, nil
}

// expand gives the names of a/{b,c}.
func expand(word string) []string {
	before, rest, found := strings.Cut(word, "{")
	inside, after, _ := strings.Cut(rest, "}")
	if !found {
		return []string{word}
	}
	var names []string
	for _, part := range strings.Split(inside, ",") {
		names = append(names, before+part+after)
	}
	return names
}
