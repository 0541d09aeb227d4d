#!/bin/sh
# deb.sh GO DIRECTORY VERSION EPOCH: makes DIRECTORY/sysct_VERSION_ARCH.deb of what `make install`
# installs. One source makes one package: EPOCH, seconds, is the time of all that is in it.
set -eu
go=$1 out=$2 version=$3
export SOURCE_DATE_EPOCH="$4"
umask 022
cd "$(dirname "$0")/../.."
arch=$(dpkg --print-architecture)
maintainer="${DEBFULLNAME:-The authors of sysct} <${DEBEMAIL:-sysct@sysct.example}>"
date=$(LC_ALL=C date -u -R -d "@$SOURCE_DATE_EPOCH")

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/root doc=$work/root/usr/share/doc/sysct
mkdir -p "$root/DEBIAN" "$doc" "$root/usr/share/lintian/overrides"

"${MAKE:-make}" --no-print-directory install DESTDIR="$root" PREFIX=/usr \
    ZSH_COMPLETIONS=/usr/share/zsh/vendor-completions >"$work/log" || { cat "$work/log" >&2; exit 1; }

# licenses: those of what is linked into the programs.
licenses() {
    { echo "std $("$go" env GOROOT)"; "$go" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Dir}}{{end}}{{end}}' ./cmd/...; } |
        sort -u | while read -r module dir; do
            [ -n "$module" ] || continue
            file=$(find "$dir" -maxdepth 1 -name 'LICENSE*' -o -maxdepth 1 -name 'COPYING*' | sort | head -n 1)
            printf '\nFiles: usr/bin/sysct usr/lib/sysct/sysct-helper usr/lib/sysct/sysct-net\nComment: has %s\n' "$module" | sed 's/has std$/has the Go standard library/'
            holder=$(sed -n 's/^ *Copyright \((c) \)\{0,1\}\([0-9].*\)/\2/p' "$file" | head -n 1)
            printf 'Copyright: %s\n' "${holder:-the authors of $module}"
            if grep -q 'Apache License' "$file"; then
                echo 'License: Apache-2.0'
            else
                printf 'License: of-%s\n' "$(echo "$module" | tr / -)"
                sed 's/^[[:space:]]*$/./; s/^/ /' "$file"
            fi
        done
}

{ cat internal/packaging/copyright; licenses; } >"$doc/copyright"
cat >"$doc/changelog.Debian" <<END
sysct ($version) unstable; urgency=medium

  * What changed is in changelog.gz.

 -- $maintainer  $date
END
cp CHANGELOG.md "$doc/changelog"
cp README.md "$doc/README.md"
cp internal/packaging/lintian-overrides "$root/usr/share/lintian/overrides/sysct"
gzip -9n "$doc/changelog" "$doc/changelog.Debian" "$doc/README.md"
find "$root/usr/share/man" -type f -exec gzip -9n {} +

for script in postinst prerm postrm; do
    install -m 755 internal/packaging/$script "$root/DEBIAN/$script"
done
(cd "$root" && find etc -type f | sort | sed 's,^,/,') >"$root/DEBIAN/conffiles"
(cd "$root" && find . -type f ! -path './DEBIAN/*' ! -path './etc/*' | sed 's,^\./,,' | LC_ALL=C sort | xargs md5sum) >"$root/DEBIAN/md5sums"
size=$(du -k -s --apparent-size --exclude=DEBIAN "$root" | cut -f 1)
sed "s/@VERSION@/$version/; s/@ARCH@/$arch/; s/@MAINTAINER@/$maintainer/; s/@SIZE@/$size/" internal/packaging/control >"$root/DEBIAN/control"

mkdir -p "$out"
# One thread: the compressed bytes depend on how many there are.
DPKG_DEB_THREADS_MAX=1 dpkg-deb --root-owner-group ${DEB_COMPRESSION:+-Z"$DEB_COMPRESSION"} --build "$root" "$out/sysct_${version}_$arch.deb" >/dev/null
echo "built $out/sysct_${version}_$arch.deb"
