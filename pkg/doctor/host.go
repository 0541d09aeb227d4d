package doctor

import (
	"strconv"
	"strings"

	"github.com/sysct/sysct/pkg/limits/cgroupfs"
)

// Host is what the checks may ask. Its functions answer from the real host or from
// what a test made up.
type Host struct {
	// Read gives a file of /proc, /sys or sysctl.d without white space at its ends.
	Read func(path string) (string, error)
	// Try tries what the kernel can do; nil: it can.
	Try func(Trial) error
	// FileSystem tells of the one that a directory is on, or would be.
	FileSystem func(dir string) (*FileSystem, error)
	// Stat gives owner and mode of a directory; ok is false if it isn't there.
	Stat func(dir string) (uid uint32, mode uint32, ok bool)
	// Inotify counts what root's and guests' processes have of it.
	Inotify func() InotifyUse

	Arch      string // as Go names it
	Nested    bool   // it is itself a guest: sysct runs in a user namespace
	Dirs      Dirs
	Groups    func() (cgroupfs.Tree, error)
	OpenFiles uint64 // RLIMIT_NOFILE, the hard one

	Guests    int   // of the instance
	Running   int   // of them
	PidsSum   int64 // processes that the running ones may have together
	IDs       IDs
	Templates []Template
	Leftovers func() ([]string, error) // what gc would remove
	Helpers   Helpers
	Network   Network
}

// Network is what guests' networks need of the host.
type Network struct {
	Bridges    []string                    // devices of the instance's networks that are up
	Names      []string                    // of them, those with a name server
	Damaged    []Damage                    // networks that are up and lack something, or that are refused
	NAT4, NAT6 bool                        // there are some whose guests reach others by the host
	Has        func(program string) bool   // whether the host has it
	Rules      func() (filterRules, error) // the host's packet filter without sysct's own tables
	// Server tells who listens on a port of all the host's addresses; "": nobody.
	Server func(proto string, port uint16) string
}

// Damage is what is wrong with a network, and the command that mends it.
type Damage struct{ Found, Mend string }

// Dirs are the instance's directories.
type Dirs struct{ State, Cache, Run, Log string }

// FileSystem is what a directory is on.
type FileSystem struct {
	Type                           string // ext4, tmpfs, …
	ReadOnly, NoSuid, NoExec       bool
	Size, Free, Inodes, FreeInodes uint64 // bytes and inodes; Inodes 0: it has no fixed number
}

// InotifyUse is how much of inotify is in use. Partly: there was no time to look
// everywhere.
type InotifyUse struct {
	Instances, Watches int64
	Partly             bool
}

// IDs is how many ranges for guests the ledger has.
type IDs struct {
	Used, Free int
	Own        bool // they are lines of /etc/subuid and /etc/subgid for root or sysct
	Err        error
}

// Template is a template and why no image can be built from it here; nil: it can.
type Template struct {
	Name string
	Err  error
}

// Helpers are the programs that monitors run.
type Helpers struct {
	Current string   // this command's
	Other   []string // guests whose monitors run another
}

// number reads a file with one number.
func (h *Host) number(path string) (int64, error) {
	text, err := h.Read(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(text, 10, 64)
}

// numbers reads a file's blank-separated numbers.
func (h *Host) numbers(path string) ([]int64, error) {
	text, err := h.Read(path)
	if err != nil {
		return nil, err
	}
	var all []int64
	for _, word := range strings.Fields(text) {
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil {
			return nil, err
		}
		all = append(all, n)
	}
	return all, nil
}
