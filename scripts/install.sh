#!/usr/bin/env bash
# Installs the built program for a host of its own, or upgrades it. Run it by `make install`, as often as you like; it
# starts nothing.
# environment: PREFIX (default /opt/try-it-now), DESTDIR (a folder that stands for /, for packages and tests)
#   ROLE=all (default), worker (a further host: instances and nothing else), server (API, pages, discovery and the proxy's
#        site, and no instances) or state (Valkey and NATS); an upgrade keeps it
#   UNCHECKED=1  goes on where the program refuses this host's settings
#   JOIN=FILE  with ROLE=worker: the join token of the first host, - to be asked for it or to have it piped in; the
#              services are started then. NODE_NAME, NODE_ADDRESS: where this host's own name or address will not do
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=scripts/install/places.sh
. "$root/scripts/install/places.sh"

require_sound_request() {
  require_sound_prefix
  if [ -z "$DESTDIR" ] && [ "$(id -u)" -ne 0 ]; then fail "Installing to $PREFIX needs root: sudo make install"; fi
  [ -f "$root/dist/main.js" ] || fail 'There is nothing built to install; run make install, which builds first.'
  if [ -e "$DESTDIR$PREFIX" ] && ! is_ours "$DESTDIR$PREFIX"; then
    fail "$DESTDIR$PREFIX is there and is not an installation of Try It Now; move it away or choose another PREFIX."
  fi
  require_sound_role
  node=$(command -v node)
  case $(readlink -f "$node") in
    /home/* | /root/*)
      fail "Node is at $node, in somebody's home, where no service may look." \
        'Install Node for the whole system first.'
      ;;
  esac
}

require_sound_role() {
  local installed
  installed=$(cat "$DESTDIR$PREFIX/role" 2>/dev/null || echo "${ROLE:-all}")
  role=${ROLE:-$installed} JOIN=${JOIN:-}
  case $role in
    all) units=("${UNITS[@]}") ;;
    worker) units=("${WORKER_UNITS[@]}" "$RELAY_UNIT") ;;
    server) units=("${SERVER_UNITS[@]}") ;;
    state) units=("${STATE_UNITS[@]}") ;;
    *)
      fail "ROLE is '$role'; it is all (everything on this host), worker (instances), server (API and proxy, without" \
        'instances) or state (Valkey and NATS).'
      ;;
  esac
  if [ "$role" != "$installed" ]; then
    fail "This host is installed as ROLE=$installed; run make uninstall before it becomes $role. Nothing was changed."
  fi
  if [ -z "$JOIN" ]; then return; fi
  if [ "$role" != worker ]; then fail 'JOIN is for a further host: give ROLE=worker with it.'; fi
  if [ -n "$DESTDIR" ]; then fail 'JOIN is for the host itself, whose addresses count: leave DESTDIR out.'; fi
}

# What the program that comes says of this host's settings, as its services would have them.
ask_program() { # PROCESS
  local as_services
  as_services=$(sed '/^exec /d' "$root/deploy/try-it-now.sh")
  # shellcheck disable=SC2016 # for the shell that is started
  (cd / && env -i PATH="$PATH" sh -c "$as_services"$'\n''exec "$@"' sh "$node" "$root/dist/main.js" "$1" --check 2>&1)
}

# Newer or older, it may refuse what the installed one takes: then it is not swapped in, to stay down at its next start.
require_sound_settings() {
  local settings=$CONFIG_DIR/try-it-now.env processes=(serve discovery) each said why
  # Below DESTDIR the settings name files of another root, and of those that JOIN writes the program says so itself.
  if [ "$upgraded" = no ] || [ -n "$DESTDIR$JOIN" ] || [ ! -f "$settings" ]; then return; fi
  if [ "$role" = worker ]; then processes=(worker); fi
  for each in "${processes[@]}"; do
    if said=$(ask_program "$each"); then
      printf '%s\n' "$said" | sed -n '/^Note: /p'
      continue
    else
      why=$?
    fi
    # As src/config/exit-config.ts has it.
    if [ "$why" = 78 ]; then why="refuses this host's settings ($settings)"; else why='does not run on this host'; fi
    why="The program you install, Try It Now $version, $why:"$'\n'"$said"
    if [ "${UNCHECKED:-}" != 1 ]; then
      fail "$why"$'\n''Nothing was changed: what is installed goes on. Set this right first; with UNCHECKED=1 it is' \
        'installed all the same, and does not start before that is right.'
    fi
    say "$why"
    say 'It is installed all the same, as UNCHECKED=1 says.'
  done
}

# Before anything else: where the token will not do, nothing is installed.
join_fleet() {
  "$node" "$root/dist/main.js" fleet join --settings-dir "$CONFIG_DIR" --token-file "$JOIN" \
    ${NODE_NAME:+--name "$NODE_NAME"} ${NODE_ADDRESS:+--address "$NODE_ADDRESS"}
}

# Paths in the shipped files are those of a default install.
with_our_paths() { sed -e "s#/opt/try-it-now#$PREFIX#g" -e "s#/usr/bin/node#$node#g" "$1"; }

install_file() { # MODE FROM TO
  with_our_paths "$2" >"$draft.file"
  install -D -m "$1" "$draft.file" "$DESTDIR$3"
  rm -f "$draft.file"
}

# Complete beside the old one first, then in its place: an interrupted install leaves the old one whole.
install_program() {
  mkdir -p "$draft"
  cp -R "$root/dist" "$root/docs" "$root/package.json" "$root/README.md" "$root/CHANGELOG.md" "$root/LICENSE" "$draft/"
  cp -R "$root/deploy" "$draft/deploy"
  # Keys that somebody drew for compose.yaml, and what they set for it, are nobody else's to read.
  rm -rf "$draft/deploy/compose/secrets" "$draft/deploy/compose/files" "$draft/deploy/compose/.env"
  mkdir -p "$draft/scripts"
  cp -R "$root/scripts/uninstall.sh" "$root/scripts/install" "$draft/scripts/"
  rm -f "$draft/dist/.built"
  echo "$role" >"$draft/role"
  find "$draft/deploy" -type f -exec sed -i -e "s#/opt/try-it-now#$PREFIX#g" -e "s#/usr/bin/node#$node#g" {} +
  if [ "$(id -u)" -eq 0 ]; then chown -R 0:0 "$draft"; fi
  chmod -R u=rwX,go=rX "$draft"
  rm -rf "$DESTDIR$PREFIX.old"
  if [ -e "$DESTDIR$PREFIX" ]; then mv -T "$DESTDIR$PREFIX" "$DESTDIR$PREFIX.old"; fi
  mv -T "$draft" "$DESTDIR$PREFIX"
  rm -rf "$DESTDIR$PREFIX.old"
}

install_services() {
  local unit
  install_file 755 "$root/deploy/try-it-now.sh" "$COMMAND"
  for unit in "${units[@]}"; do install_file 644 "$root/deploy/systemd/$unit" "$UNIT_DIR/$unit"; done
  if [ "$role" = server ]; then install_file 644 "$root/deploy/systemd/without-engine.conf" "$SERVER_DROP_IN"; fi
}

# Never over what is there: from the first install on it is the operator's.
install_settings() {
  install -d -m 755 "$DESTDIR$CONFIG_DIR"
  install -d -m 700 "$DESTDIR$CONFIG_DIR/secrets"
  # A worker's are those of the fleet.
  if [ "$role" = worker ]; then return; fi
  if [ "$role" != state ]; then install_own_settings; fi
  if [ "$role" = server ]; then return; fi
  # Read by services with users of their own. A password in them: chmod 640, and a group that the service has.
  install_setting 644 "$root/deploy/valkey/try-it-now.conf" "$CONFIG_DIR/valkey.conf"
  install_setting 644 "$root/deploy/nats/try-it-now.conf" "$CONFIG_DIR/nats.conf"
}

install_own_settings() {
  local settings=$CONFIG_DIR/try-it-now.env
  if [ ! -e "$DESTDIR$settings" ]; then
    install_file 600 "$root/deploy/try-it-now.env" "$settings"
    if [ "$role" = server ]; then
      sed -i -e 's/^CONTAINER_MODE=.*/CONTAINER_MODE=none/' -e '/^PODMAN_SOCKET=/d' "$DESTDIR$settings"
    fi
  fi
  draw_key api-key
  draw_key operator-key
}

