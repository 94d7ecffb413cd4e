#!/usr/bin/env bash
# What happens to hosts, for those of the fleet in compose.yaml: docs/fleet.md#three-hosts-on-one-machine
#   ./hosts.sh off b    as if its power were cut: whatever runs there is killed, instances too
#   ./hosts.sh on b     and on again
#   ./hosts.sh remove   ends the trial and removes everything that it made, but the images
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if docker compose version >/dev/null 2>&1; then compose() { docker compose "$@"; }; else compose() { docker-compose "$@"; }; fi

fail() { echo "hosts: $*" >&2; exit 64; }

services_of() { # LETTER
  case $1 in a | b | c) ;; *) fail "there is no host ${1:-without a letter}; it is a, b or c" ;; esac
  compose config --services | grep -e "-$1\$"
}

off() {
  local services instances
  mapfile -t services < <(services_of "$1")
  compose kill "${services[@]}"
  mapfile -t instances < <(docker ps -q --filter label=try-it-now.deployment=fleet-trial --filter "label=try-it-now.node=host-$1")
  if [ "${#instances[@]}" -gt 0 ]; then docker kill "${instances[@]}" >/dev/null; fi
}

on() {
  local services
  mapfile -t services < <(services_of "$1")
  compose up -d --no-deps --no-recreate "${services[@]}"
}

# Instances are containers beside those of Compose, on a network that all three hosts share here; it goes with its rules.
remove() {
  local instances
  compose stop front server-a server-b worker-a worker-b worker-c
  mapfile -t instances < <(docker ps -aq --filter label=try-it-now.deployment=fleet-trial)
  if [ "${#instances[@]}" -gt 0 ]; then docker rm -f "${instances[@]}" >/dev/null; fi
  compose run --rm --no-deps worker-a clean-demos --yes --force
  compose down --volumes
}

case ${1:-} in
  off | on) "$1" "${2:-}" ;;
  remove) remove ;;
  *) fail 'say off or on and the letter of a host, or remove' ;;
esac
