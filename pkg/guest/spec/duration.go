package spec

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a span of time. In text it is a number of seconds, or numbers with
// the units h, m, s and ms: "90", "90s", "1m30s".
type Duration time.Duration

// ParseDuration reads a duration, which must not be negative.
func ParseDuration(s string) (Duration, error) {
	if s != "" && madeOf(s, digits) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil || n > math.MaxInt64/int64(time.Second) {
			return 0, fmt.Errorf("%s seconds are too many", show(s))
		}
		return Duration(n) * Duration(time.Second), nil
	}
	if rest, found := strings.CutPrefix(s, "-"); found && rest != "" && madeOf(rest, digits) {
		return 0, fmt.Errorf("%s is negative", show(s))
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%s is not a duration: write a number of seconds, or one with a unit as in \"90s\" or \"2m\"", show(s))
	}
	if d < 0 {
		return 0, fmt.Errorf("%s is negative", show(s))
	}
	return Duration(d), nil
}

// String is a text that ParseDuration reads as d: "60s", "2m", "1h0m1s".
func (d Duration) String() string {
	t := time.Duration(d)
	if t%time.Second == 0 && t < 2*time.Minute {
		return strconv.Itoa(int(t/time.Second)) + "s"
	}
	s := t.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// MarshalText is String.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalText is ParseDuration.
func (d *Duration) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDuration(string(text))
	return err
}

// fromTOML takes a string or an integer, a number of seconds.
func (d *Duration) fromTOML(value any) error {
	switch v := value.(type) {
	case string:
		return d.UnmarshalText([]byte(v))
	case int64:
		return d.UnmarshalText([]byte(strconv.FormatInt(v, 10)))
	}
	return wrongType("a duration, as in \"90s\"", value)
}
