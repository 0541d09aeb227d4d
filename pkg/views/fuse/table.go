package fuse

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// File is a file of a [Table].
type File struct {
	Path string // below the file system's root, its directories are made
	// TTL is how long a content is good for.
	TTL time.Duration
	// Render appends the content to b. One content should be as long as the other: the
	// kernel cuts off what it reads of a longer one, or fills a shorter one up with zeros,
	// until it asks for the attributes again.
	Render func(b []byte) []byte
}

// Counted is a directory that has numbered, empty ones in it, as cpu0, cpu1 and so on.
type Counted struct {
	Dir    string // its path
	Prefix string // of the names
	Count  func() int
}

// Table is what a file system has.
type Table struct {
	UID, GID uint32 // who owns everything, as the host numbers them
	Files    []File
	Counted  []Counted
}

// rootNode is the number of the root directory (FUSE_ROOT_ID).
const rootNode = 1

// counted nodes have their number in the lower half and their Counted's in the upper.
const countedShift = 32

// maxCounted bounds the numbers of a [Counted].
const maxCounted = 1 << 16

// node is a file or directory. Its number is its index in tree.nodes and one more.
type node struct {
	name    string
	parent  int
	entries []int    // of a directory
	file    *content // nil: a directory
	counted int      // index in Table.Counted; -1: none
}

// tree is a Table with its directories.
type tree struct {
	nodes   []node
	counted []Counted
	empty   node // any entry of a Counted
}

func newTree(t *Table) (*tree, error) {
	tr := &tree{nodes: []node{{counted: -1}}, counted: t.Counted, empty: node{counted: -1}}
	for i := range t.Files {
		f := &t.Files[i]
		if f.Render == nil {
			return nil, fmt.Errorf("cannot serve %q: nothing renders it", f.Path)
		}
		at, fresh := tr.add(f.Path)
		if !fresh {
			return nil, fmt.Errorf("cannot serve %q: it is there twice", f.Path)
		}
		tr.nodes[at].file = &content{File: f}
	}
	for i, c := range t.Counted {
		at, _ := tr.add(c.Dir)
		tr.nodes[at].counted = i
	}
	for _, n := range tr.nodes {
		if n.file != nil && len(n.entries) > 0 {
			return nil, fmt.Errorf("cannot serve %q: it is a file and a directory", n.name)
		}
	}
	return tr, nil
}

// add makes a path and gives its index; fresh: its last component wasn't there.
func (t *tree) add(path string) (at int, fresh bool) {
	for name := range strings.SplitSeq(path, "/") {
		next := t.child(at, name)
		if fresh = next < 0; fresh {
			next = len(t.nodes)
			t.nodes = append(t.nodes, node{name: name, parent: at, counted: -1})
			t.nodes[at].entries = append(t.nodes[at].entries, next)
		}
		at = next
	}
	return at, fresh
}

func (t *tree) child(dir int, name string) int {
	for _, i := range t.nodes[dir].entries {
		if t.nodes[i].name == name {
			return i
		}
	}
	return -1
}

// get finds a node by its number. For an entry of a [Counted] it gives an empty
// directory, as long as there are so many.
func (t *tree) get(number uint64) (n *node, ok bool) {
	if number >= rootNode && number <= uint64(len(t.nodes)) {
		return &t.nodes[number-1], true
	}
	which, i := number>>countedShift, number&(1<<countedShift-1)
	if which == 0 || which > uint64(len(t.counted)) || i >= uint64(t.count(int(which-1))) {
		return nil, false
	}
	return &t.empty, true
}

func (t *tree) count(which int) int { return min(max(t.counted[which].Count(), 0), maxCounted) }

// lookup gives the number of an entry; 0: there is none.
func (t *tree) lookup(dir *node, name []byte) uint64 {
	for _, i := range dir.entries {
		if t.nodes[i].name == string(name) {
			return uint64(i) + 1
		}
	}
	if dir.counted < 0 {
		return 0
	}
	prefix := t.counted[dir.counted].Prefix
	if !bytes.HasPrefix(name, []byte(prefix)) {
		return 0
	}
	i, ok := decimal(name[len(prefix):])
	if !ok || i >= t.count(dir.counted) {
		return 0
	}
	return countedNumber(dir.counted, i)
}

// decimal reads a number below [maxCounted] that has no zeros before it.
func decimal(digits []byte) (n int, ok bool) {
	if len(digits) == 0 || len(digits) > 1 && digits[0] == '0' {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		if n = 10*n + int(c-'0'); n >= maxCounted {
			return 0, false
		}
	}
	return n, true
}

func countedNumber(which, i int) uint64 { return uint64(which+1)<<countedShift | uint64(i) }

// entry is the i-th of a directory, from 0.
// The name is written into buf.
func (t *tree) entry(dir *node, i uint64, buf []byte) (number uint64, name []byte, isDir, ok bool) {
	if i < uint64(len(dir.entries)) {
		at := dir.entries[i]
		return uint64(at) + 1, append(buf[:0], t.nodes[at].name...), t.nodes[at].file == nil, true
	}
	i -= uint64(len(dir.entries))
	if dir.counted < 0 || i >= uint64(t.count(dir.counted)) {
		return 0, nil, false, false
	}
	name = strconv.AppendUint(append(buf[:0], t.counted[dir.counted].Prefix...), i, 10)
	return countedNumber(dir.counted, int(i)), name, true, true
}
