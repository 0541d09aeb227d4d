#!/bin/sh
# version.sh VERSION EPOCH: the package's version for one of internal/build/version.sh and the
# time of its source. Releases are v1.2.3, v1.2.3-rc1 and, with commits after them,
# v1.2.3-4-gabcdef0; without any release before it there is the commit alone, which sorts by
# its time and below all releases.
set -u
version=${1:?usage: version.sh VERSION EPOCH}
dirty=
case $version in *-dirty) dirty=+0.dirty version=${version%-dirty} ;; esac
if [ "$version" != "${version#v}" ] || [ "$version" != "${version#*.}" ]; then
    version=$(echo "${version#v}" | sed 's/-\([0-9]*\)-g\([0-9a-f]*\)$/+\1.g\2/; s/-/~/g')
else
    version=0~git$(date -u -d "@${2:?}" +%Y%m%d%H%M%S).$version
fi
echo "$version$dirty-1"