install_setting() { [ -e "$DESTDIR$3" ] || install_file "$@"; }

draw_key() {
  local file=$DESTDIR$CONFIG_DIR/secrets/$1
  if [ -e "$file" ]; then return; fi
  (umask 077 && od -An -N24 -tx1 /dev/urandom | tr -d ' \n' >"$file.new" && mv "$file.new" "$file")
}

say_what_next() {
  say "Try It Now $version is installed in $DESTDIR$PREFIX, its settings are in $DESTDIR$CONFIG_DIR."
  if [ -z "$JOIN" ]; then say 'Nothing was started.'; fi
  if [ -n "$DESTDIR" ]; then return; fi
  if [ "$role" = worker ]; then say_what_next_on_a_worker; return; fi
  if [ ! -d /run/systemd/system ]; then
    say 'No systemd runs here, so start the parts your own way: try-it-now serve, and try-it-now discovery;' \
      "$PREFIX/docs/deployment.md says what they need."
  elif [ "$upgraded" = yes ]; then
    say "Next: read $PREFIX/CHANGELOG.md, then"
    say '  systemctl daemon-reload'
    if [ "$role" = state ]; then
      say '  systemctl restart try-it-now-valkey try-it-now-nats     # visitors in their instances notice neither'
    else
      say '  systemctl restart try-it-now-discovery try-it-now     # visitors stay in their instances'
    fi
  elif [ "$role" = state ]; then
    say "Next: have $CONFIG_DIR/valkey.conf and nats.conf listen on the private network ($PREFIX/docs/fleet.md), then"
    say '  systemctl daemon-reload'
    say "  systemctl enable --now ${units[*]}"
  elif [ "$role" = server ]; then
    say "Next: say in $CONFIG_DIR/try-it-now.env where Valkey and NATS are, see to Caddy ($PREFIX/docs/deployment.md), then"
    say '  systemctl daemon-reload'
    say '  systemctl enable caddy && systemctl restart caddy'
    say "  systemctl enable --now ${units[*]}"
  else
    say "Next: edit $CONFIG_DIR/try-it-now.env, see to Caddy ($PREFIX/docs/deployment.md), then"
    say '  systemctl daemon-reload'
    say '  systemctl enable caddy && systemctl restart caddy    # and mariadb or postgresql, for templates with a database'
    say '  systemctl enable --now try-it-now-valkey try-it-now-nats try-it-now-podman try-it-now-discovery try-it-now'
  fi
}

