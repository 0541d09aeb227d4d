package fuse

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// Counted is a directory that has numbered ones in it, as cpu0, cpu1 and so on, which are
// all alike.
type Counted struct {
	Dir    string     // its path
	Prefix string     // of the names
	Count  func() int // negative: it can't be had now, and is what it was
	Files  []Numbered
}

// Numbered is a file below each of the numbered directories.
type Numbered struct {
	Path string // below the numbered directory
	// Render appends the content of the i-th of n. It has to be short: it is made for
	// everyone who asks.
	Render func(b []byte, i, n int) []byte
}

// brief is how long a count is good for, and what depends on it.
const brief = 50 * time.Millisecond

// maxCounted bounds the numbers of a [Counted].
const maxCounted = 1 << countedBits

// counted is a Counted with what it has below each number.
type counted struct {
	Counted
	nodes   []node // the first is the numbered directory
	now     func() Now
	last    int // how many they are
	known   bool
	at      time.Duration // when it was counted, monotonic
	changed int64         // when it was another number, nanoseconds since 1970
}

func (c *counted) add(files []Numbered) error {
	for i := range files {
		at, fresh := addPath(&c.nodes, files[i].Path)
		if !fresh || files[i].Render == nil {
			return fmt.Errorf("cannot serve %q: it is there twice, or nothing renders it", files[i].Path)
		}
		c.nodes[at].small = &files[i]
	}
	return onlyDirectoriesHaveEntries(c.nodes)
}

// count counts anew if that was done long ago.
func (c *counted) count() int {
	t := c.now()
	if c.known && t.Mono-c.at < brief {
		return c.last
	}
	n := min(c.Count(), maxCounted)
	if n < 0 {
		return c.last
	}
	if !c.known || n != c.last {
		c.changed = max(t.Wall, c.changed+1)
	}
	c.known, c.at, c.last = true, t.Mono, n
	return n
}

// lookup gives the number of a numbered directory; 0: there is none.
func (c *counted) lookup(name []byte) uint64 {
	if !bytes.HasPrefix(name, []byte(c.Prefix)) {
		return 0
	}
	i, ok := decimal(name[len(c.Prefix):])
	if !ok || i >= c.count() {
		return 0
	}
	return c.nodes[0].number | uint64(i)
}

// entry is a numbered directory. Its name is written into buf.
func (c *counted) entry(i int, buf []byte) (number uint64, name []byte) {
	return c.nodes[0].number | uint64(i), strconv.AppendInt(append(buf[:0], c.Prefix...), int64(i), 10)
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
