package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// CPUQuota is how much processor time may be used: microseconds in each
// CPUPeriod, so CPUPeriod itself is one whole CPU. In text it is a percentage of
// one CPU ("150%") or a number of CPUs ("1.5").
type CPUQuota int64

// CPUPeriod is the time that a CPUQuota is measured against, in microseconds.
const CPUPeriod = 100_000

// minQuota is the kernel's own least quota.
const minQuota CPUQuota = 1_000

// maxCPUs is the most CPUs that a Linux can be built for.
const maxCPUs = 8192

// ParseCPUQuota reads a quota: "150%", "1.5", "2".
func ParseCPUQuota(s string) (CPUQuota, error) {
	number, isPercent := strings.CutSuffix(s, "%")
	places := 5 // of a decimal fraction of CPUs that are whole microseconds
	if isPercent {
		places = 3
	}
	quota, err := parseDecimal(number, places)
	if err != nil {
		return 0, fmt.Errorf("%s %w", show(s), err)
	}
	return CPUQuota(quota), CPUQuota(quota).check()
}

func (q CPUQuota) check() error {
	switch {
	case q < minQuota:
		return fmt.Errorf("%s is too little: the least is 1%% of a CPU", q)
	case q > maxCPUs*CPUPeriod:
		return fmt.Errorf("%s is too much: the most is %d CPUs", q, maxCPUs)
	}
	return nil
}

// parseDecimal reads digits, with a point and up to places digits after it, as a
// whole number of 10^-places. No float comes near it, so that 0.1 is exact.
func parseDecimal(s string, places int) (int64, error) {
	whole, fraction, hasPoint := strings.Cut(s, ".")
	number := whole + fraction
	switch {
	case strings.HasPrefix(s, "-"):
		return 0, errors.New("is negative")
	case whole == "" || hasPoint && fraction == "" || !madeOf(number, digits):
		return 0, errors.New("is not a quota: write a percentage of one CPU as in \"150%\", or a number of CPUs as in 1.5")
	case len(fraction) > places:
		return 0, fmt.Errorf("is too precise: up to %d digits may follow the point", places)
	}
	n, err := strconv.ParseInt(number+strings.Repeat("0", places-len(fraction)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("is too much: the most is %d CPUs", maxCPUs)
	}
	return n, nil
}

// String is the percentage of one CPU, which ParseCPUQuota reads as q: "150%".
func (q CPUQuota) String() string {
	const percent = CPUPeriod / 100
	s := strconv.FormatInt(int64(q/percent), 10)
	if rest := q % percent; rest != 0 {
		s += strings.TrimRight(fmt.Sprintf(".%03d", int64(max(rest, -rest))), "0")
	}
	return s + "%"
}

// MarshalText is String.
func (q CPUQuota) MarshalText() ([]byte, error) { return []byte(q.String()), nil }

// UnmarshalText is ParseCPUQuota.
func (q *CPUQuota) UnmarshalText(text []byte) (err error) {
	*q, err = ParseCPUQuota(string(text))
	return err
}

// fromTOML takes a string, or a number of CPUs.
func (q *CPUQuota) fromTOML(value any) error {
	switch v := value.(type) {
	case string:
		return q.UnmarshalText([]byte(v))
	case int64:
		return q.UnmarshalText([]byte(strconv.FormatInt(v, 10)))
	case float64:
		return q.UnmarshalText([]byte(strconv.FormatFloat(v, 'f', -1, 64)))
	}
	return wrongType("a quota, as in \"150%\" or 1.5", value)
}
