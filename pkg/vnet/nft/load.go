package nft

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoProgram is the cause when the host has no nft.
var ErrNoProgram = errors.New("the program nft is missing: install the package nftables")

// Program is the path of the host's nft.
func Program() (string, error) {
	if path := Find("nft"); path != "" {
		return path, nil
	}
	return "", ErrNoProgram
}

// Find is the path of a program of the host's administrator; "": there is none. The
// directories are those of the system and not PATH's: who calls may have been started
// with any PATH, and those with such programs are often not in it.
func Find(name string) string {
	for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin", "/usr/bin", "/bin", "/run/current-system/sw/bin"} {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return path
		}
	}
	return ""
}

// Load gives a script to nft, which the kernel takes whole or not at all.
func Load(ctx context.Context, text string) error {
	program, err := Program()
	if err != nil {
		return fmt.Errorf("cannot load nft table: %w", err)
	}
	c := exec.CommandContext(ctx, program, "-f", "-")
	c.Stdin = strings.NewReader(text)
	c.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"}
	var said bytes.Buffer
	c.Stderr = &said
	if err := c.Run(); err != nil {
		return fmt.Errorf("cannot load nft table: %w: %s", err, firstLine(said.String()))
	}
	return nil
}

// Remove takes away an instance's table. One that isn't there is no error.
func Remove(ctx context.Context, tag string) error {
	there, err := exists(tag)
	if err != nil || !there {
		return err
	}
	name := TableName(tag)
	return Load(ctx, fmt.Sprintf("add table inet %s\ndelete table inet %s\n", name, name))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
