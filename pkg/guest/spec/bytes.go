package spec

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is an amount of memory or storage. In text it is a whole number, alone
// (bytes) or with K, M, G or T, which are powers of 1024.
type Bytes int64

// The units of Bytes.
const (
	KiB Bytes = 1 << (10 * (iota + 1))
	MiB
	GiB
	TiB
)

// units are the letters of Bytes; the i-th stands for 1024 to the power i+1.
const units = "KMGT"

// ParseBytes reads an amount, which must be more than 0: "512M", "1073741824".
func ParseBytes(s string) (Bytes, error) {
	number := strings.TrimRight(s, letters)
	unit := s[len(number):]
	switch {
	case s == "":
		return 0, errors.New("the size is empty")
	case strings.HasPrefix(s, "-"):
		return 0, fmt.Errorf("%s is negative: a size must be more than 0", show(s))
	case number == "" || !madeOf(number, digits+".,_"):
		return 0, fmt.Errorf("%s is not a size: write a whole number of bytes, or one with K, M, G or T", show(s))
	case !madeOf(number, digits):
		return 0, fmt.Errorf("%s is not a whole number: use a smaller unit", show(s))
	case unit != "" && (len(unit) > 1 || !strings.Contains(units, unit)):
		return 0, fmt.Errorf("%s has the unknown unit %s: use K, M, G or T, powers of 1024%s", show(s), show(unit), didYouMean(number, unit))
	}
	return scale(s, number, strings.Index(units, unit))
}

// didYouMean guesses what an unknown unit was to be: 5g, 5GB and 5GiB are 5G.
func didYouMean(number, unit string) string {
	letter := strings.TrimSuffix(strings.TrimSuffix(strings.ToUpper(unit), "B"), "I")
	if len(letter) != 1 || !strings.Contains(units, letter) {
		return ""
	}
	return fmt.Sprintf(": did you mean %s?", shorten(number, 60)+letter)
}

// scale multiplies number by 1024 to the power+1, if s has a unit at all.
func scale(s, number string, power int) (Bytes, error) {
	shift := 0
	if s != number {
		shift = 10 * (power + 1)
	}
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || n > math.MaxInt64>>shift {
		return 0, fmt.Errorf("%s is too large: the most is %d bytes", show(s), math.MaxInt64)
	}
	if n == 0 {
		return 0, fmt.Errorf("%s is too small: a size must be more than 0", show(s))
	}
	return Bytes(n << shift), nil
}

// String is the shortest text that ParseBytes reads as b.
func (b Bytes) String() string {
	for i := len(units) - 1; i >= 0; i-- {
		if unit := Bytes(1) << (10 * (i + 1)); b != 0 && b%unit == 0 {
			return strconv.FormatInt(int64(b/unit), 10) + units[i:i+1]
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

// MarshalText is String.
func (b Bytes) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText is ParseBytes.
func (b *Bytes) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBytes(string(text))
	return err
}

// fromTOML takes a string or an integer, a number of bytes.
func (b *Bytes) fromTOML(value any) error {
	switch v := value.(type) {
	case string:
		return b.UnmarshalText([]byte(v))
	case int64:
		return b.UnmarshalText([]byte(strconv.FormatInt(v, 10)))
	case float64:
		return fmt.Errorf("%v is not a whole number: use a smaller unit, as in \"512M\"", v)
	}
	return wrongType("a size, as in \"512M\"", value)
}
