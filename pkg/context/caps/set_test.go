package caps

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// The words of the security document, kept apart from the list in the code.
const wantDropped = `SYS_MODULE SYS_RAWIO SYS_TIME MAC_ADMIN MAC_OVERRIDE SYSLOG WAKE_ALARM BLOCK_SUSPEND
	AUDIT_CONTROL AUDIT_READ AUDIT_WRITE PERFMON BPF CHECKPOINT_RESTORE SYS_PACCT`

func TestDefault(t *testing.T) {
	var gone Set
	for _, name := range strings.Fields(wantDropped) {
		c, err := Parse(name)
		if err != nil {
			t.Fatal(err)
		}
		gone |= c
	}
	if got, want := Default(), Set(1<<41-1)&^gone; got != want {
		t.Errorf("Default() = %v, want %v", got.Names(), want.Names())
	}
	for _, name := range []string{"CAP_SYS_ADMIN", "CAP_SETUID", "CAP_SETGID", "CAP_SETPCAP", "CAP_NET_ADMIN", "CAP_MKNOD", "CAP_SYS_CHROOT"} {
		if !slices.Contains(Default().Names(), name) {
			t.Errorf("%s is not kept", name)
		}
	}
}

func TestKept(t *testing.T) {
	for last, want := range map[int]Set{
		-1: 0,
		0:  1 << unix.CAP_CHOWN,
		37: Default(), // the three that came later are dropped anyway
		40: Default(),
		41: Default(), // a capability that isn't known here is dropped
		63: Default(),
	} {
		if got := Kept(last); got != want {
			t.Errorf("Kept(%d) = %v, want %v", last, got.Names(), want.Names())
		}
	}
}

func TestLast(t *testing.T) {
	text, err := os.ReadFile("/proc/sys/kernel/cap_last_cap")
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.TrimSpace(string(text)); strconv.Itoa(Last()) != want {
		t.Errorf("Last() = %d, the kernel says %s", Last(), want)
	}
}

func TestNamesAndNumbersAgree(t *testing.T) {
	if len(names) != unix.CAP_LAST_CAP+1 {
		t.Errorf("%d names, golang.org/x/sys knows %d", len(names), unix.CAP_LAST_CAP+1)
	}
	for name, c := range map[string]int{
		"CAP_CHOWN": unix.CAP_CHOWN, "CAP_SETPCAP": unix.CAP_SETPCAP, "CAP_SYS_MODULE": unix.CAP_SYS_MODULE,
		"CAP_SYS_ADMIN": unix.CAP_SYS_ADMIN, "CAP_SYS_RESOURCE": unix.CAP_SYS_RESOURCE, "CAP_SETFCAP": unix.CAP_SETFCAP,
		"CAP_MAC_OVERRIDE": unix.CAP_MAC_OVERRIDE, "CAP_AUDIT_READ": unix.CAP_AUDIT_READ,
		"cap_checkpoint_restore": unix.CAP_CHECKPOINT_RESTORE, "mknod": unix.CAP_MKNOD,
	} {
		if got, err := Parse(name); err != nil || got != 1<<c {
			t.Errorf("Parse(%q) = %#x, %v; want bit %d", name, got, err, c)
		}
	}
}

func TestNames(t *testing.T) {
	all := Set(1<<64 - 1).Names()
	if len(all) != 64 || all[40] != "CAP_CHECKPOINT_RESTORE" || all[41] != "CAP_41" || all[63] != "CAP_63" {
		t.Errorf("names of everything: %v", all)
	}
	if got := Set(0).Names(); len(got) != 0 {
		t.Errorf("names of nothing: %v", got)
	}
	for _, bad := range []string{"", "CAP_", "CAP_41", "ROOT", "CAP_CAP_CHOWN", "CHOWN "} {
		if _, err := Parse(bad); err == nil {
			t.Errorf("Parse(%q) took it", bad)
		}
	}
}
