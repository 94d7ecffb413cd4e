# Installing Debian packages: sourced by ../setup.sh, which has say, fail, as_root, $work and $debian.
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by setup.sh

readonly DEBIAN_KEYS=/usr/share/keyrings/debian-archive-keyring
readonly BACKPORTS_SOURCE=/etc/apt/sources.list.d/try-it-now-backports.sources
readonly BACKPORTS_PIN=/etc/apt/preferences.d/try-it-now-backports
readonly SERVICE_POLICY=/usr/sbin/policy-rc.d
readonly SERVICE_POLICY_MARK='Try It Now set-up'

# Asks nothing, keeps configuration files as they are, waits for another apt or dpkg, restarts no services. In English, as
# its messages are looked through, whatever sudo lets through of the environment.
apt_get() {
  as_root env LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive APT_LISTCHANGES_FRONTEND=none NEEDRESTART_MODE=l \
    apt-get -q -y -o DPkg::Lock::Timeout=600 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@" </dev/null 9<&-
}

# The address of the mirror this machine takes its Debian release from, as apt itself understands its sources.
debian_mirror() {
  # shellcheck disable=SC2016 # the dollars are apt's
  apt-get indextargets --no-release-info --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' \
    'Created-By: Packages' 2>/dev/null |
    awk -v codename="$(os_release VERSION_CODENAME)" \
      '$2 == "main" && ($1 == codename || $1 ~ /^(old)*stable$/) { print $3; exit }'
}

debian_keyring() {
  local file
  for file in "$DEBIAN_KEYS.gpg" "$DEBIAN_KEYS.pgp"; do
    if [ -r "$file" ]; then printf '%s' "$file"; return; fi
  done
  return 1
}

# Writes stdin to a system file that everyone may read.
write_system_file() {
  cat >"$work/system-file"
  as_root install -D -m "${2:-644}" "$work/system-file" "$1"
}

update_lists() {
  local try
  for try in $(seq 60); do
    if apt_get -o APT::Update::Error-Mode=any update >"$work/apt.log" 2>&1; then return; fi
    # apt waits for the lock of dpkg but not for the one of its lists, which a machine holds for a while after its boot.
    if ! grep -q 'Could not get lock' "$work/apt.log"; then break; fi
    if [ "$try" = 1 ]; then say '  another apt is running; waiting for it'; fi
    sleep 5
  done
  # One broken third-party source is no reason to stop: whether what we need can be had shows below.
  show_errors "$work/apt.log"
}

# The lines in which apt names what went wrong, or the last ones of its log when it named nothing.
show_errors() {
  { grep -E '^(E|W):' "$1" || tail -n 10 "$1"; } | head -n 10 | sed 's/^/  apt: /' >&2
}

# Valkey came into Debian after release 12, and the runsc of that release is slow: the backports of the same mirror have
# both. The source is added together with a pin that gives it no say over any other package: priority 1 neither upgrades
# nor replaces anything installed.
add_backports() {
  local mirror keyring
  [ "$debian" = 12 ] || return 0
  # A source that is there is used as it is. Our own one is written again: the machine's mirror may have moved since.
  # shellcheck disable=SC2016
  if [ ! -e "$BACKPORTS_SOURCE" ] &&
    apt-get indextargets --no-release-info --format '$(RELEASE)' 2>/dev/null | grep -qx 'bookworm-backports'; then
    return
  fi
  mirror=$(debian_mirror)
  keyring=$(debian_keyring) || fail 'the keys of the Debian archive are missing: install debian-archive-keyring first'
  if [ -z "$mirror" ]; then fail "apt has no source for bookworm main: set one up in /etc/apt/sources.list.d first"; fi
  say "  $BACKPORTS_SOURCE: Valkey and runsc for Debian 12, pinned so that no other package changes"
  added_backports=yes
  write_system_file "$BACKPORTS_PIN" <<PIN
# Written by Try It Now's set-up: of bookworm-backports only Valkey and runsc are taken. Delete together with
# $BACKPORTS_SOURCE.
Package: *
Pin: release n=bookworm-backports
Pin-Priority: 1

Package: valkey-server valkey-tools runsc
Pin: release n=bookworm-backports
Pin-Priority: 500
PIN
  write_system_file "$BACKPORTS_SOURCE" <<SOURCE
# Written by Try It Now's set-up, for Valkey and runsc; see $BACKPORTS_PIN.
Types: deb
URIs: $mirror
Suites: bookworm-backports
Components: main
Signed-By: $keyring
SOURCE
}

