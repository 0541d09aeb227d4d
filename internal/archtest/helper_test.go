package archtest

import (
	"slices"
	"strings"
	"testing"
)

// heavy are the packages, with all below them, that the helper must not link. It is
// started for every guest, and the initialisation of all that it links runs first.
func heavy() []string {
	return []string{
		"github.com/spf13", "github.com/BurntSushi", "github.com/godbus", "github.com/vishvananda",
		"net", "os/user", "text/template", "html/template", "log/slog", "go/ast", "testing",
		module + "/pkg/guest/spec", module + "/pkg/images/confine", module + "/pkg/images/aptsource", module + "/templates",
	}
}

// linked gives those of the packages that are on the list or below one that is.
func linked(packages []pkg, list []string) []string {
	var found []string
	for _, p := range packages {
		if slices.ContainsFunc(list, func(bad string) bool {
			return p.ImportPath == bad || strings.HasPrefix(p.ImportPath, bad+"/")
		}) {
			found = append(found, p.ImportPath)
		}
	}
	return found
}

func TestHelperIsLight(t *testing.T) {
	closure := goList(t, "-deps", "./cmd/sysct-helper")
	if len(closure) < 20 {
		t.Fatalf("go list -deps knows %d packages only", len(closure))
	}
	for _, name := range linked(closure, heavy()) {
		t.Errorf("the helper links %s", name)
	}
}

// TestTheListFindsThem: the command line does link most of them.
func TestTheListFindsThem(t *testing.T) {
	found := linked(goList(t, "-deps", "./cmd/sysct"), heavy())
	for _, want := range []string{"github.com/spf13/cobra", "github.com/BurntSushi/toml", module + "/pkg/guest/spec"} {
		if !slices.Contains(found, want) {
			t.Errorf("%s isn't found in cmd/sysct", want)
		}
	}
}
