package guest_test

import (
	"errors"
	"fmt"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sysct/sysct/internal/testimages"
)

// seenByDebian prints what the programs of a Debian guest say of its machine, a line each:
// what it is about, the program, the figure. /root/busybox asks sysinfo(2).
const seenByDebian = `
export LC_ALL=C TERM=dumb COLUMNS=200 TZ=UTC
echo kB meminfo $(awk '/^MemTotal/ {print $2}' /proc/meminfo)
echo kB free $(free | awk '/^Mem/ {print $2}')
echo kB vmstat $(vmstat -s | awk '/total memory/ {print $1}')
echo kB top $(top -bn1 -E k | sed -n 's/^KiB Mem : *\([0-9]*\) .*/\1/p')
echo kB busybox $(/root/busybox free | awk '/^Mem/ {print $2}')
echo fits free $(free | awk '/^Mem/ {print ($3 + $4 <= $2 && $7 <= $2)}')
echo fits vmstat $(vmstat -a | awk -v total=$(free | awk '/^Mem/ {print $2}') 'NR == 3 {print ($4 + $5 + $6 <= total)}')
echo fits busybox $(/root/busybox free | awk '/^Mem/ {print ($3 + $4 <= $2 && $7 <= $2)}')
echo cpus cpuinfo $(grep -c ^processor /proc/cpuinfo)
echo cpus stat $(grep -c '^cpu[0-9]' /proc/stat)
echo cpus top $(top -1 -bn1 | grep -o '^%Cpu[0-9]* .*' | grep -o '%Cpu[0-9]' | wc -l)
echo cpus getconf $(getconf _NPROCESSORS_ONLN)
echo affinity nproc $(nproc)
echo boot stat $(awk '/^btime/ {print $2}' /proc/stat)
echo boot uptime $(date +%s -d "$(uptime -s)")
echo boot lstart $(date +%s -d "$(ps -o lstart= -p 1)")
echo boot etimes $(($(date +%s) - $(ps -o etimes= -p 1)))
echo boot proc $(($(date +%s) - $(cut -d. -f1 /proc/uptime)))
echo minutes proc $(($(cut -d. -f1 /proc/uptime) / 60))
echo minutes uptime $(uptime | sed 's/.* up \([0-9]*\) min.*/\1/')
echo minutes top $(top -bn1 | sed -n '1s/.* up \([0-9]*\) min.*/\1/p')
echo minutes busybox $(/root/busybox uptime | sed 's/.* up \([0-9]*\) min.*/\1/')
for program in uptime "/root/busybox uptime" "top -bn1"; do
	echo load ${program##*/} $($program | sed -n '1s/.*load average: \([0-9.]*\),.*/\1/p')
done | tr -d . | sed 's/busybox uptime/busybox/; s/top -bn1/top/'
echo load proc $(cut -d' ' -f1 /proc/loadavg | tr -d .)
`

// machine is what a guest's limits make of its host.
type machine struct {
	kB, cpus, affinity int
	early, late        int64 // it has booted between these, in seconds since 1970
}

// TestDebianSeesItsLimits: the programs of a Debian guest agree with each other and with
// its limits, also after these were changed while it ran; and units that are shut in by
// systemd see the same as all others.
func TestDebianSeesItsLimits(t *testing.T) {
	args := testimages.DebianArgs("trixie")
	testimages.Prepare(t, args)
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		t.Fatal(err)
	}
	in := newInstance(t)
	in.create("web", "debian", "overlay", args...)
	in.set("web", "limits.memory=256M", "limits.cpus=1", "limits.cpu_quota=50%")
	m := machine{kB: 256 << 10, cpus: 1, affinity: 1, early: time.Now().Unix()}
	in.start("web")
	m.late = time.Now().Unix()
	in.ready("web")
	in.push("web", busybox, "/root/busybox")
	in.seesMachine("at the start", m)
	in.startedUp()

	// Its quota takes from the CPUs that it sees, and not from those that it runs on.
	m.kB, m.cpus, m.affinity = 320<<10, min(2, runtime.NumCPU()), min(2, runtime.NumCPU())
	in.set("web", "limits.memory=320M", fmt.Sprintf("limits.cpus=%d", m.cpus), "limits.cpu_quota=150%")
	in.seesMachine("with more of all", m)
	in.set("web", "limits.cpu_quota=50%")
	m.cpus = 1
	in.seesMachine("with a smaller quota", m)
	in.set("web", "limits.memory=192M", "limits.cpus=1")
	m.kB, m.affinity = 192<<10, 1
	in.seesMachine("with less", m)
	in.shutIn(m)
}

