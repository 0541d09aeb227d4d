package fuse

import (
	"fmt"
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
	// until it asks for the attributes again. nil: there is none now; who asks gets the
	// last one, or EIO.
	Render func(b []byte) []byte
}

// Table is what a file system has.
type Table struct {
	UID, GID uint32 // who owns everything, as the host numbers them
	Files    []File
	Counted  []Counted
}

// node is a file or directory.
type node struct {
	name    string
	number  uint64    // of one below a numbered directory: of all of that path
	entries []int     // of a directory: indices among the nodes that it is one of
	file    *content  // nil: none of Table.Files
	small   *Numbered // nil: none of Counted.Files
	counted *counted  // what has its numbered directories here; nil: nothing
}

func (n *node) isDir() bool { return n.file == nil && n.small == nil }

// tree is a Table with its directories.
type tree struct {
	nodes   []node
	counted []counted
	numbers map[uint64]spot
}

// spot is where a node is.
type spot struct {
	of *counted // nil: in tree.nodes
	at int      // its index
}

func newTree(t *Table, now func() Now) (*tree, error) {
	tr := &tree{nodes: []node{{number: rootNode}}, counted: make([]counted, len(t.Counted))}
	for i := range t.Files {
		f := &t.Files[i]
		if f.Render == nil {
			return nil, fmt.Errorf("cannot serve %q: nothing renders it", f.Path)
		}
		at, fresh := addPath(&tr.nodes, f.Path)
		if !fresh {
			return nil, fmt.Errorf("cannot serve %q: it is there twice", f.Path)
		}
		tr.nodes[at].file = &content{File: f}
	}
	for i, c := range t.Counted {
		at, _ := addPath(&tr.nodes, c.Dir)
		tr.counted[i] = counted{Counted: c, now: now, nodes: make([]node, 1)}
		tr.nodes[at].counted = &tr.counted[i]
		if err := tr.counted[i].add(c.Files); err != nil {
			return nil, err
		}
	}
	if err := onlyDirectoriesHaveEntries(tr.nodes); err != nil {
		return nil, err
	}
	return tr, tr.setNumbers()
}

func onlyDirectoriesHaveEntries(nodes []node) error {
	for _, n := range nodes {
		if !n.isDir() && len(n.entries) > 0 {
			return fmt.Errorf("cannot serve %q: it is a file and a directory", n.name)
		}
	}
	return nil
}

// addPath makes a path below the first node and gives its index; fresh: its last component
// wasn't there.
func addPath(nodes *[]node, path string) (at int, fresh bool) {
	for name := range strings.SplitSeq(path, "/") {
		next := child(*nodes, at, name)
		if fresh = next < 0; fresh {
			next = len(*nodes)
			*nodes = append(*nodes, node{name: name})
			(*nodes)[at].entries = append((*nodes)[at].entries, next)
		}
		at = next
	}
	return at, fresh
}

// child is the index of an entry; -1: there is none.
func child[T string | []byte](nodes []node, dir int, name T) int {
	for _, i := range nodes[dir].entries {
		if nodes[i].name == string(name) {
			return i
		}
	}
	return -1
}

// place is a node as it was asked for.
type place struct {
	*node
	number uint64
	at     int      // its index among the nodes that it is one of
	of     *counted // of the numbered directory that it is in, or is; nil: of none
	i      int      // that directory's number
}

// get finds a node by its number.
func (t *tree) get(number uint64) (p place, ok bool) {
	s, ok := t.numbers[number]
	if ok && s.of == nil {
		return place{node: &t.nodes[s.at], number: number, at: s.at}, true
	}
	base, i := splitNumber(number)
	if s, ok = t.numbers[base]; !ok || s.of == nil || i >= s.of.count() {
		return place{}, false
	}
	return place{&s.of.nodes[s.at], number, s.at, s.of, i}, true
}

// numberOf is that of a node among those that p is one of.
func (t *tree) numberOf(p *place, at int) uint64 {
	if p.of != nil {
		return p.of.nodes[at].number | uint64(p.i)
	}
	return t.nodes[at].number
}

func (t *tree) nodesOf(p *place) []node {
	if p.of != nil {
		return p.of.nodes
	}
	return t.nodes
}

// lookup gives the number of an entry; 0: there is none.
func (t *tree) lookup(dir *place, name []byte) uint64 {
	if at := child(t.nodesOf(dir), dir.at, name); at >= 0 {
		return t.numberOf(dir, at)
	}
	if dir.counted != nil {
		return dir.counted.lookup(name)
	}
	return 0
}

// entry is the i-th of a directory, from 0. The name is written into buf.
func (t *tree) entry(dir *place, i uint64, buf []byte) (number uint64, name []byte, isDir, ok bool) {
	if i < uint64(len(dir.entries)) {
		at := dir.entries[i]
		n := &t.nodesOf(dir)[at]
		return t.numberOf(dir, at), append(buf[:0], n.name...), n.isDir(), true
	}
	i -= uint64(len(dir.entries))
	if dir.counted == nil || i >= uint64(dir.counted.count()) {
		return 0, nil, false, false
	}
	number, name = dir.counted.entry(int(i), buf)
	return number, name, true, true
}
