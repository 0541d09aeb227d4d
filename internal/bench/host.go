package main

import (
	"bufio"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// idle is the load average above which figures are not to be trusted.
const idle = 0.5

// printHost says what the figures were measured on.
func (b *bench) printHost() {
	var u unix.Utsname
	unix.Uname(&u) // can't fail with a valid pointer
	fmt.Fprintf(b.out, "Linux %s, %d cores (%s), %s\n", unix.ByteSliceToString(u.Release[:]), runtime.NumCPU(),
		field("/proc/cpuinfo", "model name"), field("/etc/os-release", "PRETTY_NAME"))
	fmt.Fprintf(b.out, "%s, LXC %s, lxcfs %s; load %s\n", b.first(b.sysct.bin, "version"), b.first("/usr/bin/lxc-start", "--version"),
		strings.Trim(b.first("/bin/sh", "-c", "lxcfs --version 2>&1"), `"`), loadText())
	if l := load(); l > idle {
		fmt.Fprintf(b.out, "warning: the load average is %.2f: these are no figures to quote\n", l)
		b.note("the load average was %.2f at the beginning: these are no figures to quote", l)
	}
}

func (b *bench) printNotes() {
	b.note("load at the end %s", loadText())
	for _, n := range b.notes {
		fmt.Fprintf(b.out, "\n- %s", n)
	}
	fmt.Fprintln(b.out)
}

func (b *bench) first(argv ...string) string {
	text, err := b.output(argv...)
	if err != nil {
		return "?"
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}

// field gives the value of the first line with a name, as in /proc/cpuinfo.
func field(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "?"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
		if k, v, ok := strings.Cut(s.Text(), "="); ok && k == name {
			return strings.Trim(v, `"`)
		}
	}
	return "?"
}

func loadText() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "?"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

func load() float64 {
	first, _, _ := strings.Cut(loadText(), " ")
	l, _ := strconv.ParseFloat(first, 64)
	return l
}
