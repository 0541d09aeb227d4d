// Command docgen writes the parts of the documentation that are made from the code:
// the diagram of the states in ARCHITECTURE.md and the commented etc/sysct.toml. It
// is run by go generate, in its own directory. internal/archtest checks that they
// are current.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

//go:generate go run .

func main() {
	if err := errors.Join(diagram("../../ARCHITECTURE.md"), hostConfig("../../etc/sysct.toml")); err != nil {
		fmt.Fprintln(os.Stderr, "docgen:", err)
		os.Exit(1)
	}
}

// The comments that the diagram stands between.
const (
	begin = "<!-- states -->\n"
	end   = "<!-- /states -->"
)

func diagram(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	before, rest, begun := strings.Cut(string(text), begin)
	_, after, ended := strings.Cut(rest, end)
	if !begun || !ended {
		return fmt.Errorf("cannot find the place of the diagram in %s", file)
	}
	return os.WriteFile(file, []byte(before+begin+"```mermaid\n"+state.Diagram()+"```\n"+end+after), 0o644)
}

func hostConfig(file string) error {
	return os.WriteFile(file, spec.RenderHost(spec.DefaultHost()), 0o644)
}
