package main

// verb is something that a user does to a guest, or to all of them.
type verb int

const (
	doStart verb = iota
	doStop
	doKill
	doExec // and the command
	doFreeze
	doThaw
	doConsole
	doDestroy
	doInfo
	doList
	doListFancy
	doTop // tables without a terminal
	doMetrics
	doClone    // and the new name
	doSnapshot // and the new name
)

// peer is one way to run guests, as a user calls it.
type peer interface {
	title() string
	// name makes a guest's name: it is unique among peers.
	name(short string) string
	// argv is the command of a verb.
	argv(v verb, name string, more ...string) []string
	// make makes a stopped guest with a tree of its own, in a directory.
	make(name string, k kind) error
	// creation is the command by which a user makes a guest of what is cached.
	creation(name string, k kind) ([]string, error)
	rootfs(name string) string
	// monitor is the process that keeps a running guest.
	monitor(name string) (int, error)
}

// peerClass says which peers take part in a row.
type peerClass int

const (
	most      peerClass = iota // sysct, LXC with its hooks cleared and as shipped
	all                        // and LXC with a user namespace
	two                        // where hooks make no difference
	alone                      // sysct, where LXC has nothing of the kind
	onNetwork                  // sysct and LXC with a bridge
	hand                       // sysct with a bridge, and the same made by hand
	views                      // sysct, LXC as shipped (with lxcfs) and with its hooks cleared (the kernel's own files)
)

// class gives the peers of a class. The first is sysct, the second what it is
// compared with.
func (b *bench) class(c peerClass) []peer {
	switch c {
	case all:
		return b.peers
	case two:
		return b.peers[:2]
	case alone:
		return b.peers[:1]
	case onNetwork:
		return b.netPeers[:2]
	case hand:
		return []peer{b.netPeers[0], b.hand}
	case views:
		return []peer{b.peers[0], b.peers[2], b.peers[1]}
	}
	return b.peers[:3]
}
