package fielddoc

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func extract(t *testing.T, fields string) ([]Entry, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.go")
	text := "package x\n\ntype Inner struct {\n\t// In.\n\t// Default: 1\n\t// Change: live\n\tA *int64 `toml:\"a\"`\n}\n\ntype Root struct {\n" + fields + "}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return Extract([]string{file}, "Root")
}

func TestExtract(t *testing.T) {
	got, err := extract(t, `
	// Two
	// lines: of text.
	// Unit: apples
	// Default: none
	// Change: restart
	// Example: "3"
	Size Bytes `+"`toml:\"size\"`"+`
	// A table.
	One Inner `+"`toml:\"one\"`"+`
	// Tables.
	Many []Inner `+"`toml:\"many\"`"+`
`)
	want := []Entry{
		{Key: "size", Type: "size", Summary: "Two\nlines: of text.", Unit: "apples", Default: "none", Change: "restart", Example: `"3"`},
		{Key: "one", Type: "table", Summary: "A table."},
		{Key: "one.a", Type: "integer", Summary: "In.", Default: "1", Change: "live"},
		{Key: "many", Type: "list of tables", Summary: "Tables."},
		{Key: "many.a", Type: "integer", Summary: "In.", Default: "1", Change: "live"},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestExtractRefusesAnIncompleteManual(t *testing.T) {
	for fields, want := range map[string]string{
		"A string `toml:\"a\"`":                                           "no summary",
		"// A.\nA string `toml:\"a\"`":                                    "no line Default",
		"// A.\n// Default: x\nA string `toml:\"a\"`":                     "restart or live",
		"// A.\n// Default: x\n// Change: maybe\nA string `toml:\"a\"`":   "restart or live",
		"// A.\n// Default: x\n// Change: live\nA string":                 "needs one name and a tag",
		"// A.\n// Default: x\n// Change: live\nA string `json:\"a\"`":    "no toml tag",
		"// A.\n// Default: x\n// Change: live\nA complex64 `toml:\"a\"`": "no name for users",
		"// A.\n// Default: x\nA Inner `toml:\"a\"`":                      "a table has no value",
	} {
		if _, err := extract(t, fields+"\n"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", fields, err, want)
		}
	}
	if _, err := Extract(nil, "Root"); err == nil {
		t.Error("a missing struct was found")
	}
}
