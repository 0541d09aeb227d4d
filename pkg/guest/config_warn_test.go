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

func TestQuotaAndSwapThatTheHostLacks(t *testing.T) {
	with := func(quota string, swap spec.Space) *spec.Guest {
		g := spec.Default()
		if q, err := spec.ParseCPUQuota(quota); err == nil {
			g.Limits.CPUQuota = &q
		}
		g.Limits.Swap = &swap
		return g
	}
	none := spec.Default()
	for _, when := range []struct {
		before *spec.Guest
		quota  string
		want   string
	}{
		{none, "150%", ""},
		{none, "2", ""},
		{none, "150", "limits.cpu_quota: 15000% is 150 CPUs, and the host has 2: one and a half are 150% or 1.5"},
		{none, "250%", "limits.cpu_quota: 250% is 2.5 CPUs, and the host has 2: one and a half are 150% or 1.5"},
		{with("150", 0), "150", ""},
	} {
		if got := strings.Join(quotaWarnings(when.before, with(when.quota, 0), 2), "\n"); got != when.want {
			t.Errorf("%s: %q, want %q", when.quota, got, when.want)
		}
	}
	const want = "limits.swap: 1M, but the host has no swap space"
	if got := swapWarnings(none, with("", spec.Space(spec.MiB)), 0); strings.Join(got, "\n") != want {
		t.Errorf("swap: %q, want %q", got, want)
	}
	for _, g := range [][]string{swapWarnings(none, with("", 0), 0), swapWarnings(none, with("", 1), 1), swapWarnings(with("", 1), with("", 1), 0)} {
		if len(g) > 0 {
			t.Errorf("of swap that can be: %q", g)
		}
	}
}

func TestWeightThatNoDiskHeeds(t *testing.T) {
	with := func(weight int64) *spec.Guest {
		g := spec.Default()
		g.Limits.IO.Weight = &weight
		return g
	}
	none := spec.Default()
	const want = "limits.io.weight: 200, but no disk of the host is shared by weights: it takes the scheduler bfq"
	for name, when := range map[string]struct {
		before, after *spec.Guest
		heeded        bool
		want          string
	}{
		"unheeded":    {none, with(200), false, want},
		"changed":     {with(50), with(200), false, want},
		"heeded":      {none, with(200), true, ""},
		"none":        {none, none, false, ""},
		"the default": {none, with(100), false, ""},
		"as it was":   {with(200), with(200), false, ""},
		"taken away":  {with(200), none, false, ""},
	} {
		heeded := func() (bool, string) { return when.heeded, "the scheduler bfq" }
		if got := strings.Join(weightWarnings(when.before, when.after, heeded), "\n"); got != when.want {
			t.Errorf("%s: %q, want %q", name, got, when.want)
		}
	}
}

func TestSysinfoGoesWithMeminfo(t *testing.T) {
	v := spec.Default().Views
	if !sysinfoOf(&v) {
		t.Error("by default the kernel answers sysinfo(2)")
	}
	v.Meminfo = false
	if sysinfoOf(&v) {
		t.Error("sysinfo(2) has the guest's memory, and /proc/meminfo the host's")
	}
}
