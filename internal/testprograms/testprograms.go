// Package testprograms gives tests the programs of this module that they run. It is for tests only.
package testprograms

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// directory is the variable that names the directory with programs that were built before, for a machine without Go.
const directory = "SYSCT_TEST_PROGRAMS"

// Build makes a program of cmd, with a build tag or "", at path.
func Build(path, program, tag string) error {
	if dir := os.Getenv(directory); dir != "" {
		return copyTo(path, filepath.Join(dir, Name(program, tag)))
	}
	cmd := exec.Command("go", "build", "-tags", tag, "-o", path, "github.com/sysct/sysct/cmd/"+program)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as they are installed: static, for guests too
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %s: %w\n%s", program, err, out)
	}
	return nil
}

// Name is what the file of a program is called in that directory.
func Name(program, tag string) string { return strings.TrimSuffix(program+"-"+tag, "-") }

func copyTo(path, from string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}
