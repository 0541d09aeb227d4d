package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// TestHeldDisks: a disk whose second partition is a part of a volume group, one that is a part
// of an array as a whole, with partitions left on it, and one that nobody holds.
func TestHeldDisks(t *testing.T) {
	sys := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(sys+"/dev/block", 0o755))
	for _, d := range []struct {
		dir, numbers, holder string
		part                 bool
	}{
		{"sda", "8:0", "", false}, {"sda/sda1", "8:1", "", true}, {"sda/sda2", "8:2", "dm-0", true},
		{"sdb", "8:16", "md127", false}, {"sdb/sdb1", "8:17", "", true},
		{"sdc", "8:32", "", false}, {"sdc/sdc1", "8:33", "", true},
		{"dm-0", "253:0", "", false}, {"md127", "9:127", "", false},
	} {
		dir := filepath.Join(sys, "devices", d.dir)
		must(os.MkdirAll(dir+"/holders", 0o755))
		must(os.WriteFile(dir+"/dev", []byte(d.numbers+"\n"), 0o600))
		must(os.Symlink("../../devices/"+d.dir, sys+"/dev/block/"+d.numbers))
		if d.part {
			must(os.WriteFile(dir+"/partition", []byte("1\n"), 0o600))
		}
		if d.holder != "" {
			must(os.Symlink("../../"+d.holder, dir+"/holders/"+d.holder))
		}
	}
	list, err := heldDisks(sys)
	must(err)
	var got []string
	for _, d := range list {
		got = append(got, fmt.Sprintf("%s: %s", d.rule, d.use))
	}
	slices.Sort(got)
	if want := []string{
		"block device 8:0: dm-0 is made of a part of it",
		"block device 8:16: md127 is made of it",
		"block device 8:17: md127 is made of its disk",
		"block device 8:2: dm-0 is made of it",
	}; !slices.Equal(got, want) {
		t.Errorf("%q; want %q", got, want)
	}
	if list, err := heldDisks(t.TempDir()); err != nil || len(list) != 0 {
		t.Errorf("without block devices: %v, %v", list, err)
	}
	if _, err := heldDisks("/sys"); err != nil {
		t.Errorf("the host's own: %v", err)
	}
}
