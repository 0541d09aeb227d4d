package aptsource

import (
	"bufio"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// Query says which distribution is looked for.
type Query struct {
	Origin     string   // "Origin" of its release files, as "Debian"
	Releases   []string // names of its releases
	Components []string // needed ones
	Keyring    string   // path of the keyring that its packages install
	Lists      string   // directory of apt's lists, /var/lib/apt/lists; "" looks at no lists
}

// Mirror is where a distribution is fetched from. The zero Mirror is none.
type Mirror struct {
	URI      string // http or https
	SignedBy string // as in Entry; "" if it is the distribution's own keyring
}

// enough is the score below which an entry may well be somebody else's archive for the same distribution: those use its suites
// and components too, but neither its keyring nor its file.
const enough = 25

// Choose returns the mirror of the distribution's main archive and of its security archive; either may be none.
func Choose(entries []Entry, q Query) (main, security Mirror) {
	mainScore, securityScore := enough-1, enough-1
	for _, e := range entries {
		uri := httpURI(e.URI)
		if uri == "" {
			continue
		}
		mirror := Mirror{URI: uri}
		if !sameKeyring(e.SignedBy, q.Keyring) {
			mirror.SignedBy = e.SignedBy
		}
		score := q.score(e, uri)
		if score > mainScore && q.hasSuite(e, func(suite string) bool { return slices.Contains(q.Releases, suite) }) {
			main, mainScore = mirror, score
		}
		if score > securityScore && q.hasSuite(e, q.isSecurity) {
			security, securityScore = mirror, score
		}
	}
	return main, security
}

func (q Query) hasSuite(e Entry, match func(string) bool) bool {
	return slices.ContainsFunc(e.Suites, match)
}

func (q Query) isSecurity(suite string) bool {
	release, ok := strings.CutSuffix(suite, "-security")
	return ok && slices.Contains(q.Releases, release)
}

// score says how sure it is that the entry is the distribution's own archive.
func (q Query) score(e Entry, uri string) int {
	for _, c := range q.Components {
		if !slices.Contains(e.Components, c) {
			return 0
		}
	}
	score := 0
	switch origin := q.listedOrigin(uri, e.Suites); origin {
	case "":
	case q.Origin:
		score += 100
	default:
		return 0
	}
	switch {
	case sameKeyring(e.SignedBy, q.Keyring):
		score += 50
	case e.SignedBy == "":
		score += 20
	}
	own := strings.ToLower(q.Origin)
	if e.File == "sources.list" || e.File == own+".sources" {
		score += 20
	}
	if strings.HasPrefix(path.Base(uri), own) {
		score += 5
	}
	return score
}

// listedOrigin is the origin that the archive itself stated when the host last fetched its release file, or "".
func (q Query) listedOrigin(uri string, suites []string) string {
	if q.Lists == "" {
		return ""
	}
	_, place, _ := strings.Cut(uri, "://")
	for _, suite := range suites {
		name := strings.ReplaceAll(place+"/dists/"+suite+"/InRelease", "/", "_")
		if origin := fieldOf(filepath.Join(q.Lists, name), "Origin"); origin != "" {
			return origin
		}
	}
	return ""
}

// fieldOf finds a field among the first lines of a file.
func fieldOf(file, field string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for n := 0; n < 20 && lines.Scan(); n++ {
		if value, ok := strings.CutPrefix(lines.Text(), field+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// sameKeyring compares without the extension: the same keyring is installed as .gpg, .pgp or .asc, by release.
func sameKeyring(a, b string) bool {
	return a != "" && strings.TrimSuffix(a, path.Ext(a)) == strings.TrimSuffix(b, path.Ext(b))
}

// httpURI returns the URI if it is http or https. The list of mirrors that cloud images use is replaced by its first mirror.
// Others ("" here), as cdrom and file, do not exist in a guest.
func httpURI(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	switch {
	case u.Scheme == "mirror+file":
		return firstMirror(u.Path)
	case u.Scheme == "http" || u.Scheme == "https":
		return uri
	}
	return ""
}

func firstMirror(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 0 && strings.HasPrefix(fields[0], "http") {
			return strings.TrimRight(fields[0], "/")
		}
	}
	return ""
}
