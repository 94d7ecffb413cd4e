#!/usr/bin/env bash
# Installs what Try It Now needs and this machine lacks, and nothing else. Run it as often as you like.
set -euo pipefail
# What other programs say is read here, and is the same in no other language.
export LC_ALL=C.UTF-8

readonly NODE_WANTED=20.19
usage() {
  cat <<'USAGE'
usage: scripts/setup.sh [--worker] [--with-tests] [--with-runsc] [--without-criu]
  --worker        for a further host of a fleet: no servers but the container engine
  --with-tests    also what the tests need: Docker, Chromium and a checker for metrics
  --with-runsc    also gVisor, for templates with `runtime: runsc`
  --without-criu  leave CRIU alone (without it every instance starts cold, which is slower)
With CONTAINER_MODE=simulated nothing is installed for containers; with CONTAINER_MODE=docker Docker instead of Podman.
USAGE
}

# One part a line: group, program looked for, Debian package, what it is for.
# runc and not crun: Debian 12's crun refuses hybrid cgroup layouts and is built without CRIU.
readonly PARTS='
base|make|make|runs the commands of this project: make up, make test
servers|nats-server|nats-server|the queue: work that takes longer than a click goes through NATS JetStream
servers|valkey-server|valkey-server|the state: who has which instance, until when
servers|valkey-cli|valkey-tools|looking into that state by hand
servers|caddy|caddy|the proxy between visitors and their instances
servers|openssl|openssl|makes the certificates that Valkey and NATS show to further hosts
databases|mariadbd|mariadb-server|a database for each instance whose app wants one; started by this project
databases|postgres|postgresql|the same for apps that want PostgreSQL; started by this project
podman|podman|podman|the container engine
podman|runc|runc|what Podman runs containers with; it can checkpoint them
podman|catatonit|catatonit|first process of each container: ends what an app leaves behind
podman|conmon|conmon|watches over each container for Podman
podman|netavark|netavark|container networks for Podman
podman|aardvark-dns|aardvark-dns|names on those networks
docker|dockerd|docker.io|the container engine Docker
docker|docker|docker-cli|builds the example images for Docker
containers|iptables|iptables|keeps instances away from each other, from this host and from the outside
containers|ipset|ipset|holds the addresses that instances may reach by name (egress.allow)
containers|ip|iproute2|keeps instances from seeing each other on their network; the tests play the outside world with it
containers|modprobe|kmod|loads the part of the kernel that those rules need on a bridge
containers|mariadb|mariadb-client|loads what a database is filled with, a dump as any app writes it
containers|mmdebstrap|mmdebstrap|builds the example images without a container registry
containers|busybox|busybox-static|a whole container image in 2 MB, for a first look and for the tests
runsc|runsc|runsc|gVisor: a kernel of its own around what runs in a container (`runtime: runsc` of a template)
tests|chromium|chromium|the tests click through the pages in a real browser
tests|chromium-headless-shell|chromium-headless-shell|the same browser for half the processor time, where a test needs no more
tests|fonts|fonts-liberation|letters for that browser
tests|promtool|prometheus|checks the metrics and the alert rules
tests|curl|curl|runs the commands of the operations page
tests|jq|jq|runs the script that brings previews to pull requests
tests|shellcheck|shellcheck|reads the shell scripts
tests|systemd-analyze|systemd|judges the units of systemd that are installed on hosts of their own
tests|docker-registry|docker-registry|a registry that the tests fetch images from
tests|python3|python3|runs the example of a client in Python
'

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/setup/apt.sh
. "$here/setup/apt.sh"
# shellcheck source=scripts/setup/criu.sh
. "$here/setup/criu.sh"
# shellcheck source=scripts/setup/podman-settings.sh
. "$here/setup/podman-settings.sh"
# shellcheck source=scripts/setup/host-limits.sh
. "$here/setup/host-limits.sh"
# shellcheck source=scripts/setup/runsc.sh
. "$here/setup/runsc.sh"

# shellcheck source=scripts/setup/chart-tools.sh
. "$here/setup/chart-tools.sh"

say() { printf '%s\n' "$*"; }
fail() { printf 'set-up: %s\n' "$*" >&2; exit 1; }

