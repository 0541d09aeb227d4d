package aptsource

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// The hosts of these tests are names that can't exist: .example and .test are reserved.
var debian = Query{
	Origin: "Debian", Releases: []string{"bookworm", "trixie"}, Components: []string{"main"},
	Keyring: "/usr/share/keyrings/debian-archive-keyring.gpg",
}

const cloudSources = `# written by the installer
Types: deb deb-src
URIs: http://mirror.example/debian/
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.pgp
`

const vendorSources = `Types: deb
URIs: https://vendor.example/debian
Suites: bookworm
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abcd
 -----END PGP PUBLIC KEY BLOCK-----
`

func TestParse(t *testing.T) {
	got := ParseList(`# deb http://no.example/debian bookworm main
deb-src http://no.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/x.asc] http://a.example/debian/ bookworm main contrib # why
deb	http://b.example/flat ./
debris http://no.example/ x y
deb http://c.example
`)
	want := []Entry{
		{URI: "http://a.example/debian", Suites: []string{"bookworm"}, Components: []string{"main", "contrib"}, SignedBy: "/etc/apt/keyrings/x.asc"},
		{URI: "http://b.example/flat", Suites: []string{"./"}, Components: []string{}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
	got = ParseDeb822("types: deb\nURIs: http://a.example/1/\n http://a.example/2\n# between\nSuites: x\nEnabled: no\n\n\n" + vendorSources)
	key := "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabcd\n-----END PGP PUBLIC KEY BLOCK-----\n"
	want = []Entry{{URI: "https://vendor.example/debian", Suites: []string{"bookworm"}, Components: []string{"main"}, SignedBy: key}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestChoose(t *testing.T) {
	own := Mirror{URI: "http://mirror.example/debian"}
	security := Mirror{URI: "http://security.example/debian-security"}
	list := filepath.Join(t.TempDir(), "mirrors")
	if err := os.WriteFile(list, []byte("# first wins\nhttp://mirror.example/debian/\tpriority:1\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		files          map[string]string
		main, security Mirror
	}{
		"nothing": {},
		"deb822":  {map[string]string{"sources.list.d/debian.sources": cloudSources}, own, security},
		"vendor before it": {
			map[string]string{"sources.list.d/debian.sources": cloudSources, "sources.list.d/a.sources": vendorSources}, own, security,
		},
		"vendor alone": {map[string]string{"sources.list.d/a.sources": vendorSources}, Mirror{}, Mirror{}},
		"one line": {
			map[string]string{"sources.list": "deb http://mirror.example/debian trixie main\ndeb http://security.example/debian-security trixie-security main"},
			own, security,
		},
		"own key": {
			map[string]string{"sources.list": "deb [signed-by=/k.asc] http://mirror.example/debian trixie main"},
			Mirror{URI: own.URI, SignedBy: "/k.asc"}, Mirror{},
		},
		"list of mirrors": {map[string]string{"sources.list": "deb mirror+file://" + list + " trixie main"}, own, Mirror{}},
		"other system":    {map[string]string{"sources.list": "deb http://mirror.example/ubuntu noble main"}, Mirror{}, Mirror{}},
		"cdrom":           {map[string]string{"sources.list": "deb cdrom:[Debian]/ trixie main"}, Mirror{}, Mirror{}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeAll(t, c.files)
			entries, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			if main, security := Choose(entries, debian); main != c.main || security != c.security {
				t.Errorf("got %+v and %+v, want %+v and %+v", main, security, c.main, c.security)
			}
		})
	}
}

// What the archive says of itself beats what the entry looks like.
func TestChooseByLists(t *testing.T) {
	lists := writeAll(t, map[string]string{
		"one.example_debian_dists_trixie_InRelease": "-----BEGIN PGP SIGNED MESSAGE-----\nOrigin: Somebody\n",
		"two.example_x_dists_trixie_InRelease":      "-----BEGIN PGP SIGNED MESSAGE-----\nOrigin: Debian\n",
	})
	q := debian
	q.Lists = lists
	entries := ParseList("deb http://one.example/debian trixie main\ndeb [signed-by=/k] http://two.example/x trixie main")
	if main, _ := Choose(entries, q); main.URI != "http://two.example/x" {
		t.Errorf("got %+v", main)
	}
}

func writeAll(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func FuzzParse(f *testing.F) {
	f.Add(cloudSources)
	f.Add(vendorSources)
	f.Add("deb [a=b] http://a.example x y\ndeb [")
	f.Fuzz(func(t *testing.T, text string) {
		for _, e := range append(ParseList(text), ParseDeb822(text)...) {
			if len(e.Suites) == 0 {
				t.Errorf("no suite: %+v", e)
			}
		}
	})
}
