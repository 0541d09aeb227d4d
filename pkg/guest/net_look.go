package guest

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sysct/sysct/pkg/vnet/within"
)

// netPatience is how long the kernel is waited for: guests can keep it busy with their
// networks, and figures aren't worth more.
const netPatience = 2 * time.Second

// nsGetUserns is NS_GET_USERNS of linux/nsfs.h: the user namespace that owns another one.
const nsGetUserns = 0xb701

// errNoNetwork says that a guest has no network of its own: it has the host's or another
// guest's, or has just ended.
var errNoNetwork = errors.New("it has no network of its own")

// lookAtNetworks adds to guests that run what is known of their networks. What can't be
// read stays unknown.
func (m *Manager) lookAtNetworks(ctx context.Context, list []*Info, want NetWant) {
	list = slices.DeleteFunc(list, func(i *Info) bool { return i.Pid == nil })
	if want == NetNothing || len(list) == 0 {
		return
	}
	var what within.Want
	if want&NetFigures != 0 {
		what |= within.Links
	}
	if want&NetAddresses != 0 {
		what |= within.Addresses
	}
	inits := make([]netInit, len(list)) // the reader may outlive this call
	for i, info := range list {
		inits[i] = netInit{name: info.Name, pid: *info.Pid}
		if info.IDBase != nil && info.IDSize != nil {
			inits[i].base, inits[i].size = *info.IDBase, *info.IDSize
		}
	}
	ctx, cancel := context.WithTimeout(ctx, netPatience)
	defer cancel()
	hosts, ok := ownNetwork()
	if !ok {
		return
	}
	for i, r := range within.Read(ctx, len(list), what, func(i int) (int, error) { return m.openNetwork(inits[i], hosts) }) {
		if r.Err == nil {
			list[i].network(r.Namespace, want)
		}
	}
}

func pointers[T any](list []T) []*T {
	all := make([]*T, len(list))
	for i := range list {
		all[i] = &list[i]
	}
	return all
}

// hostLinks are the indices of the host's sides of a guest's interfaces: of veths, as other
// devices have none of their own.
func (m *Manager) hostLinks(ctx context.Context, name string, pid int) (indices []int) {
	ctx, cancel := context.WithTimeout(ctx, netPatience)
	defer cancel()
	hosts, ok := ownNetwork()
	if !ok {
		return nil
	}
	list := within.Read(ctx, 1, within.Links, func(int) (int, error) { return m.openNetwork(netInit{name: name, pid: pid}, hosts) })
	if list[0].Err != nil {
		return nil
	}
	for _, is := range list[0].Namespace.Interfaces {
		if is.Kind == "veth" && is.Outer != 0 {
			indices = append(indices, is.Outer)
		}
	}
	return indices
}

// ownNetwork is the number of the network namespace that this program is in.
func ownNetwork() (uint64, bool) {
	var st unix.Stat_t
	err := unix.Stat("/proc/self/ns/net", &st)
	return st.Ino, err == nil
}

// network adds what was read.
func (info *Info) network(ns *within.Namespace, want NetWant) {
	names := map[int]string{}
	for i := range ns.Interfaces {
		names[ns.Interfaces[i].Index] = printable(ns.Interfaces[i].Name)
	}
	if want&NetFigures != 0 {
		if info.Usage == nil {
			info.Usage = &Usage{}
		}
		info.Usage.Network = newNetUsage(ns.Interfaces)
		if want&NetLinks != 0 {
			for i := range info.Usage.Network.Interfaces {
				is := &info.Usage.Network.Interfaces[i]
				is.Link = hostLink(is.outer)
			}
		}
	}
	if want&NetAddresses != 0 {
		info.Addresses = newAddresses(ns.Addresses, names)
	}
}

