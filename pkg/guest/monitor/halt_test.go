package monitor

import (
	"testing"

	"golang.org/x/sys/unix"
)

// signals is a mask as /proc shows it.
func signals(list ...unix.Signal) (mask uint64) {
	for _, s := range list {
		mask |= 1 << (uint(s) - 1)
	}
	return mask
}

func TestWaysToHalt(t *testing.T) {
	for name, c := range map[string]struct {
		f    initFacts
		want string // the first way
		more int    // and how many follow
	}{
		"systemd":             {initFacts{exe: "systemd", held: signals(sigPoweroff, sigHalt)}, "SIGRTMIN+4 to init", 0},
		"systemd, caught":     {initFacts{exe: "systemd", caught: signals(sigPoweroff)}, "SIGRTMIN+4 to init", 0},
		"systemd, old":        {initFacts{comm: "systemd", held: signals(sigHalt)}, "SIGRTMIN+3 to init", 0},
		"systemd, early":      {initFacts{exe: "systemd"}, "", 0},
		"busybox":             {initFacts{exe: "busybox", comm: "init", argv0: "init", caught: signals(unix.SIGUSR2)}, "SIGUSR2 to init", 0},
		"busybox, early":      {initFacts{exe: "busybox", comm: "init", argv0: "init"}, "", 0},
		"a script of busybox": {initFacts{exe: "busybox", comm: "init", argv0: "sh"}, "`poweroff` inside", 2},
		"sysvinit":            {initFacts{exe: "init", comm: "init"}, "`/sbin/shutdown -h now` inside", 2},
		"openrc-init":         {initFacts{exe: "openrc-init"}, "`openrc-shutdown -p now` inside", 1},
		"runit":               {initFacts{exe: "runit"}, "`runit-init 0` inside", 2},
		"s6":                  {initFacts{exe: "s6-svscan"}, "`poweroff` inside", 1},
		"some program":        {initFacts{exe: "sleep", caught: signals(unix.SIGTERM)}, "`poweroff` inside", 2},
	} {
		ways := waysToHalt(&c.f)
		switch {
		case c.want == "" && len(ways) != 0:
			t.Errorf("%s: %v, want none yet", name, ways)
		case c.want != "" && (len(ways) != c.more+1 || ways[0].String() != c.want):
			t.Errorf("%s: %v, want %s and %d more", name, ways, c.want, c.more)
		}
	}
}

// An init that speaks through a FIFO of its own isn't given up while it boots.
func TestAsksByCommand(t *testing.T) {
	for want, all := range map[bool][]initFacts{
		true:  {{exe: "init", comm: "init"}, {exe: "runit"}, {exe: "openrc-init"}, {exe: "s6-svscan"}, {exe: "dash", comm: "init", argv0: "sh"}},
		false: {{exe: "systemd", comm: "systemd"}, {exe: "sleep", comm: "sleep"}, {exe: "bash", comm: "sh"}},
	} {
		for _, f := range all {
			if f.asksByCommand() != want {
				t.Errorf("%+v: %v", f, !want)
			}
		}
	}
}

const systemdStatus = `Name:	systemd
Umask:	0000
State:	S (sleeping)
Tgid:	1
NSpid:	4711	1
SigQ:	0/31347
SigPnd:	0000000000000000
ShdPnd:	0000000000000000
SigBlk:	7be3c0fe28014a03
SigIgn:	0000000000001000
SigCgt:	00000001000004ec
`

func TestParseStatus(t *testing.T) {
	f := parseStatus(systemdStatus)
	if f.comm != "systemd" || !f.listens(sigPoweroff) || !f.listens(unix.SIGSEGV) || f.listens(unix.SIGKILL) {
		t.Errorf("parseStatus = %+v", f)
	}
	if !firstBelow(systemdStatus) {
		t.Error("the first process of a pid namespace wasn't seen as one")
	}
	for _, other := range []string{"NSpid:\t1\n", "NSpid:\t4711\t2\n", "NSpid:\t4711\t8\t1\n", "Pid:\t1\n", ""} {
		if firstBelow(other) {
			t.Errorf("%q was taken for an init of a guest", other)
		}
	}
	if f := parseStatus("Name\nSigBlk:\tzz\n"); f.held != 0 {
		t.Errorf("nonsense was read as %+v", f)
	}
}

func FuzzParseStatus(f *testing.F) {
	f.Add(systemdStatus)
	f.Add("NSpid:")
	f.Fuzz(func(t *testing.T, text string) {
		waysToHalt(parseStatus(text))
		firstBelow(text)
	})
}
