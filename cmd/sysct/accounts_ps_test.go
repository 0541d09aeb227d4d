package main

import (
	"encoding/json"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sysct/sysct/pkg/guest"
)

// testProcesses looks at a process whose arguments are hostile, which runs as another user.
func testProcesses(t *testing.T, top string, sysct func(...string) string) {
	evil := command(top, "exec", "--user", "1000", "two", "--", "sh", "-c", "sleep 600; :", "evil\x1b[2J\nroot 1")
	if err := evil.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		evil.Process.Signal(syscall.SIGTERM) // which it passes on
		evil.Wait()
	}()
	var found *guest.Process
	for end := time.Now().Add(time.Minute); found == nil; time.Sleep(10 * time.Millisecond) {
		var all []guest.Process
		if err := json.Unmarshal([]byte(sysct("ps", "--json", "two")), &all); err != nil {
			t.Fatal(err)
		}
		inits := 0
		for i, p := range all {
			if p.GuestPid != nil && *p.GuestPid == 1 {
				inits++
			}
			if len(p.Args) == 4 && strings.HasPrefix(p.Args[3], "evil") {
				found = &all[i]
			}
		}
		if inits != 1 {
			t.Errorf("%d processes are the guest's first", inits)
		}
		if time.Now().After(end) {
			t.Fatal("the process isn't listed")
		}
	}
	if found.UID == nil || *found.UID != 1000 || found.HostUID < 65536 || found.GuestPid == nil || *found.GuestPid == found.Pid || found.Args[3] != "evil\x1b[2J\nroot 1" || found.Memory == 0 {
		t.Errorf("got %+v", found)
	}
	table := sysct("ps", "two", "--", "guest", "gpid", "uid,args")
	if !regexp.MustCompile(`(?m)^two +\d+ +1000 +sh -c sleep 600; : evil\\x1b\[2J\\nroot 1$`).MatchString(table) || !strings.HasPrefix(table, "GUEST  GPID  UID") {
		t.Errorf("got\n%s", table)
	}
	if lines := strings.Count(sysct("ps", "-H", "-o", "guest,pid"), "one "); lines < 2 {
		t.Errorf("ps of all has %d processes of the other guest", lines)
	}
}

// testDiskUse has a guest write a file and remove it.
func testDiskUse(t *testing.T, sysct func(...string) string) {
	measure := func() guest.DiskUse {
		t.Helper()
		var all []guest.DiskUse
		if err := json.Unmarshal([]byte(sysct("df", "--json", "two")), &all); err != nil {
			t.Fatal(err)
		}
		if len(all) != 1 || all[0].Used == nil || all[0].Files == nil || all[0].Size == nil || all[0].Error != nil {
			t.Fatalf("got %+v", all)
		}
		return all[0]
	}
	before := measure()
	sysct("exec", "two", "--", "sh", "-c", "dd if=/dev/zero of=/root/big bs=1M count=3 2>/dev/null && sync /root/big")
	after := measure()
	if grown := *after.Used - *before.Used; grown < 3<<20 || grown > 4<<20 {
		t.Errorf("3 MiB more: %d", grown)
	}
	table := sysct("df")
	if !regexp.MustCompile(`(?m)^NAME +BACKEND +USED +FILES +IMAGE +SIZE +AVAIL\none +\w+ +\d.*\ntwo +\w+ +[3-9]\.\dM `).MatchString(table) {
		t.Errorf("got\n%s", table)
	}
}
