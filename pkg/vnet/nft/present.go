package nft

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// Present says whether an instance's table is there with its rules, by two requests to
// the kernel and no other program: after nft flush ruleset, delete table or flush table
// it isn't.
func Present(_ context.Context, tag string) (bool, error) {
	if there, err := exists(tag); err != nil || !there {
		return false, err
	}
	chains, err := chainsOf(tag)
	if err != nil {
		return false, err
	}
	for _, name := range []string{"published", "prerouting", "output", "forward"} {
		if chains[name] == 0 {
			return false, nil
		}
	}
	return true, nil
}

// fingerprint changes with the chains of a table and the numbers of their rules.
func fingerprint(tag string) (string, error) {
	chains, err := chainsOf(tag)
	if err != nil {
		return "", err
	}
	var words []string
	for name, uses := range chains {
		words = append(words, fmt.Sprintf("%s=%d", name, uses))
	}
	slices.Sort(words)
	return strings.Join(words, " "), nil
}

// exists asks for the table alone.
func exists(tag string) (bool, error) {
	req := request(unix.NFT_MSG_GETTABLE, unix.NLM_F_ACK)
	req.AddData(nl.NewRtAttr(unix.NFTA_TABLE_NAME, nl.ZeroTerminated(TableName(tag))))
	_, err := req.Execute(unix.NETLINK_NETFILTER, 0)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("cannot ask for nft table %s: %w", TableName(tag), err)
	}
	return true, nil
}

// chainsOf are the chains of a table with how many rules each has and is jumped to by.
func chainsOf(tag string) (map[string]uint32, error) {
	messages, err := dump(func() *nl.NetlinkRequest { return request(unix.NFT_MSG_GETCHAIN, unix.NLM_F_DUMP) })
	if err != nil {
		return nil, fmt.Errorf("cannot ask for the chains of nft: %w", err)
	}
	out := map[string]uint32{}
	for _, m := range messages {
		a := attributes(m)
		if text(a[unix.NFTA_CHAIN_TABLE]) != TableName(tag) {
			continue
		}
		var uses uint32
		if v := a[unix.NFTA_CHAIN_USE]; len(v) == 4 {
			uses = binary.BigEndian.Uint32(v)
		}
		out[text(a[unix.NFTA_CHAIN_NAME])] = uses
	}
	return out, nil
}

// request is one to nftables about the family inet. Source: linux/netfilter/nf_tables.h.
func request(message, flags int) *nl.NetlinkRequest {
	req := nl.NewNetlinkRequest(unix.NFNL_SUBSYS_NFTABLES<<8|message, flags)
	req.AddData(&nl.Nfgenmsg{NfgenFamily: unix.NFPROTO_INET})
	return req
}

// dump asks again while somebody changes what is listed.
func dump(ask func() *nl.NetlinkRequest) ([][]byte, error) {
	for tries := 0; ; tries++ {
		messages, err := ask().Execute(unix.NETLINK_NETFILTER, 0)
		if !errors.Is(err, nl.ErrDumpInterrupted) && !errors.Is(err, unix.EINTR) || tries == 20 {
			return messages, err
		}
	}
}

// attributes are those of a message, by number.
func attributes(message []byte) map[uint16][]byte {
	if len(message) < nl.SizeofNfgenmsg {
		return nil
	}
	return nested(message[nl.SizeofNfgenmsg:])
}

func nested(data []byte) map[uint16][]byte {
	list, err := nl.ParseRouteAttr(data)
	if err != nil {
		return nil
	}
	out := make(map[uint16][]byte, len(list))
	for _, a := range list {
		out[a.Attr.Type&^(syscall.NLA_F_NESTED|syscall.NLA_F_NET_BYTEORDER)] = a.Value
	}
	return out
}

// text is a string of the kernel's, up to its zero byte.
func text(b []byte) string {
	s, _, _ := strings.Cut(string(b), "\x00")
	return s
}
