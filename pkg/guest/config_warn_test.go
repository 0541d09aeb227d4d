package guest

import (
	"strings"
	"testing"

	"github.com/sysct/sysct/pkg/guest/spec"
)

func TestMemoryAboveTheHosts(t *testing.T) {
	with := func(n spec.Bytes) *spec.Guest {
		g := spec.Default()
		if n > 0 {
			g.Limits.Memory = &n
		}
		return g
	}
	const total = 24 << 30
	for name, when := range map[string]struct {
		before, after spec.Bytes
		want          string
	}{
		"none":         {0, 0, ""},
		"less":         {0, 24 * spec.GiB, ""},
		"more":         {spec.GiB, spec.TiB, "limits.memory: 1T is more than the host has, 24.0G"},
		"as it was":    {spec.TiB, spec.TiB, ""},
		"taken away":   {spec.TiB, 0, ""},
		"still larger": {spec.TiB, 2 * spec.TiB, "limits.memory: 2T is more than the host has, 24.0G"},
	} {
		if got := strings.Join(memoryWarnings(with(when.before), with(when.after), total), "\n"); got != when.want {
			t.Errorf("%s: %q, want %q", name, got, when.want)
		}
	}
}

func TestCredentialThatIsMissing(t *testing.T) {
	with := func(path string) *spec.Guest {
		g := spec.Default()
		g.Credentials = map[string]spec.Credential{"db": {File: path}}
		return g
	}
	got := credentialWarnings(spec.Default(), with("/nowhere/x"))
	want := "credentials.db: cannot open /nowhere/x: no such file or directory: the guest can't be started until it can be read"
	if len(got) != 1 || got[0] != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got := credentialWarnings(with("/nowhere/x"), with("/nowhere/x")); len(got) > 0 {
		t.Errorf("of what isn't new: %q", got)
	}
	if got := credentialWarnings(spec.Default(), with("/proc/version")); len(got) > 0 {
		t.Errorf("of a file that is there: %q", got)
	}
}
