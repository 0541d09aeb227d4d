package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/sysct/sysct/internal/testprograms"
	"github.com/sysct/sysct/internal/vm/machine"
)

// writePrograms makes the drive with the programs: in root what is installed, in tests a directory for each package that has its test program
// and its testdata.
func writePrograms(ctx context.Context, tree, image string, tests []target) error {
	if err := installInto(filepath.Join(tree, "root")); err != nil {
		return err
	}
	for _, t := range tests {
		if err := buildTest(ctx, t, filepath.Join(tree, "tests", t.Package)); err != nil {
			return err
		}
	}
	if len(tests) > 0 {
		if err := buildExtra(ctx, filepath.Join(tree, "programs")); err != nil {
			return err
		}
		if err := buildPackages(tree+"-source", filepath.Join(tree, "packages")); err != nil {
			return err
		}
	}
	return machine.WriteImage(ctx, tree, image, 64<<20)
}

// installInto lays out what the package installs.
func installInto(root string) error {
	files := map[string]string{
		"bin/sysct":                           "usr/bin/sysct",
		"internal/helperbin/bin/sysct-helper": "usr/lib/sysct/sysct-helper",
		"internal/helperbin/bin/sysct-net":    "usr/lib/sysct/sysct-net",
		"etc/sysct.toml":                      "etc/sysct/sysct.toml",
	}
	for pattern, dir := range map[string]string{
		"etc/systemd/*": "usr/lib/systemd/system", "etc/tmpfiles.d/*": "usr/lib/tmpfiles.d", "etc/sysctl.d/*": "usr/lib/sysctl.d",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, f := range found {
			files[f] = filepath.Join(dir, filepath.Base(f))
		}
	}
	for from, to := range files {
		to = filepath.Join(root, to)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := command("cp", "-rL", from, to); err != nil {
			return fmt.Errorf("is sysct built? %w", err)
		}
	}
	return nil
}

// buildTest builds the test program of a package. Tests read testdata below their working directory.
func buildTest(ctx context.Context, t target, dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := build(ctx, "test", "-c", "-trimpath", "-ldflags=-s -w", "-tags", t.Tags, "-o", filepath.Join(dir, t.program()), "./"+t.Package); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(t.Package, "testdata")); err == nil {
		return command("cp", "-a", filepath.Join(t.Package, "testdata"), dir)
	}
	return nil
}

// buildExtra builds the programs that tests build for themselves where there is a Go.
func buildExtra(ctx context.Context, dir string) error {
	for _, tags := range []string{"", "failpoints", "protocol1"} {
		for _, p := range []string{"sysct", "sysct-helper", "sysct-net"} {
			name := testprograms.Name(p, tags)
			if err := build(ctx, "build", "-trimpath", "-ldflags=-s -w", "-tags", tags, "-o", filepath.Join(dir, name), "./cmd/"+p); err != nil {
				return err
			}
		}
	}
	return nil
}

// buildPackages makes Debian packages of three versions, each from a copy of the source whose changelog names that release. A good
// compression would take most of the time.
func buildPackages(source, dir string) error {
	for _, version := range []string{"0.1", "0.2", "0.3"} {
		from := filepath.Join(source, version)
		if err := os.MkdirAll(from, 0o755); err != nil {
			return err
		}
		if err := command("cp", "-a", "cmd", "etc", "internal", "pkg", "templates", "go.mod", "go.sum", "Makefile", "CHANGELOG.md", "README.md", "LICENSE", from); err != nil {
			return err
		}
		if err := command("sed", "-i", "1i ## ["+version+"]", filepath.Join(from, "CHANGELOG.md")); err != nil {
			return err
		}
		if err := command("env", "MAKEFLAGS=", "GIT_CEILING_DIRECTORIES="+source, "DEB_COMPRESSION=gzip", "make", "-C", from, "deb", "DISTDIR="+dir); err != nil {
			return err
		}
	}
	return os.RemoveAll(source)
}

func command(args ...string) error {
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("%s: %w", args[0], err), errors.New(string(out)))
	}
	return nil
}
