package spec

import (
	"fmt"
	"strconv"
	"strings"
)

// Rate is an amount of data a second, in bits. In text it is a whole number, alone or with
// bit, kbit, mbit or gbit, which are powers of 1000, as in tc(8).
type Rate int64

// minRate is less than one full frame a second of any use.
const minRate Rate = 8000

// maxRate is far above any interface, and far below an overflow.
const maxRate Rate = 1e15

// ParseRate reads a rate: "100mbit".
func ParseRate(s string) (Rate, error) {
	number := strings.TrimRight(s, letters)
	factor, known := map[string]uint64{"": 1, "bit": 1, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}[strings.ToLower(s[len(number):])]
	n, err := strconv.ParseUint(number, 10, 64)
	switch {
	case number == "" || !madeOf(number, digits):
		return 0, fmt.Errorf("%s is not a rate: write a whole number with kbit, mbit or gbit", show(s))
	case !known:
		return 0, fmt.Errorf("%s has the unknown unit %s: use kbit, mbit or gbit, powers of 1000 bits a second", show(s), show(s[len(number):]))
	case err != nil || n > uint64(maxRate)/factor:
		return 0, fmt.Errorf("%s is too much: the most is %s", show(s), maxRate)
	case Rate(n*factor) < minRate:
		return 0, fmt.Errorf("%s is too little: the least is %s", show(s), minRate)
	}
	return Rate(n * factor), nil
}

// String gives the largest unit that leaves a whole number.
func (r Rate) String() string {
	if r == 0 {
		return ""
	}
	for _, u := range []struct {
		factor Rate
		unit   string
	}{{1e9, "gbit"}, {1e6, "mbit"}, {1e3, "kbit"}} {
		if r%u.factor == 0 {
			return strconv.FormatUint(uint64(r/u.factor), 10) + u.unit
		}
	}
	return strconv.FormatUint(uint64(r), 10) + "bit"
}

func (r *Rate) fromTOML(value any) error {
	var err error
	switch x := value.(type) {
	case string:
		*r, err = ParseRate(x)
	case int64:
		*r, err = ParseRate(strconv.FormatInt(x, 10))
	default:
		err = fmt.Errorf("%s", wrongType(`a rate, as in "100mbit"`, value))
	}
	return err
}
