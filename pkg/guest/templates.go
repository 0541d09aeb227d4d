package guest

import "github.com/sysct/sysct/pkg/images"

// Templates lists the templates that a guest can be made from, sorted by name.
func (m *Manager) Templates() ([]images.Template, error) {
	return images.Templates(m.opt.TemplateDirs)
}
