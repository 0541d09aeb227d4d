package images

// CanBuild says why no image can be built from the template with its default
// arguments on this host, for what is known before a build: nil if nothing is in its
// way. Whether a mirror answers isn't asked.
func (s *Store) CanBuild(t *Template) error {
	r, err := t.Recipe(nil)
	if err != nil || t.Method != "debootstrap" {
		return err
	}
	b := &build{store: s, recipe: r}
	if _, _, err := b.findTool("mmdebstrap", "debootstrap"); err != nil {
		return err
	}
	return needsKeyring(r)
}