func newNetUsage(list []within.Interface) *NetUsage {
	u := &NetUsage{Interfaces: []InterfaceUsage{}}
	for i := range list {
		is := &list[i]
		if !is.Given() {
			continue
		}
		c := NetCount{
			count64(is.Receive.Bytes), count64(is.Receive.Packets), count64(is.Receive.Errors), count64(is.Receive.Drops),
			count64(is.Transmit.Bytes), count64(is.Transmit.Packets), count64(is.Transmit.Errors), count64(is.Transmit.Drops),
		}
		u.add(&c)
		u.Interfaces = append(u.Interfaces, InterfaceUsage{Name: printable(is.Name), MAC: is.MAC, MTU: is.MTU, Up: is.Up, NetCount: c, outer: is.Outer})
	}
	slices.SortFunc(u.Interfaces, func(a, b InterfaceUsage) int { return cmp.Compare(a.Name, b.Name) })
	return u
}

func count64(n uint64) int64 { return int64(min(n, math.MaxInt64)) }

// newAddresses are those that are no loopback's, in the order of the interfaces.
func newAddresses(all []within.Address, names map[int]string) []Address {
	slices.SortStableFunc(all, func(a, b within.Address) int { return cmp.Compare(a.Index, b.Index) })
	list := []Address{}
	for _, a := range all {
		if a.Scope == "host" {
			continue
		}
		family := "inet6"
		if a.Prefix.Addr().Is4() {
			family = "inet"
		}
		list = append(list, Address{names[a.Index], family, a.Prefix.Addr(), a.Prefix.Bits(), a.Scope, a.Tentative})
	}
	return list
}

// hostLink is the name of a device of the host, nil if there is none. Source: netdevice(7).
func hostLink(index int) *string {
	if index == 0 {
		return nil
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("")
	if err != nil {
		return nil
	}
	req.SetUint32(uint32(index))
	if unix.IoctlIfreq(fd, unix.SIOCGIFNAME, req) != nil {
		return nil
	}
	name := req.Name()
	return &name
}

// netInit is a guest's init as somebody has noted it.
type netInit struct {
	name       string
	pid        int
	base, size uint32 // the guest's own ids; none: they aren't known
}

// openNetwork opens the network namespace of a guest's init: what is opened is looked at, as
// the pid may be another's by now. One that is the host's, whose number is hosts, or another
// guest's is errNoNetwork; 0: that doesn't matter.
func (m *Manager) openNetwork(of netInit, hosts uint64) (int, error) {
	proc, err := unix.Open("/proc/"+strconv.Itoa(of.pid), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errNoNetwork
	}
	defer unix.Close(proc)
	if !m.isOf(of, proc) {
		return -1, errNoNetwork
	}
	ns, err := unix.Openat(proc, "ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, errNoNetwork
	}
	if hosts != 0 && !isOwnNetwork(proc, ns, hosts) {
		unix.Close(ns)
		return -1, errNoNetwork
	}
	return ns, nil
}

// isOf says whether an open process is of the guest: by who owns it, as no other guest of
// the host has these ids; by its group, which takes much longer, where it has others.
func (m *Manager) isOf(of netInit, proc int) bool {
	var st unix.Stat_t
	if of.size > 0 && unix.Fstat(proc, &st) == nil && st.Uid >= of.base && st.Uid-of.base < of.size {
		return true
	}
	groups, err := readProc(proc, "cgroup")
	return err == nil && m.inGroup(groups, of.name)
}

// inGroup says whether a process's /proc/PID/cgroup is that of one of the guest's.
func (m *Manager) inGroup(text, name string) bool {
	for line := range strings.Lines(text) {
		path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok {
			continue
		}
		for _, group := range []string{"/" + m.base() + "/" + name, "/" + guestSlice + "/" + scopeName(name)} {
			if strings.HasPrefix(path+"/", group+"/") {
				return true
			}
		}
	}
	return false
}

// isOwnNetwork says whether a network namespace isn't the host's, and was made with the
// user namespace that the process is in: it is the other guest's if a guest shares it.
func isOwnNetwork(proc, ns int, hosts uint64) bool {
	var its, userns, owner unix.Stat_t
	if unix.Fstat(ns, &its) != nil || its.Ino == hosts {
		return false
	}
	fd, err := unix.IoctlRetInt(ns, nsGetUserns)
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	return unix.Fstat(fd, &owner) == nil && unix.Fstatat(proc, "ns/user", &userns, 0) == nil && owner.Ino == userns.Ino
}
