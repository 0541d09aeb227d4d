package spec

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// checkRefusal fails unless err is one printable line with want in it.
func checkRefusal(t *testing.T, input string, err error, want string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%.80q: got %v, want %q", input, err, want)
	} else if strings.ContainsAny(err.Error(), "\n\r\t\x00\x1b\x7f") || len(err.Error()) > 700 {
		t.Errorf("%.80q: not one printable line: %q", input, err)
	}
}

func TestParseBytes(t *testing.T) {
	for s, want := range map[string]Bytes{
		"1": 1, "007": 7, "4096": 4 * KiB, "4K": 4 * KiB, "512M": 512 * MiB, "1G": GiB, "2T": 2 * TiB,
		"9223372036854775807": 1<<63 - 1, "8388607T": 8388607 * TiB,
	} {
		if got, err := ParseBytes(s); err != nil || got != want {
			t.Errorf("ParseBytes(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
}

func TestParseBytesRefuses(t *testing.T) {
	for s, want := range map[string]string{
		"":                     "the size is empty",
		"-1":                   `"-1" is negative: a size must be more than 0`,
		"-1M":                  "is negative",
		"0":                    `"0" is too small: a size must be more than 0`,
		"0G":                   "too small",
		"1X":                   `"1X" has the unknown unit "X": use K, M, G or T`,
		"1.5G":                 `"1.5G" is not a whole number: use a smaller unit`,
		"1,5G":                 "not a whole number",
		"1_000":                "not a whole number",
		"18446744073709551616": `"18446744073709551616" is too large: the most is 9223372036854775807 bytes`,
		"9223372036854775808":  "too large",
		"8388608T":             "too large",
		"512m":                 `unknown unit "m": use K, M, G or T, powers of 1024: did you mean 512M?`,
		"512MB":                `unknown unit "MB": use K, M, G or T, powers of 1024: did you mean 512M?`,
		"512MiB":               `unknown unit "MiB": use K, M, G or T, powers of 1024: did you mean 512M?`,
		"1P":                   `unknown unit "P"`,
		"M":                    "is not a size",
		"1 G":                  "is not a size",
		" 1G":                  "is not a size",
		"1G\n":                 "is not a size",
		"0x10":                 "is not a size",
		"\x1b[2J":              "is not a size",
		"١":                    "is not a size",
		"NaN":                  "is not a size",
		"+1":                   "is not a size",
	} {
		_, err := ParseBytes(s)
		checkRefusal(t, s, err, want)
	}
}

func TestBytesAreReadBack(t *testing.T) {
	for b, want := range map[Bytes]string{1: "1", 1023: "1023", KiB: "1K", 1536: "1536", 1536 * MiB: "1536M", 5 * TiB: "5T", 0: "0"} {
		if b.String() != want {
			t.Errorf("%d is %q, want %q", int64(b), b, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		b := Bytes(rapid.Int64Range(1, 1<<63-1).Draw(t, "bytes"))
		if got, err := ParseBytes(b.String()); err != nil || got != b {
			t.Fatalf("ParseBytes(%q) = %d, %v; want %d", b, got, err, b)
		}
	})
}

func TestParseDuration(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"0": 0, "60": time.Minute, "60s": time.Minute, "2m": 2 * time.Minute, "1h30m": 90 * time.Minute, "1.5s": 1500 * time.Millisecond,
	} {
		if got, err := ParseDuration(s); err != nil || got != Duration(want) {
			t.Errorf("ParseDuration(%q) = %v, %v; want %v", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"": "is not a duration", "NaN": "is not a duration", "1d": "is not a duration", "s": "is not a duration",
		"-1": "is negative", "-1s": "is negative", "1.5": "is not a duration", "60 s": "is not a duration",
		"9223372037": "too many", "99999999999999999999": "too many", "\n": "is not a duration",
		"999999999h": "is not a duration", "inf": "is not a duration",
	} {
		_, err := ParseDuration(s)
		checkRefusal(t, s, err, want)
	}
}

func TestDurationsAreReadBack(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", time.Second: "1s", time.Minute: "60s", 119 * time.Second: "119s", 2 * time.Minute: "2m", time.Hour: "1h",
		time.Hour + time.Second: "1h0m1s", 90 * time.Minute: "1h30m", 10 * time.Hour: "10h", 1500 * time.Millisecond: "1.5s",
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		d := Duration(rapid.Int64Range(0, 1<<63-1).Draw(t, "ns"))
		if got, err := ParseDuration(d.String()); err != nil || got != d {
			t.Fatalf("ParseDuration(%q) = %v, %v", d, got, err)
		}
	})
}

func TestParseCPUQuota(t *testing.T) {
	for s, want := range map[string]CPUQuota{
		"150%": 150_000, "1.5": 150_000, "1": CPUPeriod, "100%": CPUPeriod, "0.01": 1000, "1%": 1000, "33.333%": 33_333,
		"0.33333": 33_333, "8192": 8192 * CPUPeriod, "819200%": 8192 * CPUPeriod, "0.1": 10_000,
	} {
		if got, err := ParseCPUQuota(s); err != nil || got != want {
			t.Errorf("ParseCPUQuota(%q) = %d, %v; want %d", s, got, err, want)
		}
	}
	for s, want := range map[string]string{
		"": "is not a quota", "%": "is not a quota", "-1": "is negative", "-50%": "is negative", "0": "too little", "0%": "too little",
		"0.009": "too little", "0.9%": "too little", "1e6": "is not a quota", "1000000": "too much", "8192.00001": "too much",
		"99999999999999999999%": "too much", "1.": "is not a quota", ".5": "is not a quota", "1.2.3": "is not a quota",
		"1.000001": "too precise", "1.0001%": "too precise", "NaN": "is not a quota", "+Inf": "is not a quota", "50 %": "is not a quota",
		"150%%": "is not a quota", "1,5": "is not a quota",
	} {
		_, err := ParseCPUQuota(s)
		checkRefusal(t, s, err, want)
	}
}

func TestCPUQuotasAreReadBack(t *testing.T) {
	for q, want := range map[CPUQuota]string{150_000: "150%", 33_333: "33.333%", 1500: "1.5%", 1010: "1.01%", 1001: "1.001%"} {
		if q.String() != want {
			t.Errorf("%d is %q, want %q", int64(q), q, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		q := CPUQuota(rapid.Int64Range(int64(minQuota), maxCPUs*CPUPeriod).Draw(t, "quota"))
		if got, err := ParseCPUQuota(q.String()); err != nil || got != q {
			t.Fatalf("ParseCPUQuota(%q) = %d, %v; want %d", q, got, err, q)
		}
	})
}

func TestCheckCPUSet(t *testing.T) {
	for _, s := range []string{"0", "0-3", "0-3,6", "1,3,5-7", "3-3", "8191", "0,0"} {
		if err := CheckCPUSet(s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
	for s, want := range map[string]string{
		"": "is empty", "3-1": `the range "3-1" falls`, "0,,1": "a number is missing", ",": "a number is missing", "0,": "a number is missing",
		"-1": "a number is missing", "1-": "a number is missing", "0-1-2": "is not the number of a CPU", "a": "is not the number of a CPU",
		"0 1": "is not the number of a CPU", "0-3:1/2": "is not the number of a CPU", "8192": "past the last", "1e6": "is not the number",
		"99999999999999999999": "past the last", "0\n": "is not the number", "٣": "is not the number",
	} {
		checkRefusal(t, s, CheckCPUSet(s), want)
	}
}

func TestTextForms(t *testing.T) {
	var b Bytes
	var d Duration
	var q CPUQuota
	for text, value := range map[string]interface {
		UnmarshalText([]byte) error
		MarshalText() ([]byte, error)
	}{"3M": &b, "3m": &d, "3%": &q} {
		if err := value.UnmarshalText([]byte(text)); err != nil {
			t.Error(err)
		}
		if got, err := value.MarshalText(); err != nil || string(got) != text {
			t.Errorf("%s became %s, %v", text, got, err)
		}
		if err := value.UnmarshalText([]byte("x")); err == nil {
			t.Errorf("%T took x", value)
		}
	}
}