# True when the first dotted version is at least the second. Two numbers are compared, which is all we ask for.
at_least() {
  local a=${1#v} b=$2 a_minor b_minor
  a_minor=${a#*.} b_minor=${b#*.}
  a_minor=${a_minor%%[!0-9]*} b_minor=${b_minor%%[!0-9]*}
  a=${a%%.*} b=${b%%.*}
  ((a > b || (a == b && ${a_minor:-0} >= ${b_minor:-0})))
}

# Node runs everything else here, and which Node a machine has is its owner's choice: said first, never installed.
require_node() {
  local found='is not installed'
  if command -v node >/dev/null; then
    found="is version $(node --version)"
    if at_least "$(node --version)" "$NODE_WANTED"; then
      command -v npm >/dev/null || fail "npm is missing beside Node (on Debian: the package npm). Nothing was changed."
      return
    fi
  fi
  # What nvm and its like put into a home is on its owner's PATH alone.
  local own=''
  if [ -n "${SUDO_USER:-}" ]; then own=" If $SUDO_USER has another one: sudo env \"PATH=\$PATH\" make up."; fi
  fail "Node $NODE_WANTED or newer is needed, here it $found. See https://nodejs.org/en/download" \
    "(Debian 13 has it: apt install nodejs npm).$own Nothing was changed."
}

has_program() {
  case $1 in
    # The dynamic busybox of Debian's other package cannot live in an image without a libc.
    busybox)
      command -v busybox >/dev/null &&
        { [ ! -d /var/lib/dpkg/info ] || [ -e /var/lib/dpkg/info/busybox-static.list ]; }
      ;;
    # Debian keeps the programs of each version in a folder of its own.
    postgres) command -v postgres >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null ;;
    fonts) [ -n "$(find /usr/share/fonts /System/Library/Fonts -name '*.[to]t[fc]' -print -quit 2>/dev/null)" ] ;;
    *) command -v "$1" >/dev/null || [ -x "/usr/lib/podman/$1" ] || [ -x "/usr/libexec/podman/$1" ] ;;
  esac
}

# Fills missing_packages and missing_lines for the wanted groups.
find_missing() {
  local group program package purpose
  missing_packages=() missing_lines=''
  while IFS='|' read -r group program package purpose; do
    case " $wanted " in *" $group "*) ;; *) continue ;; esac
    if ! has_program "$program"; then
      missing_packages+=("$package")
      missing_lines+="  $package: $purpose"$'\n'
    fi
  done <<<"$PARTS"
  need_criu=no podman_settings='' host_limits='' runsc_settings='' chart_tools=''
  case " $wanted " in *' tests '*) chart_tools=$(missing_chart_tools) ;; esac
  case " $wanted " in *' runsc '*) runsc_settings=$(missing_runsc_settings) ;; esac
  case " $wanted " in *' containers '*) host_limits=$(missing_host_limits) ;; esac
  case " $wanted " in
    *' podman '*)
      if [ "$with_criu" = yes ] && ! criu_is_good; then need_criu=yes; fi
      podman_settings=$(missing_podman_settings)
      ;;
  esac
}

