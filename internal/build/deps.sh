#!/bin/sh
# deps.sh [--list] GROUP...: installs with apt-get what is missing of the groups
# make, run (building and running guests), test, deb (testing the package), vm (machines for tests)
# and bench (what `make bench` compares with). With everything there it runs
# nothing; --list prints the missing packages instead of installing them.
set -u
PATH="${PATH:-/usr/bin:/bin}:/usr/local/sbin:/usr/sbin:/sbin"

# A program (by name) or a file (by path) whose absence means that the package is missing.
table() {
    cat <<'END'
make  make                                            make
run   /etc/ssl/certs/ca-certificates.crt              ca-certificates
run   mmdebstrap                                      mmdebstrap
run   /usr/share/keyrings/debian-archive-keyring.gpg  debian-archive-keyring
run   static-busybox                                  busybox-static
run   nft                                             nftables
run   dnsmasq                                         dnsmasq-base
test  mkfs.btrfs                                      btrfs-progs
test  mkfs.ext4                                       e2fsprogs
test  chattr                                          e2fsprogs
test  mkfs.xfs                                        xfsprogs
test  setfacl                                         acl
test  setcap                                          libcap2-bin
test  debootstrap                                     debootstrap
test  groff                                           groff-base
test  nsenter                                         util-linux
test  mount                                           mount
test  ps                                              procps
test  ip                                              iproute2
vm    mmdebstrap                                      mmdebstrap
vm    qemu-system-x86_64                              qemu-system-x86
vm    mkfs.ext4                                       e2fsprogs
bench lxc-start                                       lxc
bench lxcfs                                           lxcfs
bench /usr/share/lxc/config/debian.common.conf        lxc-templates
bench rsync                                           rsync
bench xz                                              xz-utils
test  promtool                                        prometheus
test  ssh-keygen                                      openssh-client
deb   lintian                                         lintian
deb   man                                             man-db
deb   fish                                            fish
deb   zsh                                             zsh
deb   /usr/share/bash-completion/bash_completion      bash-completion
END
}

# A guest's init must not need the host's libraries, and Debian has a busybox that
# does: such a program names its loader at the beginning of its file.
static_busybox() {
    for file in /bin/busybox /usr/bin/busybox /usr/sbin/busybox /bin/busybox.static; do
        [ -x "$file" ] && ! head -c 4096 "$file" | LC_ALL=C grep -q '/ld-[lm]' && return 0
    done
    return 1
}

there() {
    case $1 in
    static-busybox) static_busybox ;;
    /*) [ -s "$1" ] ;;
    *) command -v "$1" >/dev/null ;;
    esac
}

list=no
[ "${1:-}" = --list ] && { list=yes; shift; }
missing=$(
    table | while read -r group probe package; do
        for wanted in "$@"; do
            [ "$group" = "$wanted" ] && ! there "$probe" && echo "$package"
        done
    done | sort -u | tr '\n' ' '
)
missing=${missing% }
[ -n "$missing" ] || exit 0
[ $list = no ] || { echo "$missing"; exit 0; }

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "sysct needs these packages: $missing (only root with apt-get can install them here)" >&2
    exit 1
fi
echo "installing $missing"
export DEBIAN_FRONTEND=noninteractive
# Only promtool is wanted of prometheus, which would be started at once.
case " $missing " in *" prometheus "*)
    [ -e /usr/sbin/policy-rc.d ] || {
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod 755 /usr/sbin/policy-rc.d
    } ;;
esac
quiet() { # what it says is of interest only if it fails
    output=$("$@" </dev/null 2>&1) || { printf '%s\n' "$output" >&2; return 1; }
}
quiet apt-get -q update || echo "apt-get update failed: trying with the lists that are there" >&2
# shellcheck disable=SC2086 # a list of words
quiet apt-get -q -y --no-install-recommends install $missing || {
    echo "cannot install $missing" >&2
    exit 1
}
