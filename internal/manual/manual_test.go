package manual

import (
	"os/exec"
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest/spec"
)

// format is what somebody sees of a page, without bold letters.
func format(t *testing.T, page string) string {
	t.Helper()
	cmd := exec.Command("groff", "-man", "-ww", "-Tascii", "-P-cbou")
	cmd.Stdin = strings.NewReader(page)
	var warnings strings.Builder
	cmd.Stderr = &warnings
	out, err := cmd.Output()
	if err != nil || warnings.Len() > 0 {
		t.Fatalf("%v\n%s\n%s", err, warnings.String(), page)
	}
	return string(out)
}

// Whatever a help text has in it, the page shows it as it is.
func TestTextsAreShownAsTheyAre(t *testing.T) {
	strange := `.not a request \n 'quoted' "too" ~ ^ ` + "`" + ` -x --yes \fBbold *`
	p := &Program{Name: "sysct", Long: "About.\n\n" + exitStatus + "  0 done", Groups: []Group{{Title: "All", Verbs: []Verb{{
		Name: "do", Use: "do [flags] NAME|-x [a.b=VALUE...]", Short: strange, Long: "What it does.\n\n" + strange + "\n\n" + exitStatus + "  0  " + strange,
		Example: "  " + strange + "\n\n  " + `'second'`, Flags: []Flag{{Name: "a-flag", Short: "a", Value: "word", Usage: "is " + strange, Default: "-1"}},
	}}}}}
	page := format(t, p.Pages(Edition{Version: "1", Date: "2026-01-02"})["sysct-do.1"])
	flat := strings.Join(strings.Fields(page), " ")
	for _, want := range []string{
		"sysct do [OPTION...] NAME|-x [a.b=VALUE...]", "What it does. " + strange + " OPTIONS", "-a, --a-flag word Is " + strange + " (default -1).",
		"STATUS 0 " + strange + " EXAMPLES " + strange + " 'second' SEE",
	} {
		if !strings.Contains(flat, want) {
			t.Errorf("%s\nis not in\n%s", want, page)
		}
	}
}

// The pages and the reference have every key, its unit, its default, and no word lost.
func TestConfigIsWhole(t *testing.T) {
	pages := ConfigPages(Edition{Version: "1", Date: "2026-01-02"})
	for name, fields := range map[string][]spec.Field{"sysct-config.5": spec.GuestFields(), "sysct.toml.5": spec.HostFields(), "sysct-network.5": spec.NetworkFields()} {
		page := strings.Join(strings.Fields(format(t, pages[name])), " ")
		reference := ConfigReference()
		for _, f := range fields {
			for _, text := range []string{f.Key[strings.LastIndex(f.Key, ".")+1:], f.Summary, f.Unit, f.Default, f.Example} {
				if !strings.Contains(page, strings.Join(strings.Fields(text), " ")) {
					t.Errorf("%s: %q of %s is missing", name, text, f.Key)
				}
			}
			if !strings.Contains(reference, "`"+spec.ShownKey(f.Key, fields)+"`") && !strings.Contains(reference, "`["+f.Key+"]`") {
				t.Errorf("the reference lacks %s", f.Key)
			}
		}
	}
}
