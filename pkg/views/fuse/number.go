package fuse

import (
	"fmt"
	"hash/fnv"
)

// The kernel keeps a node's number for as long as somebody has it, so over servers of
// other programs, whose tables have other files. It is therefore made of the path alone,
// and this is a format: it can't change while guests run.
//
//	a path of Table.Files, or a directory: 1 and 31 bits of the path's hash
//	below the i-th numbered directory:     the same, of the path with * for i, then 16 bits: i
//
// The first has 32 bits: programs of 32 bits refuse a file with a longer one.

// rootNode is the number of the root directory (FUSE_ROOT_ID).
const rootNode = 1

// pathNumber is that of a path.
func pathNumber(path string) uint64 {
	h := fnv.New32a()
	h.Write([]byte(path)) // it can't fail
	return uint64(h.Sum32() | 1<<31)
}

// countedBits are those of the number of a numbered directory.
const countedBits = 16

// splitNumber gives what all nodes of a path below numbered directories have in common, and
// the directory's number.
func splitNumber(number uint64) (base uint64, i int) {
	return number &^ (maxCounted - 1), int(number & (maxCounted - 1))
}

// setNumbers gives all nodes their numbers. Two that would have the same are an error.
func (t *tree) setNumbers() error {
	t.numbers = map[uint64]spot{rootNode: {}}
	if err := t.number(nil, t.nodes, 0, ""); err != nil {
		return err
	}
	return t.numberCounted(0, "")
}

// number numbers what is below a directory.
func (t *tree) number(of *counted, nodes []node, dir int, path string) error {
	for _, at := range nodes[dir].entries {
		below := join(path, nodes[at].name)
		if err := t.give(spot{of, at}, nodes, below); err != nil {
			return err
		}
		if err := t.number(of, nodes, at, below); err != nil {
			return err
		}
	}
	return nil
}

// numberCounted numbers the numbered directories below a directory, and what is in them.
func (t *tree) numberCounted(dir int, path string) error {
	if c := t.nodes[dir].counted; c != nil {
		below := join(path, c.Prefix+"*")
		if err := t.give(spot{c, 0}, c.nodes, below); err != nil {
			return err
		}
		if err := t.number(c, c.nodes, 0, below); err != nil {
			return err
		}
	}
	for _, at := range t.nodes[dir].entries {
		if err := t.numberCounted(at, join(path, t.nodes[at].name)); err != nil {
			return err
		}
	}
	return nil
}

// give gives a node its path's number.
func (t *tree) give(s spot, nodes []node, path string) error {
	number := pathNumber(path)
	if s.of != nil {
		number <<= countedBits
	}
	if _, taken := t.numbers[number]; taken {
		return fmt.Errorf("cannot serve %q: its number %#x is another's", path, number)
	}
	nodes[s.at].number, t.numbers[number] = number, s
	return nil
}

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
