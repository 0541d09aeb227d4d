package guest_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/sysct/sysct/pkg/guest"
	"github.com/sysct/sysct/templates"
)

// TestImagesAreKeptForGuests has two instances with guests on one image.
func TestImagesAreKeptForGuests(t *testing.T) {
	ctx := context.Background()
	top := t.TempDir()
	// A template of its own makes an image that no other guest of this host has.
	text, err := templates.FS.ReadFile("busybox.toml")
	if err != nil {
		t.Fatal(err)
	}
	own := filepath.Join(top, "own.toml")
	if err := os.WriteFile(own, append(text, []byte("# "+top+"\n")...), 0o600); err != nil {
		t.Fatal(err)
	}
	open := func() (*instance, *guest.Manager) {
		in := newInstance(t)
		dirs := in.dirs
		dirs.Cache = filepath.Join(top, "cache")
		m, err := guest.Open(guest.Options{Dirs: dirs, Helper: helper, Network: "none", TemplateDirs: []string{top}})
		if err != nil {
			t.Fatal(err)
		}
		return in, m
	}
	_, first := open()
	second, other := open()
	for name, m := range map[string]*guest.Manager{"above": first, "there": other} {
		if err := m.Create(ctx, name, guest.CreateOptions{Template: "own", Backend: "overlay"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := first.Create(ctx, "copied", guest.CreateOptions{Template: "own", Backend: "dir"}); err != nil {
		t.Fatal(err)
	}
	list, err := first.Images(ctx)
	if err != nil || len(list) != 1 {
		t.Fatalf("images: %+v, %v", list, err)
	}
	image, away := list[0], filepath.Join(second.dirs.State, "there")
	slices.Sort(image.Guests)
	if want := []string{away, "above"}; !slices.Equal(image.Guests, want) || image.Template != "own" || image.Size == 0 {
		t.Errorf("image: %+v, want the guests %q", image, want)
	}
	pruned := func(force bool) []string {
		t.Helper()
		removed, err := first.PruneImages(ctx, true, force)
		if err != nil {
			t.Error(err)
		}
		return removed
	}
	refused := func(force bool) {
		t.Helper()
		if err := first.RemoveImage(ctx, image.Name, force); !errors.Is(err, guest.ErrLocked) {
			t.Errorf("remove: %v", err)
		}
	}
	refused(true)
	if err := first.Destroy(ctx, "above", guest.DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	refused(true) // the other instance's guest needs it
	if got := pruned(true); len(got) != 0 {
		t.Errorf("prune would remove %q", got)
	}
	// A guest that isn't to be seen is in doubt, and taken for gone by force alone.
	if err := os.Rename(second.dirs.State, second.dirs.State+"-away"); err != nil {
		t.Fatal(err)
	}
	refused(false)
	if _, err := first.PruneImages(ctx, false, false); !errors.Is(err, guest.ErrLocked) {
		t.Errorf("prune: %v", err)
	}
	if got := pruned(true); !slices.Equal(got, []string{image.Name}) {
		t.Errorf("prune --force would remove %q", got)
	}
	if err := os.Rename(second.dirs.State+"-away", second.dirs.State); err != nil {
		t.Fatal(err)
	}
	if err := other.Destroy(ctx, "there", guest.DestroyOptions{}); err != nil {
		t.Fatal(err)
	}
	if err := first.RemoveImage(ctx, image.Name, true); err != nil {
		t.Error(err)
	}
	if err := first.RemoveImage(ctx, image.Name, true); !errors.Is(err, guest.ErrConfig) {
		t.Errorf("a second time: %v", err)
	}
	if err := first.Start(ctx, "copied", guest.StartOptions{}); err != nil {
		t.Errorf("a guest that was copied from it: %v", err)
	}
}
