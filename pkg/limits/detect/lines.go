package detect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// cgroupLines gives the lines of /proc/self/mountinfo that are about cgroups. A host
// of many guests has hundreds of others, which are read past in little memory.
func cgroupLines() (string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	defer f.Close()
	return filter(f)
}

// filter keeps the lines that parse looks at. Longer ones than its buffer are left
// out: none about cgroups is.
func filter(r io.Reader) (string, error) {
	in := bufio.NewReaderSize(r, 4096)
	kept := make([]byte, 0, 2048) // what a hybrid host has
	for long := false; ; {
		line, err := in.ReadSlice('\n')
		if !long && err != bufio.ErrBufferFull && bytes.Contains(line, []byte(" - cgroup")) {
			kept = append(kept, line...)
		}
		long = err == bufio.ErrBufferFull
		switch {
		case errors.Is(err, io.EOF):
			return string(kept), nil
		case err != nil && !long:
			return "", fmt.Errorf("cannot read mountinfo: %w", err)
		}
	}
}
