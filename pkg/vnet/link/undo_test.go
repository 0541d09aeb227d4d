package link

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sysct/sysct/internal/nettest"
	"github.com/sysct/sysct/pkg/vnet"
)

// TestUndo breaks a change off after each of its steps.
func TestUndo(t *testing.T) {
	nettest.Host(t, func(t *testing.T) {
		host := nettest.Here(t)
		host.IP(t, "link add br0 type bridge", "link set br0 up", "addr add 10.9.0.1/24 dev br0", "link add up0 type veth peer name up1",
			"link set up0 up", "link set up1 up", "link add spare0 type veth peer name spare1", "link add spare2 type veth peer name spare3")
		was, pid := web(), space(t)
		guest := nettest.Of(t, pid)
		must(t, "make", session(t, was, pid).Make())
		look := func() string {
			return sorted(withoutIndex(host.Run(t, "ip", "-o", "link"))) + sorted(withoutIndex(guest.Run(t, "ip", "-o", "link"))) +
				addresses(guest.Run(t, "ip", "-o", "addr")) + sorted(guest.Run(t, "ip", "route")) + host.Run(t, "ip", "neigh", "show", "proxy") + limits(host.Run(t, "tc", "qdisc", "show"))
		}
		before := look()
		done := 0
		for steps := 0; done == steps; steps++ {
			done = session(t, tried(), pid).begin(t, was, steps)
			must(t, "undo", session(t, was, pid).Undo(tried(), was))
			if after := look(); after != before {
				t.Fatalf("after %d steps of a change it was\n%s\nand is\n%s", steps, before, after)
			}
		}
		// A device that was given and not yet named.
		host.Run(t, "ip", "link", "set", "spare2", "down", "alias", "sysct 0123abcd guest web card1 was spare2")
		host.Run(t, "ip", "link", "set", "spare2", "netns", strconv.Itoa(pid))
		must(t, "undo", session(t, was, pid).Undo(tried(), was))
		if after := look(); after != before {
			t.Errorf("after a half moved device it was\n%s\nand is\n%s", before, after)
		}
		guest.Run(t, "busybox", "ping", "-c", "1", "-W", "5", "10.9.0.1")
	})
}

// sorted are a text's words.
func sorted(text string) string {
	words := strings.Fields(text)
	slices.Sort(words)
	return strings.Join(words, " ") + "\n"
}

// addresses are those of ip -o addr, each with its interface, in an order of their own.
func addresses(text string) string {
	var all []string
	for line := range strings.Lines(text) {
		// A link-local one comes when the kernel has looked for others that have it.
		if f := strings.Fields(line); len(f) > 3 && !strings.HasPrefix(f[3], "fe80:") {
			all = append(all, f[1]+" "+f[3])
		}
	}
	slices.Sort(all)
	return strings.Join(all, "\n") + "\n"
}

// limits are the queues that bound interfaces, without numbers of links.
func limits(text string) string {
	var all []string
	for line := range strings.Lines(text) {
		if strings.Contains(line, "tbf") {
			all = append(all, line)
		}
	}
	slices.Sort(all)
	return strings.Join(all, "")
}

// tried is another network for the guest: an interface is changed, one becomes of another
// type, two go and two come.
func tried() *vnet.Setup {
	s := web()
	eth0 := &s.Interfaces[0]
	eth0.MTU, eth0.Ingress, eth0.Egress, eth0.Addresses = 1300, 0, 0, []netip.Prefix{netip.MustParsePrefix("10.9.0.3/24")}
	mac0 := *eth0
	mac0.Name, mac0.MAC, mac0.Host, mac0.Egress = "mac0", "02:00:00:00:00:05", vnet.HostName(s.Tag, s.Guest, "mac0"), 1e7
	mac0.Addresses, mac0.Gateways = nil, nil
	more := mac0
	more.Name, more.MAC, more.Host = "more0", "02:00:00:00:00:06", vnet.HostName(s.Tag, s.Guest, "more0")
	card := s.Interfaces[3]
	card.Name, card.Parent = "card1", "spare2"
	s.Interfaces = []vnet.Interface{*eth0, mac0, more, card}
	return s
}

// begin does the first steps of a change, and says how many there were.
func (s *Session) begin(t *testing.T, from *vnet.Setup, most int) (done int) {
	t.Helper()
	to := s.setup
	s.become(to)
	do := func(step func(*Session, *vnet.Interface) error, i *vnet.Interface) {
		if done < most {
			done++
			must(t, "a step of "+i.Name, step(s, i))
		}
	}
	for i := range from.Interfaces {
		if now := find(to, from.Interfaces[i].Name); now == nil || !alike(&from.Interfaces[i], now) {
			do((*Session).remove, &from.Interfaces[i])
		}
	}
	for i := range to.Interfaces {
		now := &to.Interfaces[i]
		if was := find(from, now.Name); was != nil && alike(was, now) {
			do(func(s *Session, now *vnet.Interface) error { return s.adjust(was, now) }, now)
			continue
		}
		for _, st := range steps(now.Type) {
			do(st.do, now)
		}
	}
	return done
}
