package etc

import (
	"io/fs"
	"os"
	"strings"
	"testing"
)

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := fs.ReadFile(FS, name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// The file can only raise: whatever a kernel begins with is less or the same.
func TestSysctlsLowerNothing(t *testing.T) {
	defaults := map[string]int64{ // the most that a kernel makes of it by itself
		"fs.inotify.max_user_instances": 128,
		"fs.inotify.max_user_watches":   1048576,
		"kernel.keys.maxkeys":           200,
		"kernel.keys.maxbytes":          20000,
		"kernel.pid_max":                4194304,
	}
	all := Sysctls(read(t, SysctlFile))
	if len(all) != len(defaults) {
		t.Errorf("%d parameters, want %d", len(all), len(defaults))
	}
	for _, s := range all {
		least, ok := defaults[s.Key]
		if !ok || s.Value < least {
			t.Errorf("%s = %d may be less than a kernel's own %d", s.Key, s.Value, least)
		}
		if _, err := os.Stat(s.Path()); err != nil {
			t.Errorf("this kernel doesn't know %s: %v", s.Key, err)
		}
	}
}

func TestSysctlsReadsTheForm(t *testing.T) {
	got := Sysctls("# a.b = 1\n;c.d = 2\n-e.f=3\n g.h = 4 \ni.j = word\nk.l\n\n")
	if len(got) != 2 || got[0] != (Sysctl{"e.f", 3}) || got[1] != (Sysctl{"g.h", 4}) {
		t.Errorf("got %v", got)
	}
}

// All directories of sysct are there, and nobody but root may look into them.
func TestDirectoriesAreRootsAlone(t *testing.T) {
	dirs := map[string]bool{}
	for line := range strings.Lines(read(t, "tmpfiles.d/sysct.conf")) {
		f := strings.Fields(line)
		if len(f) == 0 || strings.HasPrefix(f[0], "#") {
			continue
		}
		if len(f) != 6 || f[0] != "d" || f[2] != "0700" || f[3] != "root" || f[4] != "root" || f[5] != "-" {
			t.Errorf("%q", line)
			continue
		}
		dirs[f[1]] = true
	}
	for _, dir := range []string{"/run/sysct", "/var/lib/sysct", "/var/log/sysct", "/var/cache/sysct"} {
		if !dirs[dir] {
			t.Errorf("%s isn't there", dir)
		}
	}
}
