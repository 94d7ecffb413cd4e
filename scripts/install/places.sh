# What is installed where: sourced by ../install.sh and ../uninstall.sh.
# shellcheck shell=bash
# shellcheck disable=SC2034 # used by them

PREFIX=${PREFIX:-/opt/try-it-now}
DESTDIR=${DESTDIR:-}
PREFIX=${PREFIX%/} DESTDIR=${DESTDIR%/}
readonly COMMAND=/usr/local/bin/try-it-now
# Where systemd looks after /etc/systemd/system: drop-ins of the operator there stay theirs.
readonly UNIT_DIR=/usr/local/lib/systemd/system
readonly CONFIG_DIR=/etc/try-it-now
readonly WORKER_UNITS=(try-it-now-worker.service try-it-now-podman.service)
# Beside them wherever the settings name a database server of several hosts.
readonly RELAY_UNIT=try-it-now-database-relay.service
readonly SERVER_UNITS=(try-it-now.service try-it-now-discovery.socket try-it-now-discovery.service)
# Of a server that holds no instances.
readonly SERVER_DROP_IN=$UNIT_DIR/try-it-now.service.d/without-engine.conf
readonly STATE_UNITS=(try-it-now-valkey.service try-it-now-nats.service)
readonly UNITS=("${WORKER_UNITS[@]}" "$RELAY_UNIT" "${SERVER_UNITS[@]}" "${STATE_UNITS[@]}")
# What `try-it-now fleet init` changes about units.
readonly FLEET_DROP_INS=(/etc/systemd/system/try-it-now-{valkey,nats,discovery}.service.d/try-it-now-fleet.conf)
# With DynamicUser the real folder is below private.
readonly DATA_DIRS=(
  /var/lib/try-it-now /var/lib/try-it-now-discovery /var/lib/try-it-now-valkey /var/lib/try-it-now-nats
  /var/lib/private/try-it-now-discovery /var/lib/private/try-it-now-valkey /var/lib/private/try-it-now-nats)

say() { printf '%s\n' "$*"; }
fail() { printf '%s\n' "$*" >&2; exit 1; }

# It is removed as a whole later, and written into units: a folder of its own, of characters
# that mean nothing to anybody.
require_sound_prefix() {
  if [[ ! $PREFIX =~ ^(/[A-Za-z0-9._-]+){2,}$ ]] || [[ $PREFIX/ == */../* || $PREFIX/ == */./* ]]; then
    fail "PREFIX is '$PREFIX'; it must be an absolute path of at least two folders of letters, digits, dots, - and _," \
      'such as /opt/try-it-now.'
  fi
}

package_version() { sed -n 's/^  "version": "\(.*\)",$/\1/p' "$1/package.json"; }
is_ours() { [ -f "$1/dist/main.js" ] && grep -q '"name": "try-it-now"' "$1/package.json" 2>/dev/null; }
