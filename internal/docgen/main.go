// Command docgen writes the parts of the documentation that are made from the code.
// Those that are committed it writes without arguments, run by go generate in its own
// directory: the diagram of the states in ARCHITECTURE.md, docs/config.md and the
// commented etc/sysct.toml; internal/archtest checks that they are current. The manual
// pages it writes with
//
//	docgen man DIRECTORY VERSION DATE <DESCRIPTION
//
// where the description is what `sysct __describe` prints.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/internal/manual"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

//go:generate go run .

func main() {
	var err error
	switch {
	case len(os.Args) == 1:
		err = errors.Join(diagram("../../ARCHITECTURE.md"), hostConfig("../../etc/sysct.toml"), reference("../../docs/config.md"))
	case len(os.Args) == 5 && os.Args[1] == "man":
		err = man(os.Args[2], manual.Edition{Version: os.Args[3], Date: os.Args[4]})
	default:
		err = errors.New("usage: docgen, or docgen man DIRECTORY VERSION DATE")
	}
	if err != nil {
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

func reference(file string) error {
	return os.WriteFile(file, []byte(manual.ConfigReference()), 0o644)
}

// man writes all manual pages below dir, each into the directory of its section.
func man(dir string, ed manual.Edition) error {
	var program manual.Program
	if err := json.NewDecoder(os.Stdin).Decode(&program); err != nil {
		return fmt.Errorf("cannot read description: %w", err)
	}
	pages := program.Pages(ed)
	maps.Copy(pages, manual.ConfigPages(ed))
	for name, page := range pages {
		section := filepath.Join(dir, "man"+name[len(name)-1:])
		if err := os.MkdirAll(section, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(section, name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return nil
}
