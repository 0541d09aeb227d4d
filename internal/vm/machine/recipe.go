package machine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
)

// recipe is all that decides what a Base is.
type recipe struct {
	Format   int // of what is kept
	Release  string
	Packages []string
	Setup    string // a shell script that is run with the tree as its argument
	Agent    string // its digest
	QEMU     string // its version: another one may not load the state
	Machine  []string
}

// releases are those that machines can be made of.
func releases() []string { return []string{"bookworm", "trixie", "forky"} }

// packages are a machine's: what makes it a systemd host, what the tests call, and what helps to find out why one fails.
func packages() []string {
	return []string{
		"systemd", "systemd-sysv", "systemd-container", "dbus", "udev", "kmod", "libpam-systemd", "libnss-mymachines",
		"linux-image-cloud-amd64", "initramfs-tools", "zstd",
		"acl", "attr", "bash-completion", "btrfs-progs", "busybox-static", "dnsmasq-base", "e2fsprogs", "iproute2", "libcap2-bin", "man-db", "nftables", "openssh-client",
		"procps", "quota", "util-linux", "xfsprogs",
		"file", "less", "lsof", "psmisc", "strace",
	}
}

// setup makes the tree a machine of tests: nothing runs by the clock, which jumps when a saved state is loaded; the journal outlives
// a reboot; the initrd has what the emulated machine needs and no more; installing a package doesn't index all manual pages, which
// takes minutes there. The agent has CPUs of its own, so that there is a cpuset at all times: where the first comes and the last goes the
// kernel patches its page allocator, which an emulator with a thread for each CPU was seen not to bear (an oops by int3).
const setup = `set -eu
root=$1
echo vm >"$root/etc/hostname"
printf '127.0.0.1 localhost vm\n::1 localhost\n' >"$root/etc/hosts"
: >"$root/etc/fstab"
: >"$root/etc/machine-id"
mkdir -p "$root/var/log/journal" "$root/usr/lib/sysct-vm"
cat >"$root/etc/systemd/system/vm-agent.service" <<'END'
[Unit]
Description=Agent of the test machine
After=basic.target
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/lib/sysct-vm/agent
Restart=always
KillMode=process
TasksMax=infinity
LimitNOFILE=65536:524288
AllowedCPUs=0-1
OOMPolicy=continue
Environment=HOME=/root USER=root LANG=C.UTF-8 TERM=linux

[Install]
WantedBy=multi-user.target
END
ln -s ../vm-agent.service "$root/etc/systemd/system/multi-user.target.wants/vm-agent.service"
for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service fstrim.timer \
    man-db.timer systemd-tmpfiles-clean.timer xfs_scrub_all.timer nftables.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
mkdir -p "$root/etc/systemd/journald.conf.d"
printf '[Journal]\nStorage=persistent\nRateLimitBurst=0\nSyncIntervalSec=5s\n' >"$root/etc/systemd/journald.conf.d/vm.conf"
printf 'MODULES=list\nCOMPRESS=zstd\nRESUME=none\n' >"$root/etc/initramfs-tools/conf.d/vm"
printf 'virtio_pci\nvirtio_blk\next4\n' >>"$root/etc/initramfs-tools/modules"
rm -f "$root/var/lib/man-db/auto-update"
chroot "$root" update-initramfs -u -k all
`

// newRecipe reads the recipe of a release's Base. The agent is a program that has been built.
func newRecipe(release, agent string) (*recipe, error) {
	if !slices.Contains(releases(), release) {
		return nil, fmt.Errorf("no machine of %q can be made: there are %q", release, releases())
	}
	text, err := os.ReadFile(agent)
	if err != nil {
		return nil, err
	}
	version, err := exec.Command(emulator, "--version").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot run %s: %w", emulator, err)
	}
	sum := sha256.Sum256(text)
	return &recipe{
		Format: 1, Release: release, Packages: packages(), Setup: setup, Agent: hex.EncodeToString(sum[:]),
		QEMU: string(version), Machine: machineArgs(base{}),
	}, nil
}

// key names the Base of a recipe.
func (r *recipe) key() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings
	}
	sum := sha256.Sum256(text)
	return r.Release + "-" + hex.EncodeToString(sum[:8])
}
