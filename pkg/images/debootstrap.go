package images

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/images/aptsource"
)

// maxKeyring bounds a keyring of the host's, in bytes.
const maxKeyring = 1 << 20

// Mirror is a place that packages come from, as one paragraph of the guest's apt sources.
type Mirror struct {
	URI        string   `json:"uri"`
	Suites     []string `json:"suites"`
	Components []string `json:"components"`
	Key        []byte   `json:"key,omitempty"` // a keyring for it, if it isn't signed by the distribution's own
}

func checkDebootstrap(t *Template) error {
	d := t.Debootstrap
	if d == nil {
		return errors.New(`method "debootstrap" needs a table [debootstrap]`)
	}
	if d.Origin == "" || d.Keyring == "" || d.Variant == "" || len(d.Components) == 0 {
		return errors.New("[debootstrap] needs origin, keyring, variant and components")
	}
	words := d.Origin + d.Variant + strings.Join(d.Components, "")
	for _, release := range d.Releases {
		words += strings.Join(release.Hooks, "")
	}
	if strings.ContainsFunc(words, isOdd) || !filepath.IsAbs(d.Keyring) {
		return errors.New("[debootstrap]: origin, variant, components and hooks are plain words, keyring is a path")
	}
	if err := checkPackages(slices.Concat(d.Include, d.IncludeHTTPS)); err != nil {
		return fmt.Errorf("[debootstrap]: %w", err)
	}
	if !slices.ContainsFunc(t.Args, func(a Arg) bool { return a.Long == "release" && a.Default != "" }) {
		return errors.New(`method "debootstrap" needs an argument "release" with a default`)
	}
	return checkInits(t)
}

func checkPackages(names []string) error {
	return Arg{Long: "include"}.check(strings.Join(names, ","))
}

// isOdd finds what isn't part of a plain word.
func isOdd(r rune) bool {
	return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-", r)
}

func completeDebootstrap(r *Recipe, h host) error {
	r.Release = r.values["release"]
	if arch := r.values["arch"]; arch != "" {
		r.Arch = arch
	}
	if _, err := r.chosenInit(); err != nil {
		return err
	}
	if err := h.canRun(r.Arch); err != nil {
		return err
	}
	if uri := r.values["mirror"]; uri != "" {
		r.Source.Mirrors = mirrorsOf(r, aptsource.Mirror{URI: strings.TrimRight(uri, "/")}, aptsource.Mirror{}, nil)
		return nil
	}
	entries, err := aptsource.Read(h.apt)
	if err != nil {
		return err
	}
	main, security := aptsource.Choose(entries, query(r.template, h))
	if main.URI == "" {
		return nil // the tool's own default
	}
	keys := map[string][]byte{}
	for _, m := range []aptsource.Mirror{main, security} {
		if keys[m.SignedBy], err = readKey(m.SignedBy); err != nil {
			return err
		}
	}
	r.Source.Mirrors = mirrorsOf(r, main, security, keys)
	return nil
}

// query looks for the releases that the template lists.
func query(t *Template, h host) aptsource.Query {
	d := t.Debootstrap
	q := aptsource.Query{Origin: d.Origin, Components: d.Components, Keyring: d.Keyring, Lists: h.aptLists}
	q.Releases = []string{"oldstable", "stable", "testing", "unstable"}
	for _, a := range t.Args {
		if a.Long == "release" {
			q.Releases = append(q.Releases, a.Values...)
		}
	}
	return q
}

// mirrorsOf lists the suites of the recipe's release with where each comes from.
func mirrorsOf(r *Recipe, main, security aptsource.Mirror, keys map[string][]byte) []Mirror {
	d, release := r.template.Debootstrap, r.release()
	suites := append([]string{r.Release}, release.More...)
	all := []Mirror{{main.URI, suites, d.Components, keys[main.SignedBy]}}
	if security.URI != "" && release.Security != "" {
		all = append(all, Mirror{security.URI, []string{release.Security}, d.Components, keys[security.SignedBy]})
	}
	return all
}

// release is what the template knows of the recipe's release, which may be nothing.
func (r *Recipe) release() Release {
	for _, release := range r.template.Debootstrap.Releases {
		if release.Name == r.Release {
			return release
		}
	}
	return Release{Name: r.Release}
}

// readKey returns the keyring that Signed-By stands for: a file's content, or the key itself.
func readKey(signedBy string) ([]byte, error) {
	if signedBy == "" {
		return nil, nil
	}
	if !filepath.IsAbs(signedBy) {
		return []byte(signedBy), nil
	}
	info, err := os.Stat(signedBy)
	if err != nil {
		return nil, fmt.Errorf("keyring of the host's mirror: %w", err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxKeyring {
		return nil, fmt.Errorf("keyring of the host's mirror: %s is no keyring", signedBy)
	}
	return os.ReadFile(signedBy)
}

// packages are those that the template and the user want.
func (r *Recipe) packages() []string {
	d := r.template.Debootstrap
	chosen, _ := r.chosenInit() // checked when the recipe was made
	all := slices.Concat(d.Include, chosen.Include, r.list("include"))
	if slices.ContainsFunc(r.Source.Mirrors, func(m Mirror) bool { return strings.HasPrefix(m.URI, "https:") }) {
		all = append(all, d.IncludeHTTPS...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// keyFile names the keyring of mirror i.
func (m Mirror) keyFile(i int) string {
	if bytes.Contains(m.Key, []byte("BEGIN PGP")) {
		return fmt.Sprintf("mirror-%d.asc", i)
	}
	return fmt.Sprintf("mirror-%d.gpg", i)
}
