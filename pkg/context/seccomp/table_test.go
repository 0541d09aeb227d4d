package seccomp

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var numberLine = regexp.MustCompile(`(?m)^\s+SYS_(\w+)\s*=\s*(\d+)$`)

// TestTable holds the table against the numbers in golang.org/x/sys, which follows the
// kernel: a call that a new version brings fails here until it gets a line.
func TestTable(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "golang.org/x/sys/unix").Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := strings.TrimSpace(string(out))
	for file, column := range map[string]func(*call) *int32{
		"zsysnum_linux_amd64.go": func(c *call) *int32 { return &c.amd64 },
		"zsysnum_linux_386.go":   func(c *call) *int32 { return &c.i386 },
		"zsysnum_linux_arm64.go": func(c *call) *int32 { return &c.arm64 },
		"zsysnum_linux_arm.go":   func(c *call) *int32 { return &c.arm },
	} {
		checkColumn(t, filepath.Join(dir, file), column)
	}
}

func checkColumn(t *testing.T, path string, column func(*call) *int32) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	upstream := make(map[string]int32)
	for _, m := range numberLine.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.ParseInt(m[2], 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		upstream[kernelName(strings.ToLower(m[1]))] = int32(n)
	}
	delete(upstream, "arch_specific_syscall") // the first of sixteen reserved numbers of arm64
	delete(upstream, "syscall_mask")          // of arm
	if len(upstream) < 300 {
		t.Fatalf("%s has %d numbers only", path, len(upstream))
	}
	table := calls // a copy, addressable
	for i := range table {
		n := *column(&table[i])
		if private := n >= 0xf0000; n == none || private {
			continue
		}
		if have, ok := upstream[table[i].name]; !ok || have != n {
			t.Errorf("%s: %s is %d in the table", filepath.Base(path), table[i].name, n)
		}
		delete(upstream, table[i].name)
	}
	for name, n := range upstream {
		t.Errorf("%s: the table lacks %s, %d", filepath.Base(path), name, n)
	}
}

// kernelName undoes the one renaming in golang.org/x/sys (on arm64).
func kernelName(name string) string {
	if name == "fstatat" {
		return "newfstatat"
	}
	return name
}

func TestTableHasNoDuplicates(t *testing.T) {
	names := make(map[string]bool)
	for i := range calls {
		if names[calls[i].name] {
			t.Errorf("%s stands twice in the table", calls[i].name)
		}
		names[calls[i].name] = true
	}
	for _, arch := range everyArch {
		for _, a := range arch.abis() {
			seen := make(map[int32]string)
			for i := range calls {
				n := a.number(&calls[i])
				if other, twice := seen[n]; n != none && twice {
					t.Errorf("%s: %s and %s are both %d", abiName(a), other, calls[i].name, n)
				}
				seen[n] = calls[i].name
			}
		}
	}
}
