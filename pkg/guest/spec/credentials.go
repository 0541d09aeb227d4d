package spec

import (
	"encoding/base64"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/sysct/sysct/internal/tomltext"
)

// Bounds of credentials, as systemd has them (creds-util.h).
const (
	MaxCredentials    = 1 << 20 // bytes of all of a guest
	maxCredentialName = 255
)

// Credential is the value of an entry of [credentials]: exactly one of the three.
type Credential struct {
	Text   string `toml:"text"`   // the content itself
	File   string `toml:"file"`   // the file on the host that has it, read at the guest's start
	Base64 string `toml:"base64"` // the content, for what isn't text

	is string // which one it is: a text may be empty
}

// Bytes is the content of one that isn't in a file.
func (c *Credential) Bytes() ([]byte, error) {
	if c.is == "base64" {
		return base64.StdEncoding.DecodeString(c.Base64)
	}
	return []byte(c.Text), nil
}

// String is the value as a command line takes it.
func (c *Credential) String() string {
	switch c.is {
	case "file":
		return c.File
	case "base64":
		return c.Base64
	}
	return c.Text
}

// toml is the value as a configuration file has it.
func (c *Credential) toml() string {
	if c.is == "file" || c.is == "base64" {
		return "{ " + c.is + " = " + tomltext.Quote(c.String()) + " }"
	}
	return tomltext.Quote(c.Text)
}

// fromTOML takes a string, or a table with one of the three keys.
func (c *Credential) fromTOML(value any) error {
	const want = `a text, { file = "/path" } or { base64 = "…" }`
	if s, ok := value.(string); ok {
		*c = Credential{Text: s, is: "text"}
		return nil
	}
	table, ok := value.(map[string]any)
	if !ok || len(table) != 1 {
		return wrongType(want, value)
	}
	for key, item := range table {
		s, ok := item.(string)
		switch {
		case !ok:
			return wrongType(want, value)
		case key == "file":
			*c = Credential{File: s, is: key}
		case key == "base64":
			*c = Credential{Base64: s, is: key}
		case key == "text":
			*c = Credential{Text: s, is: key}
		default:
			return fmt.Errorf("unknown key %s: must be %s", show(key), want)
		}
	}
	return nil
}

func (c *Credential) check() error {
	switch c.is {
	case "file":
		if !filepath.IsAbs(c.File) {
			return fmt.Errorf("%s is not an absolute path", show(c.File))
		}
		if i := strings.IndexFunc(c.File, func(r rune) bool { return r < ' ' || r == 0x7f }); i >= 0 {
			return fmt.Errorf("the path has a control character")
		}
	case "base64":
		// Not the value itself: it is a secret.
		if _, err := base64.StdEncoding.DecodeString(c.Base64); err != nil {
			return fmt.Errorf("is not base64: %w", err)
		}
	default:
		if !utf8.ValidString(c.Text) {
			return fmt.Errorf("is not UTF-8 text: write { base64 = \"…\" }")
		}
	}
	return nil
}

// checkCredentialName: what systemd takes for the name of a credential: a file name of
// printable ASCII without a colon.
func checkCredentialName(name string) error {
	odd := strings.IndexFunc(name, func(r rune) bool { return r < ' ' || r > '~' || r == ':' || r == '/' }) >= 0
	switch {
	case name == "" || name == "." || name == ".." || odd:
		return fmt.Errorf("%s is not the name of a credential: it has printable ASCII characters but : and /", show(name))
	case len(name) > maxCredentialName:
		return fmt.Errorf("the name of a credential has %d characters at most", maxCredentialName)
	}
	return nil
}

func checkCredentials(all map[string]Credential, fail report) {
	size := 0
	for _, name := range slices.Sorted(maps.Keys(all)) {
		c, path := all[name], joinPath("credentials", name)
		if err := checkCredentialName(name); err != nil {
			fail(path, "%s", err)
		} else if err := c.check(); err != nil {
			fail(path, "%s", err)
		}
		if data, err := c.Bytes(); err == nil {
			size += len(name) + len(data)
		}
	}
	if size > MaxCredentials {
		fail("credentials", "are %d bytes: the most is %d", size, MaxCredentials)
	}
}
