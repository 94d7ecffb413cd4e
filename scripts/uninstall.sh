#!/usr/bin/env bash
# Removes what `make install` made. Settings, keys and data stay, unless PURGE=1. Run it as often as you like.
# environment: PREFIX, DESTDIR as for the install; PURGE=1 removes /etc/try-it-now and /var/lib/try-it-now* as well
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/install/places.sh
. "$here/install/places.sh"

require_sound_prefix
if [ -z "$DESTDIR" ] && [ "$(id -u)" -ne 0 ]; then fail "Removing $PREFIX needs root: sudo make uninstall"; fi
if [ -e "$DESTDIR$PREFIX" ] && ! is_ours "$DESTDIR$PREFIX"; then
  fail "$DESTDIR$PREFIX is not an installation of Try It Now; nothing was removed."
fi

if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then
  for unit in "${UNITS[@]}"; do systemctl disable --now --quiet "$unit" 2>/dev/null || true; done
fi
for unit in "${UNITS[@]}"; do rm -f "$DESTDIR$UNIT_DIR/$unit"; done
rm -f "$DESTDIR$SERVER_DROP_IN"
rmdir "$(dirname "$DESTDIR$SERVER_DROP_IN")" 2>/dev/null || true
if [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
if grep -qs 'installed by Try It Now' "$DESTDIR$COMMAND"; then rm -f "$DESTDIR$COMMAND"; fi
rm -rf "$DESTDIR$PREFIX" "$DESTDIR$PREFIX.new" "$DESTDIR$PREFIX.old"

if [ "${PURGE:-}" = 1 ]; then
  rm -rf "$DESTDIR$CONFIG_DIR"
  # They name what is in there.
  for drop_in in "${FLEET_DROP_INS[@]}"; do
    rm -f "$DESTDIR$drop_in"
    rmdir "$(dirname "$DESTDIR$drop_in")" 2>/dev/null || true
  done
  for data in "${DATA_DIRS[@]}"; do rm -rf "$DESTDIR$data"; done
  say 'Try It Now is removed, with its settings, keys and data.'
else
  say "Try It Now is removed. Its settings ($CONFIG_DIR) and data (/var/lib/try-it-now*) are still there:" \
    'make uninstall PURGE=1 removes them too.'
fi
if [ -z "$DESTDIR" ]; then
  # The engines' own lists, for the program that would know more is gone.
  for engine in podman docker; do
    left=$("$engine" ps -aq --filter name=^demo- 2>/dev/null | wc -l) || continue
    if [ "$left" -gt 0 ]; then say "$left containers named demo-… are still there: $engine ps -a --filter name=^demo-"; fi
  done
fi
# Folders that other programs may share are left, unless a package or a test has them for itself and they are empty.
if [ -n "$DESTDIR" ] && [ -d "$DESTDIR" ]; then find "$DESTDIR" -mindepth 1 -type d -empty -delete; fi
