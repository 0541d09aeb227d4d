//go:build vm

package cases

import (
	"strings"
	"testing"
)

// TestEventsAndStarts: on control groups v2 alone kills and refused forks are told of as they happen; a start's time counts where
// guests are units, and a masked or failed unit is found.
func TestEventsAndStarts(t *testing.T) {
	sh(t, "sysct create web -t busybox -c limits.memory=48M -c limits.pids=40")
	sh(t, "systemd-run --quiet --unit=follow --property=StandardOutput=file:/var/tmp/events sysct events -f")
	sh(t, "sysct start web")
	if _, status := try(t, "sysct exec web -- tail /dev/zero"); status != 128+9 {
		t.Errorf("the memory hog ended with %d", status)
	}
	soon(t, "grep -q 'web  oom  1 process killed, 48M limit' /var/tmp/events")
	try(t, "sysct exec web -- sh -c 'for i in $(seq 60); do sleep 30 & done'")
	soon(t, "grep -q 'web  pids  .* refused, limit of 40 processes' /var/tmp/events")
	sh(t, "sysct stop -k web")
	soon(t, "grep -q 'web  stop  killed' /var/tmp/events")

	sh(t, "sysct set web init.cmd='[\"/usr/bin/tail\", \"/dev/zero\"]'")
	try(t, "sysct start web")
	soon(t, "grep -q 'web  stop  oom' /var/tmp/events")
	if why := sh(t, "sysct why web"); !strings.Contains(why, "killed for lack of memory") {
		t.Errorf("why: %s", why)
	}
	soon(t, "sysct doctor web | grep -q 'sysct@web.service has failed'")

	sh(t, "sysct unset web init.cmd && sysct set web init.ready_cmd='[\"false\"]'")
	out, status := try(t, "sysct start -T 3 web")
	if status != 6 || !strings.Contains(out, "goes on starting") {
		t.Errorf("start -T of a guest that is never ready: %d, %s", status, out)
	}
	want(t, "sysct ls -1 --running", "web")
	sh(t, "sysct stop -k web")

	sh(t, "systemctl mask --quiet sysct@web.service")
	out, status = try(t, "sysct enable web")
	if status != 2 || !strings.Contains(out, "systemctl unmask sysct@web.service") {
		t.Errorf("enable of a masked unit: %d, %s", status, out)
	}
	want(t, "sysct get web autostart.enabled", "false")
	soon(t, "sysct doctor web | grep -q 'sysct@web.service is masked'")
	sh(t, "systemctl unmask --quiet sysct@web.service && sysct destroy web && systemctl stop follow")
}
