# Base images made of Debian packages, for machines without a registry: sourced by ../build-image.sh, which
# has say, fail, engine, is_present, $root, $name, $cache_dir, $work and $LABEL, wants $base set, and
# removes $unfinished when it ends.
# shellcheck shell=bash
# shellcheck disable=SC2154,SC2034 # set and used by build-image.sh

# Uses what an earlier run left: the base image itself, or its file system in the cache folder.
# Fails when neither is there.
use_debian_base() {
  local inputs
  inputs=$(recipe_inputs "$1")
  base=localhost/try-it-now/$name-base:$inputs
  if is_present "$base"; then return; fi
  [ -f "$(rootfs_path "$inputs")" ] || return 1
  import_rootfs "$inputs"
}

make_debian_base() {
  local inputs
  inputs=$(recipe_inputs "$1")
  base=localhost/try-it-now/$name-base:$inputs
  command -v mmdebstrap >/dev/null ||
    fail 'mmdebstrap is not installed, and without a registry it builds the base image; "make setup" installs it'
  mkdir -p "$cache_dir"
  # A second run for another engine waits here and then finds the file.
  exec 8>"$cache_dir/.lock"
  flock 8
  if [ ! -f "$(rootfs_path "$inputs")" ]; then build_rootfs "$1" "$inputs"; fi
  exec 8>&-
  import_rootfs "$inputs"
}

recipe_value() { sed -n "s/^$2=//p" "$1" | head -n 1; }
recipe_inputs() { grep -E '^(suite|variant|packages|unpacked|npm)=' "$1" | sha256sum | cut -c1-12; }
rootfs_path() { printf '%s/%s-base-%s.tar' "$cache_dir" "$name" "$1"; }

import_rootfs() {
  local answer
  say "importing the base file system $(rootfs_path "$1")"
  if answer=$(engine import --change "LABEL $LABEL=$1" "$(rootfs_path "$1")" "$base" 2>&1); then
    remove_other_bases
    return
  fi
  fail "the base file system cannot be imported: $(tail -n 1 <<<"$answer")"
}

# Bases of earlier recipes lose their name here; what is still built on them keeps its layers.
remove_other_bases() {
  local other
  engine image ls --format '{{.Repository}}:{{.Tag}}' | while read -r other; do
    if [[ $other == "localhost/try-it-now/$name-base:"* && $other != "$base" ]]; then
      engine image rm "$other" >/dev/null 2>&1 || true
    fi
  done
}

build_rootfs() {
  local recipe=$1 target suite sources=() options=() unpacked=() npm=() line hook
  target=$(rootfs_path "$2")
  suite=$(recipe_value "$recipe" suite)
  unfinished=$target.new.tar
  while read -r line; do sources+=("$line"); done < <(apt_sources "$suite")
  while read -r line; do options+=("--aptopt=$line"); done < <(apt_proxies)
  line=$(recipe_value "$recipe" unpacked)
  # shellcheck disable=SC2016 # the hook's own shell expands $1
  if [ -n "$line" ]; then
    hook=$(printf '%q "$1" %s' "$root/scripts/image/unpack-packages.sh" "${line//,/ }")
    unpacked=("--customize-hook=$hook")
  fi
  line=$(recipe_value "$recipe" npm)
  # shellcheck disable=SC2016 # the hook's own shell expands $1
  if [ -n "$line" ]; then
    command -v npm >/dev/null || fail 'npm is not installed, and without a registry it fetches the packages of the app'
    hook=$(printf '%q "$1" %s' "$root/scripts/image/install-npm-packages.sh" "${line//,/ }")
    npm=("--customize-hook=$hook")
  fi
  say "fetching and unpacking Debian $suite packages, this takes half a minute"
  # Documentation, manuals and translations are of no use in an image; licences stay. Java's package links a manual
  # all the same, and fails without the folder. What mmdebstrap writes of this machine (name, resolver, mirror, proxy)
  # is taken out again.
  # shellcheck disable=SC2016 # the hook's own shell expands $1
  if ! mmdebstrap --variant="$(recipe_value "$recipe" variant)" --include="$(recipe_value "$recipe" packages)" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*' \
    --essential-hook='mkdir -p "$1"/usr/share/man/man1' \
    ${unpacked[@]+"${unpacked[@]}"} ${npm[@]+"${npm[@]}"} \
    --customize-hook='rm -f "$1"/etc/apt/sources.list' \
    --customize-hook='rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap' \
    --customize-hook=': >"$1"/etc/hostname; : >"$1"/etc/resolv.conf' \
    ${options[@]+"${options[@]}"} \
    "$suite" "$unfinished" ${sources[@]+"${sources[@]}"} >"$work/mmdebstrap.log" 2>&1; then
    tail -n 15 "$work/mmdebstrap.log" >&2
    fail "mmdebstrap could not build the base file system; its last lines stand above"
  fi
  find "$cache_dir" -maxdepth 1 -name "$name-base-*.tar" ! -name '*.new.tar' -delete
  mv "$unfinished" "$target"
  unfinished=''
}

# The machine's own sources of that release, its security updates included; nothing when it has none, then mmdebstrap
# uses the official mirror.
apt_sources() {
  # shellcheck disable=SC2016 # the dollars are apt's
  apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
    'Created-By: Packages' 2>/dev/null |
    awk -v suite="$1" '
      $2 == "main" && ($1 == suite || $1 == suite "-updates" || $1 == suite "-security") { print "deb", $3, $1, $2 }
    ' | sort -u
}

apt_proxies() {
  apt-config dump --format '%F "%v";%n' 2>/dev/null | grep -E '^Acquire::https?::Proxy.* "[^"]+";$' || true
}