# Ends the set-up before anything is installed, and leaves apt as it was.
give_up() {
  if [ "$added_backports" = yes ]; then as_root rm -f "$BACKPORTS_SOURCE" "$BACKPORTS_PIN"; fi
  fail "$* Nothing was installed."
}

# Debian starts and enables a service as soon as its package is installed. Try It Now starts its servers itself, on
# ports of its own, so for the time of the install the usual policy file refuses starts. A policy that is already there
# stays. It holds only while this very process lives: a set-up that was killed cannot keep other services from starting.
hold_services() {
  local since
  if [ -e "$SERVICE_POLICY" ] && ! grep -q "$SERVICE_POLICY_MARK" "$SERVICE_POLICY"; then return; fi
  since=$(cut -d' ' -f22 /proc/$$/stat)
  write_system_file "$SERVICE_POLICY" 755 <<POLICY
#!/bin/sh
# $SERVICE_POLICY_MARK: no service is started while it installs packages. Safe to delete.
[ "\$(cut -d' ' -f22 /proc/$$/stat 2>/dev/null)" = "$since" ] && exit 101
exit 0
POLICY
}

allow_services() {
  if [ -e "$SERVICE_POLICY" ] && grep -q "$SERVICE_POLICY_MARK" "$SERVICE_POLICY"; then
    as_root rm -f "$SERVICE_POLICY"
  fi
}

# The units of freshly installed packages are not to start at the next boot either. Anyone who wants one enables it:
# those that the packages had enabled are in left_off, for tell_what_is_off.
disable_services() {
  local package path units=()
  for package in "$@"; do
    while read -r path; do
      case $path in
        *@.*) ;;
        */systemd/system/*.service | */systemd/system/*.socket | */systemd/system/*.timer) units+=("${path##*/}") ;;
        /etc/init.d/*) units+=("${path##*/}") ;;
      esac
    done < <(dpkg-query --listfiles "$package" 2>/dev/null)
  done
  for path in ${units[@]+"${units[@]}"}; do
    if command -v systemctl >/dev/null; then
      if [ "$(systemctl is-enabled "$path" 2>/dev/null)" = enabled ]; then left_off+=("$path"); fi
      as_root systemctl disable --now --quiet "$path" >/dev/null 2>&1 || true
    elif [ -e "/etc/init.d/$path" ] && command -v update-rc.d >/dev/null; then
      left_off+=("$path")
      as_root update-rc.d "$path" disable >/dev/null 2>&1 || true
    fi
  done
}

# An installation that uses one of them would be without it after the next boot.
tell_what_is_off() {
  if [ ${#left_off[@]} -eq 0 ]; then return; fi
  say "Set-up: off, now and at the next boot: ${left_off[*]%.service}." \
    'make up starts what it needs by itself. An installation needs those that it uses: systemctl enable --now NAME' \
    '(docs/deployment.md).'
}

install_packages() {
  local packages=("$@") package removed fresh=()
  added_backports=no
  # The command line of Docker is a package of its own since Debian 13.
  if [ "$debian" = 12 ]; then packages=("${packages[@]/#docker-cli/docker.io}"); fi
  case " ${packages[*]} " in *' valkey-'* | *' runsc '*) add_backports ;; esac
  say '  (fetching and installing takes a minute or two; apt waits for its turn if another install is running)'
  update_lists

  if ! apt-get -s --no-install-recommends install "${packages[@]}" >"$work/plan" 2>&1; then
    show_errors "$work/plan"
    give_up 'apt cannot install these packages. Is the network up, and does /etc/apt list a Debian mirror?'
  fi
  # busybox-static takes the place of busybox (same program, same path); nothing else may go.
  removed=$(awk '$1 == "Remv" && $2 != "busybox" { print $2 }' "$work/plan")
  if [ -n "$removed" ]; then
    removed=$(printf '%s' "$removed" | tr '\n' ' ')
    give_up "Installing would remove $removed: decide that by hand with apt-get install ${packages[*]}."
  fi
  while read -r package; do fresh+=("$package"); done < <(
    awk '$1 == "Inst" && $3 !~ /^\[/ { print $2 }' "$work/plan" |
      grep -xE 'containerd|'"$(IFS='|'; printf '%s' "${packages[*]}")"
  )

  hold_services
  if ! apt_get --no-install-recommends install "${packages[@]}" >"$work/apt.log" 2>&1; then
    show_errors "$work/apt.log"
    fail 'apt could not fetch or install everything, see above. Fix that and run this again: it continues from there.'
  fi
  disable_services ${fresh[@]+"${fresh[@]}"}
  allow_services
}
