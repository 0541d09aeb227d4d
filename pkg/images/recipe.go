package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"runtime"
	"slices"
	"strings"
)

// recipeFormat is part of each key: it is raised when the same recipe would give another tree, because this package changed.
const recipeFormat = 2

// Recipe is all that decides what an image has in it: a template, the arguments, and what of the host goes into it.
type Recipe struct {
	Template string
	Release  string // as the method names it; may be ""
	Arch     string // Debian's name of the architecture
	Source   Source // what comes from the host

	template *Template
	values   map[string]string // an argument's long name to its value
}

// Source is what of the host decides on an image.
type Source struct {
	Mirrors     []Mirror `json:"mirrors,omitempty"`      // none: the bootstrap tool's default
	Busybox     string   `json:"busybox,omitempty"`      // path of the binary
	BusyboxHash string   `json:"busybox_hash,omitempty"` // SHA-256 of it
}

// Recipe makes a recipe of the template and the user's arguments. It reads the host's apt sources, or its busybox. An *ArgError
// is the user's.
func (t *Template) Recipe(args []string) (*Recipe, error) { return t.recipe(args, thisHost()) }

// host is where a recipe finds what it takes from the host.
type host struct {
	arch     string
	apt      string // /etc/apt
	aptLists string // /var/lib/apt/lists
	binfmt   string // /proc/sys/fs/binfmt_misc
}

func thisHost() host {
	return host{arch: debianArch(runtime.GOARCH), apt: "/etc/apt", aptLists: "/var/lib/apt/lists", binfmt: "/proc/sys/fs/binfmt_misc"}
}

func (t *Template) recipe(args []string, h host) (*Recipe, error) {
	values, err := t.parse(args)
	if err != nil {
		return nil, err
	}
	r := &Recipe{Template: t.Name, Arch: h.arch, template: t, values: values}
	m, _ := methodOf(t.Method) // checked when the template was read
	if err := m.complete(r, h); err != nil {
		return nil, fmt.Errorf("cannot use template %q: %w", t.Name, err)
	}
	return r, nil
}

// Key names the image of the recipe: the same recipe has the same key on the same host, and another one has another. It is a
// file name, and begins with what a reader wants to know.
func (r *Recipe) Key() string {
	text, err := json.Marshal(struct {
		Format   int
		Template []byte
		Values   map[string]string // encoding/json sorts the keys
		Arch     string
		HostArch string
		Source   Source
	}{recipeFormat, r.template.text, r.values, r.Arch, runtime.GOARCH, r.Source})
	if err != nil {
		panic(err) // maps and slices of strings
	}
	sum := sha256.Sum256(text)
	words := []string{r.Template, r.Release, r.Arch, r.variant(), hex.EncodeToString(sum[:8])}
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "-")
}

// String names the recipe for messages.
func (r *Recipe) String() string {
	return strings.Join(strings.Fields(r.Template+" "+r.Release+" "+r.Arch+" "+r.variant()), " ")
}

// trees are what is done to the finished tree.
func (r *Recipe) trees() []Tree {
	all := []Tree{r.template.Tree}
	if r.template.Debootstrap != nil {
		chosen, _ := r.chosenInit() // checked when the recipe was made
		for _, name := range chosen.Parts {
			all = append(all, r.template.Debootstrap.Parts[name])
		}
		all = append(all, chosen.Tree)
	}
	return all
}

func (r *Recipe) isSet(option string) bool { return r.values[option] == "true" }

// list returns the values of a list option.
func (r *Recipe) list(option string) []string {
	if r.values[option] == "" {
		return nil
	}
	return strings.Split(r.values[option], ",")
}
