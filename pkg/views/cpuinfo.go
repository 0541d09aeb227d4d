package views

import (
	"bytes"
	"strconv"
)

// CPUInfo renders /proc/cpuinfo: the host's paragraphs of the guest's CPUs, numbered from 0.
// What they say of packages and cores is as [CPUFiles] has it.
func CPUInfo(b []byte, s *Snapshot) []byte {
	for i, paragraph := range s.CPUInfo {
		for line := range bytes.Lines(paragraph) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			b = append(cpuInfoLine(b, i, len(s.CPUInfo), line), '\n')
		}
		b = append(b, '\n')
	}
	return b
}

// cpuInfoLine appends a line of the i-th paragraph of n.
func cpuInfoLine(b []byte, i, n int, line []byte) []byte {
	key, _, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return append(b, line...)
	}
	value := 0
	switch string(bytes.TrimSpace(key)) {
	case "processor", "core id", "apicid", "initial apicid":
		value = i
	case "siblings", "cpu cores":
		value = n
	case "physical id":
	default:
		return append(b, line...)
	}
	b = append(append(b, key...), ": "...)
	return strconv.AppendInt(b, int64(value), 10)
}

// CPUInfoValue is what a paragraph of /proc/cpuinfo says of a key; nil if nothing.
func CPUInfoValue(paragraph []byte, key string) []byte {
	for line := range bytes.Lines(paragraph) {
		name, value, ok := bytes.Cut(line, []byte(":"))
		if ok && string(bytes.TrimSpace(name)) == key {
			return bytes.TrimSpace(value)
		}
	}
	return nil
}
