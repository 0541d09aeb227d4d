package figures

import (
	"bytes"
	"os"
	"slices"
	"strconv"

	"github.com/sysct/sysct/pkg/views"
)

// cpuInfo is the host's /proc/cpuinfo of a guest's CPUs. It is read when the guest
// gets other CPUs, and never else: all that changes in it is the clock rate.
type cpuInfo struct {
	of         []int
	paragraphs [][]byte
}

func (s *Source) readCPUInfo() {
	c := &s.cpuInfo
	if !slices.Equal(c.of, s.shot.CPUs) {
		text, err := os.ReadFile("/proc/cpuinfo")
		if err != nil {
			return // the paragraphs of before are better than none
		}
		c.of, c.paragraphs = append(c.of[:0], s.shot.CPUs...), parseCPUInfo(text, s.shot.CPUs)
	}
	s.shot.CPUInfo = c.paragraphs
}

// parseCPUInfo copies the paragraphs of some CPUs, in their order.
func parseCPUInfo(text []byte, cpus []int) [][]byte {
	found := make([][]byte, len(cpus))
	for paragraph := range bytes.SplitSeq(text, []byte("\n\n")) {
		n, err := strconv.Atoi(string(views.CPUInfoValue(paragraph, "processor")))
		if i, ok := slices.BinarySearch(cpus, n); ok && err == nil {
			found[i] = append(bytes.Clone(bytes.Trim(paragraph, "\n")), '\n')
		}
	}
	return slices.DeleteFunc(found, func(p []byte) bool { return p == nil })
}
