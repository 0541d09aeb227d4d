package guest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/sysct/sysct/pkg/guest/autostart"
)

// TestDropInsAreKept: the directory has the drop-ins that are wanted, an unchanged one isn't
// written, and what others have put there stays.
func TestDropInsAreKept(t *testing.T) {
	dir := t.TempDir()
	db := autostart.Guest{Name: "db", Groups: []string{"data"}}
	web := autostart.Guest{Name: "web", Requires: []string{"db"}}
	sync := func(want bool, guests ...autostart.Guest) {
		t.Helper()
		changed, err := syncDropIns(dir, autostart.Units(guests, "/var/lib/sysct"))
		if err != nil || changed != want {
			t.Errorf("changed %v, %v", changed, err)
		}
	}
	sync(false)
	sync(true, db, web)
	sync(false, db, web)
	foreign := []string{"sysct@web.service.d/own.conf", "sysct@.service.d/50-sysct-other.conf", "ssh.service.d/50-sysct.conf"}
	for _, name := range foreign {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	sync(true, db)
	sync(true)
	for _, name := range foreign {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{"sysct@web.service.d/50-sysct.conf", "sysct@db.service.d", "sysct-group@data.target.d"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
			t.Errorf("%s is left", name)
		}
	}
}
