package nft

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/sysct/sysct/pkg/vnet"
)

// Published is a port of the host that leads to a guest.
type Published struct {
	Guest string `json:"guest"`
	vnet.Publish
}

// Isolated are the addresses of a guest's interfaces that no other guest reaches.
type Isolated struct {
	Guest     string       `json:"guest"`
	Addresses []netip.Addr `json:"addresses"`
}

// Content is what an instance's table is made of.
type Content struct {
	Networks  []vnet.Network
	Published []Published
	Isolated  []Isolated
}

// empty says that no table is needed.
func (c Content) empty() bool {
	return len(c.Networks) == 0 && len(c.Published) == 0 && len(c.Isolated) == 0
}

// TableName is the name of an instance's table in the family inet.
func TableName(tag string) string {
	if tag == "" {
		return "sysct"
	}
	return "sysct_" + tag
}

// Table is the text for nft -f that replaces the instance's whole table in one
// transaction. The order of what it is given doesn't change it. What a user could
// have written and nft would read as anything but a name is an error.
func Table(tag string, c Content) (string, error) {
	if err := check(tag, c); err != nil {
		return "", err
	}
	nets := slices.Clone(c.Networks)
	slices.SortFunc(nets, func(a, b vnet.Network) int { return strings.Compare(a.Device, b.Device) })
	w := &writer{}
	name := "inet " + TableName(tag)
	// To delete a table that isn't there is an error, to add one that is there is none.
	w.line("add table %s", name)
	w.line("delete table %s", name)
	w.open("table %s", name)
	for _, s := range guestSets(c) {
		w.set(s)
	}
	w.set(set{"bridges", "ifname", quoted(devices(nets))})
	w.dstnat(nets)
	w.srcnat(nets)
	w.forward(nets)
	w.input(nets)
	w.shut()
	return w.String(), nil
}

// Refill is the text that has the table's sets be those of c in one transaction, without
// a change of its rules: the kernel is done with it sooner, as no rule has to be waited for.
func Refill(tag string, c Content) (string, error) {
	if err := check(tag, c); err != nil {
		return "", err
	}
	w := &writer{}
	for _, s := range guestSets(c) {
		w.line("flush %s inet %s %s", s.word(), TableName(tag), s.name)
		if len(s.elements) > 0 {
			w.line("add element inet %s %s { %s }", TableName(tag), s.name, strings.Join(s.elements, ", "))
		}
	}
	return w.String(), nil
}

// devices are the bridges of networks.
func devices(nets []vnet.Network) []string {
	var out []string
	for _, n := range nets {
		out = append(out, n.Device)
	}
	return out
}

func quoted(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = `"` + w + `"`
	}
	return out
}

// writer writes an nft script, block in block.
type writer struct {
	strings.Builder
	depth int
}

func (w *writer) line(format string, args ...any) {
	w.WriteString(strings.Repeat("\t", w.depth))
	fmt.Fprintf(w, format, args...)
	w.WriteByte('\n')
}

func (w *writer) open(format string, args ...any) {
	w.line(format+" {", args...)
	w.depth++
}

func (w *writer) shut() {
	w.depth--
	w.line("}")
}

// word is nft's for a set, or one whose type has two sides.
func (s set) word() string {
	if strings.Contains(s.kind, " : ") {
		return "map"
	}
	return "set"
}

func (w *writer) set(s set) {
	w.open("%s %s", s.word(), s.name)
	w.line("type %s", s.kind)
	if len(s.elements) > 0 {
		w.line("elements = {")
		for _, e := range s.elements {
			w.line("\t%s,", e)
		}
		w.line("}")
	}
	w.shut()
}