nothing_to_do() { [ ${#missing_packages[@]} -eq 0 ] && [ "$need_criu$podman_settings$host_limits$runsc_settings$chart_tools" = no ]; }

os_release() { sed -n "s/^$1=\"\{0,1\}\([^\"]*\)\"\{0,1\}$/\1/p" /etc/os-release; }

# Debian 12 and 13 are what the package names were tried on; any other system is only told what it lacks.
known_debian() {
  [ -r /etc/os-release ] || return 1
  debian=$(os_release VERSION_ID)
  case "$(os_release ID) $debian" in 'debian 12' | 'debian 13') ;; *) return 1 ;; esac
}

tell_unknown_system() {
  if [ ${#missing_packages[@]} -eq 0 ]; then
    say 'Set-up: every program is there.'
    if [ "$need_criu" = yes ]; then say '  (CRIU >= 4.2 is not, which is fine: instances start cold, only slower.)'; fi
    exit 0
  fi
  say 'This script installs on Debian 12 and 13 only and has changed nothing here.' \
    'Missing programs (with the name of their Debian package):'
  printf '%s' "$missing_lines"
  if [ "$need_criu" = yes ]; then
    say '  optional: criu >= 4.2: starts instances in a fraction of the time, from a checkpoint'
  fi
  say 'Install them your way and run this again. Without containers, CONTAINER_MODE=simulated needs the servers alone.'
  exit 1
}

# Root itself, else sudo after the plan was printed; without either the one command to run as root.
become_able() {
  if [ "$(id -u)" -eq 0 ]; then sudo=(); return; fi
  sudo=(sudo)
  if command -v sudo >/dev/null; then
    if sudo -n true 2>/dev/null; then return; fi
    if { true </dev/tty; } 2>/dev/null; then
      say 'Installing packages needs root; sudo asks for your password:'
      if sudo -v; then return; fi
    fi
  fi
  say 'Installing needs root, and sudo is not available here. Run this as root, then start again:' >&2
  printf '  CONTAINER_MODE=%q bash %q%s\n' "${CONTAINER_MODE:-auto}" "$here/setup.sh" "${given:+ $given}" >&2
  exit 1
}

as_root() { ${sudo[@]+"${sudo[@]}"} "$@"; }

main() {
  given="$*" with_criu=yes
  local with_tests=no with_runsc=no servers='servers databases'
  while [ $# -gt 0 ]; do
    case $1 in
      --worker) servers='' ;;
      --with-tests) with_tests=yes ;;
      --with-runsc) with_runsc=yes ;;
      --without-criu) with_criu=no ;;
      -h | --help) usage; exit 0 ;;
      *) usage >&2; exit 2 ;;
    esac
    shift
  done
  # What a user's PATH often lacks. First of all our own criu, see setup/criu.sh.
  PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
  require_node

  case ${CONTAINER_MODE:-auto} in
    simulated) wanted="base ${servers:+servers}" ;;
    docker) wanted="base $servers docker containers" ;;
    *) wanted="base $servers podman containers" ;;
  esac
  if [ "$with_tests" = yes ]; then wanted='base servers databases podman docker containers runsc tests'; fi
  if [ "$with_runsc" = yes ]; then wanted+=' runsc'; fi

  find_missing
  if ! known_debian; then tell_unknown_system; fi
  if nothing_to_do; then say 'Set-up: everything is there.'; exit 0; fi

  # One set-up at a time on this machine. The folder is only there to be locked; every user may open it.
  exec 9</var/lib/dpkg
  if ! flock --nonblock 9; then
    say 'Another set-up is running; waiting for it.'
    flock 9
    find_missing
    if nothing_to_do; then say 'Set-up: the other one installed everything.'; exit 0; fi
  fi

  say 'Set-up installs:'
  printf '%s' "$missing_lines"
  if [ -n "$podman_settings" ]; then say "$podman_settings"; fi
  if [ -n "$runsc_settings" ]; then say "$runsc_settings"; fi
  if [ -n "$chart_tools" ]; then say "$chart_tools"; fi
  if [ -n "$host_limits" ]; then say "  $HOST_LIMITS: limits that the kernel has for all containers of a user together"; fi
  if [ "$need_criu" = yes ]; then
    say "  criu (under $CRIU_HOME): starts instances in a fraction of the time, from a checkpoint; optional"
  fi
  become_able

  work=$(mktemp -d) left_off=()
  trap 'leave' EXIT
  chmod 755 "$work" # apt downloads as its own user
  if [ ${#missing_packages[@]} -gt 0 ]; then install_packages "${missing_packages[@]}"; fi
  if [ -n "$podman_settings" ]; then write_podman_settings; fi
  if [ -n "$runsc_settings" ]; then write_runsc_settings; fi
  if [ -n "$chart_tools" ]; then install_chart_tools; fi
  if [ -n "$host_limits" ]; then write_host_limits "$host_limits"; fi
  if [ "$need_criu" = yes ]; then install_criu; fi

  find_missing
  if [ ${#missing_packages[@]} -gt 0 ]; then
    printf 'Installed, yet these are not found on the PATH:\n%s' "$missing_lines" >&2
    exit 1
  fi
  say 'Set-up: done.'
  tell_what_is_off
}

leave() {
  allow_services
  rm -rf "$work"
}

main "$@"
