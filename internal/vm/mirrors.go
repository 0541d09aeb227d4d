package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/sysct/sysct/internal/testimages"
	"github.com/sysct/sysct/pkg/images"
)

// debianKeyring is what Debian's mirrors are signed with, unless the host's apt sources say otherwise.
const debianKeyring = "/usr/share/keyrings/debian-archive-keyring.gpg"

// mirrors gives the lines of a sources.list by which a machine is made: from where a guest's image would come. Keys of the host's are
// left in dir.
func mirrors(dir, release string) ([]string, error) {
	template, err := images.Find(nil, "debian")
	if err != nil {
		return nil, err
	}
	recipe, err := template.Recipe(testimages.DebianArgs(release))
	if err != nil {
		return nil, err
	}
	var lines []string
	for i, m := range recipe.Source.Mirrors {
		key := debianKeyring
		if m.Key != nil {
			key = filepath.Join(dir, fmt.Sprintf("key-%d", i))
			if strings.HasPrefix(string(m.Key), "-----") {
				key += ".asc"
			}
			if err := os.WriteFile(key, m.Key, 0o644); err != nil {
				return nil, err
			}
		}
		for _, suite := range m.Suites {
			lines = append(lines, fmt.Sprintf("deb [signed-by=%s] %s %s %s", key, m.URI, suite, strings.Join(m.Components, " ")))
		}
	}
	return lines, nil
}
