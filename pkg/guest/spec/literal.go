package spec

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/sysct/sysct/internal/tomltext"
)

// literalOf is TOML's text of a value that was written on a command line, by the type
// of its key: strings, sizes and the like as they are, lists as a TOML array or as
// words with commas between them. Whether the value is possible isn't judged here.
func literalOf(value string, f Field) (string, error) {
	if !utf8.ValidString(value) {
		return "", errors.New("the value is not UTF-8 text")
	}
	switch f.Type {
	case "string", "table of strings", "table of credentials":
		return tomltext.Quote(value), nil
	case "size", "duration", "quota", "rate", "table of sizes", "table of resource limits":
		if isInteger(value) {
			return value, nil
		}
		return tomltext.Quote(value), nil
	case "integer":
		if !isInteger(value) {
			return "", fmt.Errorf("must be an integer, not %s", show(value))
		}
		return value, nil
	case "true or false":
		if value != "true" && value != "false" {
			return "", fmt.Errorf("must be true or false, not %s", show(value))
		}
		return value, nil
	case "list of strings":
		return listLiteral(value)
	case "command or list of commands":
		if strings.HasPrefix(strings.TrimSpace(value), "[") {
			return listLiteral(value)
		}
		return tomltext.Quote(value), nil
	}
	return "", fmt.Errorf("a %s can't be set as a whole", f.Type)
}

// isInteger tells whether s is a number as TOML writes one.
func isInteger(s string) bool {
	n, err := strconv.ParseInt(s, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == s
}

func listLiteral(value string) (string, error) {
	var items []string
	value = strings.TrimSpace(value)
	switch {
	case strings.HasPrefix(value, "["):
		var doc struct {
			List []string `toml:"list"`
		}
		meta, err := toml.Decode("list = "+value, &doc)
		if err != nil || len(meta.Keys()) != 1 {
			return "", fmt.Errorf(`%s is not a list of strings: write ["a", "b"], or a,b`, show(value))
		}
		items = doc.List
	case value != "":
		for item := range strings.SplitSeq(value, ",") {
			items = append(items, strings.TrimSpace(item))
		}
	}
	return listText(items), nil
}

// listText is TOML's array of some strings.
func listText(items []string) string {
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = tomltext.Quote(item)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}
