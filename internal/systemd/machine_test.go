package systemd

import (
	"strings"
	"testing"
)

func TestIsMachineName(t *testing.T) {
	label := strings.Repeat("a", 63)
	for name, want := range map[string]bool{
		"web": true, "Web1": true, "1a": true, "web-1": true, "web.example.org": true, "a.b": true, label: true, "a--b": true,
		"": false, "web_1": false, "web-": false, "-web": false, "web.": false, ".web": false, "a..b": false,
		"a-.b": false, "a.-b": false, ".host": false, label + "aa": false, "wéb": false, "a/b": false,
	} {
		if got := IsMachineName(name); got != want {
			t.Errorf("%q: %v, want %v", name, got, want)
		}
	}
}
