#!/usr/bin/env bash
# usage: unpack-packages.sh ROOT PACKAGE...   As a hook of mmdebstrap: unpacks packages into the new file system without
# their install scripts and without what they depend on, and leaves out what dpkg is told to leave out of the others.
set -euo pipefail
root=$(realpath "$1")
shift
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
export APT_CONFIG=${MMDEBSTRAP_APT_CONFIG:?is set by mmdebstrap}
# As root: apt's own user may not write into this folder.
apt-get -q -o APT::Sandbox::User=root download "$@"
for package in *.deb; do
  dpkg-deb --fsys-tarfile "$package" | tar -x -C "$root" --keep-directory-symlink --wildcards \
    --exclude='./usr/share/man/*' --exclude='./usr/share/info/*' --exclude='./usr/share/locale/*' \
    --exclude='./usr/share/lintian/*'
done