// seesMachine waits until all programs say what is so: an average of the load, or a minute,
// may go on between two of them.
func (in *instance) seesMachine(when string, m machine) {
	in.t.Helper()
	eventually(in.t, when+" all programs agree", func() error {
		out, status := in.run("web", "sh", "-c", seenByDebian)
		if lines := strings.Count(out, "\n"); status != 0 || lines != strings.Count(seenByDebian, "echo ")+2 {
			return fmt.Errorf("status %d, %d lines:\n%s", status, lines, out)
		}
		var wrong []error
		first := map[string]int64{}
		for line := range strings.Lines(out) {
			wrong = append(wrong, m.holds(line, first))
		}
		if err := errors.Join(wrong...); err != nil {
			return fmt.Errorf("%w; all:\n%s", err, out)
		}
		return nil
	})
	if in.t.Failed() {
		in.t.FailNow()
	}
}

// holds looks at a line of what is seen. first has the first figure of each matter.
func (m machine) holds(line string, first map[string]int64) error {
	f := strings.Fields(line)
	if len(f) != 3 {
		return fmt.Errorf("%q has no figure", line)
	}
	n, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil {
		return err
	}
	if _, ok := first[f[0]]; !ok {
		first[f[0]] = n
	}
	apart := max(n-first[f[0]], first[f[0]]-n)
	ok := false
	switch f[0] {
	case "kB":
		ok = n == int64(m.kB)
	case "fits":
		ok = n == 1
	case "cpus":
		ok = n == int64(m.cpus)
	case "affinity":
		ok = n == int64(m.affinity)
	case "boot": // whole seconds, cut or rounded
		ok = apart <= 1 && n >= m.early-1 && n <= m.late+1
	case "minutes":
		ok = apart == 0 && n < 60
	case "load": // in hundredths, cut or rounded; the host's own is that of all guests
		ok = apart <= 1
	}
	if !ok {
		return fmt.Errorf("wrong: %s", strings.TrimSpace(line))
	}
	return nil
}

// startedUp: the times that systemd has of its start are within those of the guest.
func (in *instance) startedUp() {
	in.t.Helper()
	eventually(in.t, "the start has ended", func() error {
		out, _ := in.run("web", "sh", "-c", "systemd-analyze time && cut -d. -f1 /proc/uptime")
		_, text, ok := strings.Cut(out, "Startup finished in ")
		took, _, found := strings.Cut(text, " (userspace)")
		lines := strings.Fields(out)
		if !ok || !found || strings.Contains(took, "(kernel)") {
			return errors.New(out)
		}
		d, err := time.ParseDuration(strings.NewReplacer("min", "m", " ", "").Replace(took))
		if err != nil {
			return err
		}
		up, err := strconv.Atoi(lines[len(lines)-1])
		if err != nil || d <= 0 || int(d/time.Second) > up {
			return fmt.Errorf("it took %v of %d s: %s, %v", d, up, out, err)
		}
		return nil
	})
}

// shutIn runs units that are kept from other processes, from devices, and that are given a
// secret: what is shown them is the guest's own too.
func (in *instance) shutIn(m machine) {
	in.t.Helper()
	const look = `awk '/^MemTotal/ {print $2}' /proc/meminfo; grep -c ^processor /proc/cpuinfo; free | awk '/^Mem/ {print $2}'`
	same := fmt.Sprintf("%d\n%d\n%d", m.kB, m.cpus, m.kB)
	unit := func(properties, script, want string) {
		in.t.Helper()
		in.want("web", "systemd-run -q --pipe --wait -p "+strings.Join(strings.Fields(properties), " -p ")+" sh -c "+quoted(script)+" 2>&1", want)
	}
	unit("ProtectProc=invisible User=nobody", "ls -d /proc/1 2>/dev/null; ls -d /proc/self; "+look, "/proc/self\n"+same)
	unit("PrivateDevices=yes", "ls -d /dev/fuse /dev/console /dev/mem 2>/dev/null; echo x >/dev/null && head -c2 /dev/zero | wc -c; "+look, "2\n"+same)
	in.run("web", "sh", "-c", "echo secret >/etc/mine; chmod 600 /etc/mine")
	unit("LoadCredential=mine:/etc/mine DynamicUser=yes ProtectProc=invisible PrivateDevices=yes ProtectSystem=strict",
		"cat /etc/mine 2>/dev/null; cat $CREDENTIALS_DIRECTORY/mine; test $(id -u) != 0 && echo other; "+look, "secret\nother\n"+same)
	in.want("web", "systemctl is-system-running --wait", "running")
}
