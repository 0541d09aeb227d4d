package guest

import (
	"context"
	"fmt"

	"github.com/sysct/sysct/pkg/images/store"
)

// DiskUse is how much a guest has on disk. In JSON what is unknown is null.
type DiskUse struct {
	Name    string `json:"name"`
	Backend string `json:"backend"`
	// Used and Files are the guest's own: of an overlay what it has changed, elsewhere its
	// whole tree, blocks that it shares with others included.
	Used      *int64  `json:"used"`
	Files     *int64  `json:"files"`
	Image     *int64  `json:"image"`     // the image under an overlay, which others may share
	Partial   bool    `json:"partial"`   // some of it couldn't be looked at
	Size      *int64  `json:"size"`      // of the file system that it is on
	Available *int64  `json:"available"` // there
	Error     *string `json:"error"`     // why it couldn't be measured
}

// DiskUse measures guests, all if none is named, one after the other: each costs a system
// call for each of its files. One that can't be measured has Error set. ErrNoGuest if one
// that is named isn't there.
func (m *Manager) DiskUse(ctx context.Context, names ...string) ([]DiskUse, error) {
	for _, name := range names {
		if err := m.check(name); err != nil {
			return nil, fmt.Errorf("%s: %w", printable(name), err)
		}
	}
	if len(names) == 0 {
		all, err := m.Names()
		if err != nil {
			return nil, err
		}
		names = all
	}
	list := make([]DiskUse, 0, len(names))
	for _, name := range names {
		use, err := m.diskUse(ctx, name)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			text := oneLine(err)
			use.Error = &text
		}
		list = append(list, use)
	}
	return list, nil
}

func (m *Manager) diskUse(ctx context.Context, name string) (DiskUse, error) {
	use := DiskUse{Name: name}
	id, err := m.identity(name)
	if err != nil {
		return use, err
	}
	use.Backend = id.Backend
	if id.Backend == store.Overlay {
		if image, err := m.images.Open(ctx, id.Image); err == nil {
			use.Image = &image.Size
			image.Close()
		}
	}
	measure, err := store.MeasureGuest(ctx, m.layout(m.dir(name), id.Backend))
	if err != nil {
		return use, err
	}
	use.Used, use.Files, use.Partial = &measure.Bytes, &measure.Files, measure.Partial
	use.Size, use.Available = &measure.Size, &measure.Available
	return use, nil
}
