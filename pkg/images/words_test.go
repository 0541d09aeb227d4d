package images

import (
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for _, c := range []struct {
		what string
		is   func(string) bool
		good []string
		bad  []string
	}{
		{"image key", isImageKey, []string{"a", "debian-trixie-amd64-0a1b", "9.+_-", strings.Repeat("a", 151)},
			[]string{"", "-a", "A", "a/b", "a b", "..", strings.Repeat("a", 152), "a\n", "ä"}},
		{"template name", isTemplateName, []string{"debian", "d9._-"}, []string{"", ".d", "D", strings.Repeat("a", 33), "a+b"}},
		{"mirror", isMirrorText, []string{"http://[::1]:80/a~b%20+_@"}, []string{"", "a b", "a\nb", "a\"b", "a#b", "a]$"}},
	} {
		for _, s := range c.good {
			if !c.is(s) {
				t.Errorf("%q is no %s", s, c.what)
			}
		}
		for _, s := range c.bad {
			if c.is(s) {
				t.Errorf("%q is a %s", s, c.what)
			}
		}
	}
}