say_what_next_on_a_worker() {
  if [ -n "$JOIN" ] && [ -d /run/systemd/system ]; then
    systemctl daemon-reload
    systemctl enable --now try-it-now-podman
    systemctl enable try-it-now-worker
    systemctl restart try-it-now-worker
    say 'Its services are started; on the first host, try-it-now nodes list shows it within seconds.'
  elif [ ! -d /run/systemd/system ]; then
    say 'No systemd runs here, so start the parts your own way: podman system service, and try-it-now worker.'
  elif [ "$upgraded" = yes ]; then
    say 'Next: systemctl daemon-reload && systemctl restart try-it-now-worker    # its instances go on'
  else
    say 'Next: try-it-now fleet join    # asks for what try-it-now fleet join-token prints on the first host; then'
    say "  systemctl daemon-reload && systemctl enable --now ${WORKER_UNITS[*]}"
  fi
}

require_sound_request
draft=$DESTDIR$PREFIX.new version=$(package_version "$root") upgraded=no
if [ -e "$DESTDIR$PREFIX" ]; then upgraded=yes; fi
rm -rf "$draft"
mkdir -p "$(dirname "$draft")"
trap 'rm -rf "$draft" "$draft.file"' EXIT
require_sound_settings
if [ -n "$JOIN" ]; then join_fleet; fi
install_program
install_services
install_settings
say_what_next
