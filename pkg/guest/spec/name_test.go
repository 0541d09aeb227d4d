package spec

import (
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "web1", "1a", "A.b_c-d", "0x1", "All", strings.Repeat("a", 63), "a..b", "a-"} {
		if err := CheckName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                            "the name is empty",
		".":                           "the first character must be",
		"..":                          "the first character must be",
		".hidden":                     "the first character must be",
		"-a":                          "the first character must be",
		"_a":                          "the first character must be",
		"a/b":                         "only A-Z",
		"/":                           "only A-Z",
		"a b":                         "only A-Z",
		" ":                           "only A-Z",
		"a\x00":                       "only A-Z",
		"a\n":                         `name "a\n": only A-Z`,
		"\x1b[2J":                     `name "\x1b[2J": only A-Z`,
		"wеb":                         "only A-Z", // a Cyrillic e
		"a\xff":                       "only A-Z",
		"%s":                          "only A-Z",
		"$(id)":                       "only A-Z",
		"a;b":                         "only A-Z",
		"a:b":                         "only A-Z",
		"a@b":                         "only A-Z",
		"12345":                       "digits alone",
		"0":                           "digits alone",
		"all":                         "is reserved",
		"self":                        "is reserved",
		"host":                        "is reserved",
		"sysct":                       "is reserved",
		strings.Repeat("a", 64):       "is too long",
		strings.Repeat("\x1b", 1<<20): "is too long",
	} {
		checkRefusal(t, name, CheckName(name), want)
	}
}
