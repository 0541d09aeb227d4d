package views

import (
	"bytes"
	"strconv"
)

// CPUInfo renders /proc/cpuinfo: the host's paragraphs of the guest's CPUs,
// numbered from 0. How many siblings and cores a package has is counted among
// them; its number and the cores' numbers are the host's.
func CPUInfo(b []byte, s *Snapshot) []byte {
	for i, paragraph := range s.CPUInfo {
		for line := range bytes.Lines(paragraph) {
			line = bytes.TrimSuffix(line, []byte("\n"))
			b = append(cpuInfoLine(b, s.CPUInfo, i, line), '\n')
		}
		b = append(b, '\n')
	}
	return b
}

// cpuInfoLine appends a line of the i-th paragraph.
func cpuInfoLine(b []byte, all [][]byte, i int, line []byte) []byte {
	key, _, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return append(b, line...)
	}
	n := 0
	switch string(bytes.TrimSpace(key)) {
	case "processor":
		n = i
	case "siblings":
		n = inPackage(all, CPUInfoValue(all[i], "physical id"), false)
	case "cpu cores":
		n = inPackage(all, CPUInfoValue(all[i], "physical id"), true)
	default:
		return append(b, line...)
	}
	b = append(append(b, key...), ": "...)
	return strconv.AppendInt(b, int64(n), 10)
}

// inPackage counts the CPUs of a package, or only those on cores that none before
// them is on.
func inPackage(all [][]byte, id []byte, cores bool) (n int) {
	for i, p := range all {
		if bytes.Equal(CPUInfoValue(p, "physical id"), id) && (!cores || firstOfCore(all[:i], p, id)) {
			n++
		}
	}
	return n
}

func firstOfCore(before [][]byte, p, id []byte) bool {
	core := CPUInfoValue(p, "core id")
	for _, q := range before {
		if bytes.Equal(CPUInfoValue(q, "physical id"), id) && bytes.Equal(CPUInfoValue(q, "core id"), core) {
			return false
		}
	}
	return true
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
