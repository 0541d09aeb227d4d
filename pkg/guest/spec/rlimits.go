package spec

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sysct/sysct/internal/nearest"
	"github.com/sysct/sysct/internal/rlimit"
)

// unlimited is the word for no limit.
const unlimited = "unlimited"

// Rlimit is a resource limit of processes: the soft one counts, and a process may raise
// it up to the hard one.
type Rlimit struct{ Soft, Hard uint64 }

// ParseRlimit reads a limit: "1024", "unlimited", or both in one as "1024:4096".
func ParseRlimit(s string) (Rlimit, error) {
	first, second, both := strings.Cut(s, ":")
	if !both {
		second = first
	}
	var r Rlimit
	for _, part := range []struct {
		text string
		n    *uint64
	}{{first, &r.Soft}, {second, &r.Hard}} {
		if part.text == unlimited {
			*part.n = rlimit.Infinity
			continue
		}
		n, err := strconv.ParseUint(part.text, 10, 63)
		if err != nil || !madeOf(part.text, digits) {
			return r, fmt.Errorf("%s is not a limit: write a number, \"unlimited\", or two with a colon between, as in \"1024:4096\"", show(s))
		}
		*part.n = n
	}
	if r.Soft > r.Hard {
		return r, fmt.Errorf("%s: the soft limit is above the hard one", show(s))
	}
	return r, nil
}

// String is the shortest text that ParseRlimit reads as r.
func (r Rlimit) String() string {
	word := func(n uint64) string {
		if n == rlimit.Infinity {
			return unlimited
		}
		return strconv.FormatUint(n, 10)
	}
	if r.Soft == r.Hard {
		return word(r.Soft)
	}
	return word(r.Soft) + ":" + word(r.Hard)
}

// fromTOML takes a string or an integer.
func (r *Rlimit) fromTOML(value any) (err error) {
	switch v := value.(type) {
	case string:
		*r, err = ParseRlimit(v)
		return err
	case int64:
		*r, err = ParseRlimit(strconv.FormatInt(v, 10))
		return err
	}
	return wrongType("a limit, as in 1024, \"unlimited\" or \"1024:4096\"", value)
}

func checkRlimits(all map[string]Rlimit, fail report) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if _, known := rlimit.Number(name); known {
			continue
		}
		hint := ": one of " + strings.Join(rlimit.Names(), ", ")
		if near := nearest.Of(name, rlimit.Names()); near != "" {
			hint = ": did you mean " + near + "?"
		}
		fail(joinPath("rlimits", name), "%s is no resource limit%s", show(name), hint)
	}
}
