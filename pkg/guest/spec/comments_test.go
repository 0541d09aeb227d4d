package spec

import (
	"reflect"
	"testing"

	"github.com/BurntSushi/toml"
	"pgregory.net/rapid"
)

// TestWithoutComments: what is left says the same, or is as wrong.
func TestWithoutComments(t *testing.T) {
	line := rapid.SampledFrom([]string{
		"# words\n", "  \t# indented\n", "#\n", "# \x01\n", "# \x7f\n", "#\r\n", "# a \r b\n", "# \u0085 é\n", "\n", "a = 1\n", "b = [\n", "2, # two\n", "]\n", "[t]\n", "[[u]]\n",
		"s = \"#\"\n", "l = '''\n", "'''\n", "m = \"\"\"\n", "\"\"\"\n", "x = \"\n", "c = { d = 1 } # end\n", "# no end",
	})
	rapid.Check(t, func(t *rapid.T) {
		var text string
		for _, l := range rapid.SliceOfN(line, 0, 12).Draw(t, "lines") {
			text += l
		}
		var whole, left map[string]any
		_, wholeErr := toml.Decode(text, &whole)
		_, leftErr := toml.Decode(withoutComments(text), &left)
		if (wholeErr == nil) != (leftErr == nil) || wholeErr == nil && !reflect.DeepEqual(whole, left) {
			t.Fatalf("%q: %v, %v\n%q: %v, %v", text, whole, wholeErr, withoutComments(text), left, leftErr)
		}
	})
}
