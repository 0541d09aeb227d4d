package guest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/sysct/sysct/internal/flock"
	"github.com/sysct/sysct/internal/idledger"
	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/pkg/images/store"
)

// ImageInfo is a built image of the cache.
type ImageInfo struct {
	Name      string            `json:"name"` // as Info's Image
	Template  string            `json:"template"`
	Release   string            `json:"release"`
	Arch      string            `json:"arch"`
	Args      map[string]string `json:"args"` // the template's arguments
	CreatedAt time.Time         `json:"created_at"`
	Size      int64             `json:"size"` // bytes
	// Guests are those that lie on it: their names, or the directories of those of other
	// instances. Guests that were copied from it don't need it any more.
	Guests []string `json:"guests"`
}

// Images lists the built images, sorted by name.
func (m *Manager) Images(context.Context) ([]ImageInfo, error) {
	all, err := m.images.List()
	if err != nil {
		return nil, err
	}
	use, err := m.imageUse()
	if err != nil {
		return nil, err
	}
	list := make([]ImageInfo, len(all))
	for i, image := range all {
		list[i] = ImageInfo{Name: image.Key, Template: image.Template, Release: image.Release, Arch: image.Arch, Args: image.Args,
			CreatedAt: image.CreatedAt, Size: image.Size, Guests: append([]string{}, use.by[image.Key]...)}
	}
	slices.SortFunc(list, func(a, b ImageInfo) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// RemoveImage removes a built image. ErrLocked if guests lie on it, of any instance, or
// it is being used, or, unless force is given, if some guests can't be asked; ErrConfig
// if there is none.
func (m *Manager) RemoveImage(_ context.Context, name string, force bool) error {
	var refusal error
	err := m.images.Remove(name, func(key string) bool {
		refusal = m.imageNeeded(key, force)
		return refusal != nil
	})
	switch {
	case refusal != nil:
		return refusal
	case errors.Is(err, flock.ErrHeld):
		return as(ErrLocked, err)
	case errors.Is(err, fs.ErrNotExist):
		return m.noImage(name)
	}
	return err
}

// imageNeeded says who needs an image; nil: nobody.
func (m *Manager) imageNeeded(key string, force bool) error {
	use, err := m.imageUse()
	switch {
	case err != nil:
		return err
	case len(use.by[key]) > 0:
		return as(ErrLocked, fmt.Errorf("it is used by %s", strings.Join(use.by[key], ", ")))
	case force:
		return nil
	}
	return use.doubt()
}

// noImage is ErrConfig with the nearest name that exists.
func (m *Manager) noImage(name string) error {
	var names []string
	all, _ := m.images.List()
	for _, image := range all {
		names = append(names, image.Key)
	}
	text := "no such image"
	if near := nearest.Of(name, names); near != "" {
		text += "\nhint: did you mean " + near + "?"
	}
	return as(ErrConfig, errors.New(text))
}

// PruneImages removes the images that no guest lies on, and what is left of killed
// builds, and gives their names; with dry those that it would remove. Images that are
// being used are left. ErrLocked as for RemoveImage.
func (m *Manager) PruneImages(_ context.Context, dry, force bool) ([]string, error) {
	use, err := m.imageUse()
	if err == nil && !force {
		err = use.doubt()
	}
	if err != nil {
		return nil, err
	}
	return m.images.GC(func(key string) bool { return m.imageNeeded(key, force) != nil }, dry)
}

// imageUse is what is known of who needs images.
type imageUse struct {
	by     map[string][]string // guests on an image
	unseen []string            // directories of guests that couldn't be asked
}

// doubt is an error if some guest couldn't be asked.
func (u *imageUse) doubt() error {
	if len(u.unseen) == 0 {
		return nil
	}
	more := ""
	if n := len(u.unseen) - 1; n > 0 {
		more = fmt.Sprintf(" (and %d more)", n)
	}
	return as(ErrLocked, fmt.Errorf("cannot tell which images are used: the guest %s can't be read%s\nhint: is its file system mounted? --force if it is gone for good",
		printable(u.unseen[0]), more))
}

// imageUse asks all guests. The cache is one for all instances, so the state directories
// are looked at that the host's ledger of ids knows.
func (m *Manager) imageUse() (*imageUse, error) {
	use := &imageUse{by: map[string][]string{}}
	before, _, err := m.ledger.Count()
	if err != nil {
		return nil, err
	}
	dirs := []string{m.dirs.State}
	for _, e := range before {
		dirs = append(dirs, filepath.Dir(e.Guest))
		if !e.Seen() {
			use.unseen = append(use.unseen, e.Guest)
		}
	}
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		m.askImages(use, dir)
	}
	if len(use.unseen) == 0 {
		return use, nil
	}
	now, _, err := m.ledger.Count() // without those that were destroyed meanwhile
	use.unseen = slices.DeleteFunc(use.unseen, func(dir string) bool {
		was := slices.ContainsFunc(before, func(e idledger.Entry) bool { return e.Guest == dir })
		return was && !slices.ContainsFunc(now, func(e idledger.Entry) bool { return e.Guest == dir })
	})
	return use, err
}

// askImages asks the guests of one state directory, also those under construction.
func (m *Manager) askImages(use *imageUse, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		use.unseen = append(use.unseen, dir)
	}
	for _, e := range entries {
		name, making := strings.CutPrefix(e.Name(), ".new-")
		if !e.IsDir() || strings.HasPrefix(name, ".") && !making {
			continue
		}
		id, err := identityIn(filepath.Join(dir, e.Name()))
		switch {
		case errors.Is(err, fs.ErrNotExist): // no guest, or one that has its image locked
		case err != nil:
			use.unseen = append(use.unseen, filepath.Join(dir, e.Name()))
		case id.Backend == store.Overlay && dir == m.dirs.State:
			use.by[id.Image] = append(use.by[id.Image], name)
		case id.Backend == store.Overlay:
			use.by[id.Image] = append(use.by[id.Image], filepath.Join(dir, name))
		}
	}
}
