package main

import (
	"encoding/json"
	"path/filepath"
)

// sysct is the program under test, with an instance of its own.
type sysct struct {
	b   *bench
	bin string
}

func (s *sysct) title() string            { return "sysct" }
func (s *sysct) name(short string) string { return "bench-s-" + short }

func (s *sysct) argv(v verb, name string, more ...string) []string {
	args := map[verb][]string{
		doStart: {"start", name}, doStop: {"stop", name}, doKill: {"stop", "-k", name},
		doExec: {"exec", name, "--"}, doFreeze: {"freeze", name}, doThaw: {"thaw", name},
		doConsole: {"console", name}, doDestroy: {"destroy", name},
		doClone: {"-q", "clone", name}, doSnapshot: {"-q", "clone", "-s", name},
		doInfo: {"info", name}, doList: {"ls"}, doListFancy: {"ls", "-f"},
		doTop: {"top", "-b", "-d", "0.05"}, doMetrics: {"metrics"},
	}
	return append(append([]string{s.bin}, args[v]...), more...)
}

// arguments are those of a kind's template.
func (k kind) arguments() []string {
	if k == debian {
		return []string{"-r", "bookworm", "--allow-expired"}
	}
	return nil
}

// template are the arguments that name a kind's image.
func (k kind) template() []string {
	return append([]string{"-t", k.String(), "--"}, k.arguments()...)
}

// make creates a guest on a directory, as LXC's are.
func (s *sysct) make(name string, k kind) error {
	if _, err := s.b.output(append([]string{s.bin, "-q", "create", name, "-B", "dir"}, k.template()...)...); err != nil {
		return err
	}
	return adapt(s.rootfs(name), k)
}

// creation is what a user types: the storage is sysct's choice.
func (s *sysct) creation(name string, k kind) ([]string, error) {
	return append([]string{s.bin, "-q", "create", name}, k.template()...), nil
}

func (s *sysct) rootfs(name string) string { return filepath.Join(s.b.dir, "lib", name, "rootfs") }

// monitor isn't asked for: an answer costs the monitor memory.
func (s *sysct) monitor(name string) (int, error) { return process("sysct-helper monitor " + name) }

type sysctInfo struct {
	Image string `json:"image"`
	Pid   int    `json:"pid"`
}

func (s *sysct) info(name string) (info sysctInfo, err error) {
	text, err := s.b.output(s.bin, "info", "--json", name)
	if err != nil {
		return info, err
	}
	return info, json.Unmarshal([]byte(text), &info)
}
