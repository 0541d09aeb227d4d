package guest

import (
	"errors"
	"slices"
	"testing"

	"github.com/sysct/sysct/internal/atomicfile"
	"github.com/sysct/sysct/pkg/guest/autostart"
	"github.com/sysct/sysct/pkg/guest/spec"
)

// TestLinksFollow: a link is made and removed where the configuration has changed, and
// nowhere else: what an administrator does by systemctl stays.
func TestLinksFollow(t *testing.T) {
	all := []autostart.Guest{
		{Name: "new", Enabled: true}, {Name: "old", Enabled: true}, {Name: "off"}, {Name: "never"},
		{Name: "broken", Err: errors.New("x")}, {Name: "unreadable", Err: errors.New("x")},
	}
	p := newMirror(all, []string{"old", "off", "gone", "unreadable"})
	if !slices.Equal(p.enable, []string{"new"}) || !slices.Equal(p.disable, []string{"off", "gone"}) {
		t.Errorf("%+v", p)
	}
}

// TestEnabledNow: the link has the word, but for a configuration that it wasn't made for yet.
func TestEnabledNow(t *testing.T) {
	noted := []string{"web"}
	for _, c := range []struct {
		name                   string
		configured, link, want bool
	}{
		{"web", true, true, true},
		{"web", true, false, false}, // systemctl disable
		{"db", false, true, true},   // systemctl enable
		{"db", true, false, true},   // an edited file
		{"db", false, false, false},
	} {
		if got := enabledNow(c.name, c.configured, c.link, noted); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
}

// TestMirrorFile: what was noted is read again, nothing at first, and a damaged file is said.
func TestMirrorFile(t *testing.T) {
	m := &Manager{dirs: spec.Dirs{State: t.TempDir()}}
	if noted, err := m.readMirror(); err != nil || noted != nil {
		t.Errorf("%q, %v", noted, err)
	}
	if err := m.writeMirror([]string{"web", "db"}); err != nil {
		t.Fatal(err)
	}
	if noted, err := m.readMirror(); err != nil || !slices.Equal(noted, []string{"db", "web"}) {
		t.Errorf("%q, %v", noted, err)
	}
	if err := atomicfile.WritePath(m.dirs.State+"/"+mirrorFile, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.readMirror(); err == nil {
		t.Error("a damaged file is read")
	}
}
