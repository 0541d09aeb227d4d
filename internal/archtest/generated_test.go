package archtest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sysct/sysct/internal/manual"
	"github.com/sysct/sysct/pkg/guest/spec"
	"github.com/sysct/sysct/pkg/guest/state"
)

// TestDiagramIsCurrent holds the drawing in ARCHITECTURE.md against the table.
func TestDiagramIsCurrent(t *testing.T) {
	got, err := between(architecture(t), "states")
	if err != nil {
		t.Fatal(err)
	}
	if got != "```mermaid\n"+state.Diagram()+"```\n" {
		t.Error("the diagram of the states in ARCHITECTURE.md is old: make generate")
	}
}

// TestHostConfigIsCurrent holds the file that is installed against the fields' manual.
func TestHostConfigIsCurrent(t *testing.T) {
	got, err := os.ReadFile(filepath.Join(root, "etc/sysct.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(spec.RenderHost(spec.DefaultHost())) {
		t.Error("etc/sysct.toml is old: make generate")
	}
}

// TestReferenceIsCurrent holds the reference of the configuration against the fields' manual.
func TestReferenceIsCurrent(t *testing.T) {
	got, err := os.ReadFile(filepath.Join(root, "docs/config.md"))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != manual.ConfigReference() {
		t.Error("docs/config.md is old: make generate")
	}
}
