package autostart

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUnits(t *testing.T) {
	all := parse(t, "plain", "db*@-5 groups:data,night", "cache", "web* after:db requires:cache groups:night", "slow", "x* after:y", "y* after:x", "bad* broken")
	all[1].Delay = 2500 * time.Millisecond
	all[4].StopTimeout = 5 * time.Minute
	files := Units(all, "/var/lib/sys ct")
	var got strings.Builder
	for _, path := range slices.Sorted(maps.Keys(files)) {
		text, ok := strings.CutPrefix(files[path], "# Made by sysct of the configurations of guests, and made anew when they change.\n")
		if !ok {
			t.Errorf("%s doesn't say who made it", path)
		}
		got.WriteString("--- " + path + "\n" + strings.ReplaceAll(text, "\n\n", "\n"))
	}
	const want = `--- sysct-delay@db.service.d/50-sysct.conf

[Service]
Environment=DELAY=2.5
--- sysct-group@data.target.d/50-sysct.conf

[Unit]
Wants=sysct@db.service
After=sysct@db.service
--- sysct-group@night.target.d/50-sysct.conf

[Unit]
Wants=sysct@db.service sysct@web.service
After=sysct@db.service sysct@web.service
--- sysct@cache.service.d/50-sysct.conf

[Unit]
After=sysct-delay@db.service sysct@db.service
RequiresMountsFor="/var/lib/sys ct/cache"
--- sysct@db.service.d/50-sysct.conf

[Unit]
PartOf=sysct-group@data.target sysct-group@night.target
RequiresMountsFor="/var/lib/sys ct/db"
--- sysct@slow.service.d/50-sysct.conf

[Unit]
RequiresMountsFor="/var/lib/sys ct/slow"
[Service]
TimeoutStopSec=310
--- sysct@web.service.d/50-sysct.conf

[Unit]
After=sysct-delay@db.service sysct@cache.service sysct@db.service
PartOf=sysct-group@night.target
RequiresMountsFor="/var/lib/sys ct/web"
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
	for path := range files {
		dir, _, _ := strings.Cut(path, "/")
		if !IsOurs(dir) {
			t.Errorf("%s is not known as ours", dir)
		}
	}
	for _, dir := range []string{"sysct.service.d", "sysct-web.scope.d", "sysctl.d", "sshd@x.service.d", "sysct@x.service"} {
		if IsOurs(dir) {
			t.Errorf("%s is taken for ours", dir)
		}
	}
}
