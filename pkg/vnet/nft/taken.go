package nft

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet"
)

// TakenError says that a port of the host is another's.
type TakenError struct {
	Publish vnet.Publish
	By      string // in words: "guest web"
}

func (e *TakenError) Error() string {
	at := "the host"
	if e.Publish.Address.IsValid() {
		at = e.Publish.Address.String()
	}
	return fmt.Sprintf("port %d/%s of %s is taken by %s", e.Publish.Port, e.Publish.Proto, at, e.By)
}

// claim is a port as somebody has it: of one family, at an address or at all of it.
type claim struct {
	proto string
	four  bool
	at    netip.Addr
	port  uint16
	by    string
}

// claims are what a published port takes.
func claims(p vnet.Publish, by string) []claim {
	var out []claim
	for _, f := range families {
		if !f.guest(Published{Publish: p}).IsValid() || p.Address.IsValid() && p.Address.Is4() != f.four {
			continue
		}
		c := claim{proto: p.Proto, four: f.four, port: p.Port, by: by}
		if p.Address.IsValid() && !p.Address.IsUnspecified() {
			c.at = p.Address
		}
		out = append(out, c)
	}
	return out
}

func (c claim) collides(o claim) bool {
	return c.proto == o.proto && c.four == o.four && c.port == o.port && (c.at == o.at || !c.at.IsValid() || !o.at.IsValid())
}

// taken is the error of the first port of a guest's that another has.
func taken(g Guest, others []claim) error {
	for _, p := range g.Published {
		for _, c := range claims(p, g.Name) {
			if i := slices.IndexFunc(others, c.collides); i >= 0 {
				return &TakenError{p, others[i].by}
			}
		}
	}
	return nil
}

// claimsOf are those of the instance's other guests.
func claimsOf(c Content, except string) []claim {
	var out []claim
	for _, p := range c.Published {
		if p.Guest != except {
			out = append(out, claims(p.Publish, "guest "+p.Guest)...)
		}
	}
	return out
}

// claimsElsewhere are what other instances' guests have, in this network namespace: the
// kernel knows them, whatever directories those instances have.
func claimsElsewhere(tag string) ([]claim, error) {
	tables, err := tablesElsewhere(tag)
	if err != nil {
		return nil, err
	}
	var out []claim
	for _, table := range tables {
		for _, f := range families {
			for _, set := range []string{"at" + f.digit, "any" + f.digit} {
				list, err := elementsOf(table, set)
				if err != nil {
					return nil, err
				}
				for _, e := range list {
					if c, ok := e.claim(f, set[:2] == "at", table); ok {
						out = append(out, c)
					}
				}
			}
		}
	}
	return out, nil
}

func tablesElsewhere(tag string) ([]string, error) {
	messages, err := dump(func() *nl.NetlinkRequest { return request(unix.NFT_MSG_GETTABLE, unix.NLM_F_DUMP) })
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the tables of nft: %w", err)
	}
	var out []string
	for _, m := range messages {
		name := text(attributes(m)[unix.NFTA_TABLE_NAME])
		if name != TableName(tag) && (name == TableName("") || strings.HasPrefix(name, TableName("x")[:6])) {
			out = append(out, name)
		}
	}
	return out, nil
}

// element is one of a map: its key, and the comment that it has.
type element struct {
	key     []byte
	comment string
}

// elementsOf reads a map. One that isn't there has none.
func elementsOf(table, set string) ([]element, error) {
	messages, err := dump(func() *nl.NetlinkRequest {
		req := request(unix.NFT_MSG_GETSETELEM, unix.NLM_F_DUMP)
		req.AddData(nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_TABLE, nl.ZeroTerminated(table)))
		req.AddData(nl.NewRtAttr(unix.NFTA_SET_ELEM_LIST_SET, nl.ZeroTerminated(set)))
		return req
	})
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read map %s of nft table %s: %w", set, table, err)
	}
	var out []element
	for _, m := range messages {
		list, err := nl.ParseRouteAttr(attributes(m)[unix.NFTA_SET_ELEM_LIST_ELEMENTS])
		if err != nil {
			return nil, fmt.Errorf("cannot read map %s of nft table %s: %w", set, table, err)
		}
		for _, item := range list {
			a := nested(item.Value)
			out = append(out, element{nested(a[unix.NFTA_SET_ELEM_KEY])[unix.NFTA_DATA_VALUE], comment(a[unix.NFTA_SET_ELEM_USERDATA])})
		}
	}
	return out, nil
}

// comment is that of an element. nft keeps it among user data: type, length, text.
func comment(data []byte) string {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		if data[0] == 0 {
			return text(data[2 : 2+int(data[1])])
		}
		data = data[2+int(data[1]):]
	}
	return ""
}

// claim reads a key, whose parts fill registers of four bytes: address, protocol, port.
func (e element) claim(f family, withAddress bool, table string) (claim, bool) {
	c := claim{four: f.four, by: "a guest of another instance"}
	if madeOf(e.comment, 64, nameChars) {
		c.by = "guest " + e.comment + " of another instance"
	}
	if _, tag, ok := strings.Cut(table, "_"); ok {
		c.by += " (" + tag + ")"
	}
	key, long := e.key, 16
	if f.four {
		long = 4
	}
	if withAddress && len(key) >= long {
		c.at, _ = netip.AddrFromSlice(key[:long])
		key = key[long:]
	}
	if len(key) != 8 {
		return c, false
	}
	c.proto = map[byte]string{unix.IPPROTO_TCP: "tcp", unix.IPPROTO_UDP: "udp"}[key[0]]
	c.port = binary.BigEndian.Uint16(key[4:])
	return c, true
}
