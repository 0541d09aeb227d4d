package state

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// EphemeralMark is a file in the directory of a guest that is ephemeral and has booted:
// if it doesn't run, it is to be destroyed.
const EphemeralMark = ".ephemeral"

// LogFiles are all files of a guest's logs in their directory, of each the newest
// first, and the record of a boot, there or not.
func LogFiles(dir, name string) []string {
	files := Rotated(filepath.Join(dir, name+".log"))
	files = append(files, Rotated(filepath.Join(dir, name+".console.log"))...)
	return append(files, filepath.Join(dir, BootFile(name)))
}

// Rotated lists a log's files that are there, the newest first: LOG, LOG.1, LOG.2, …
func Rotated(path string) []string {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	numbers := []int{}
	for _, e := range entries {
		rest, found := strings.CutPrefix(e.Name(), filepath.Base(path))
		if !found {
			continue
		}
		if n, err := strconv.Atoi(strings.TrimPrefix(rest, ".")); rest == "" || err == nil && n > 0 && rest[0] == '.' {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	files := make([]string, len(numbers))
	for i, n := range numbers {
		files[i] = path
		if n > 0 {
			files[i] += "." + strconv.Itoa(n)
		}
	}
	return files
}
