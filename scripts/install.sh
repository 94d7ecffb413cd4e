#!/usr/bin/env bash
# Installs the built program for a host of its own, or upgrades it. Run it by `make install`, as often as you like; it
# starts nothing.
# environment: PREFIX (default /opt/try-it-now), DESTDIR (a folder that stands for /, for packages and tests)
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
  node=$(command -v node)
  case $(readlink -f "$node") in
    /home/* | /root/*)
      fail "Node is at $node, in somebody's home, where no service may look." \
        'Install Node for the whole system first.'
      ;;
  esac
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
  mkdir -p "$draft/scripts"
  cp -R "$root/scripts/uninstall.sh" "$root/scripts/install" "$draft/scripts/"
  rm -f "$draft/dist/.built"
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
  for unit in "${UNITS[@]}"; do install_file 644 "$root/deploy/systemd/$unit" "$UNIT_DIR/$unit"; done
}

# Never over what is there: from the first install on it is the operator's.
install_settings() {
  install -d -m 755 "$DESTDIR$CONFIG_DIR"
  install -d -m 700 "$DESTDIR$CONFIG_DIR/secrets"
  install_setting 600 "$root/deploy/try-it-now.env" "$CONFIG_DIR/try-it-now.env"
  # Read by services with users of their own. A password in them: chmod 640, and a group that the service has.
  install_setting 644 "$root/deploy/valkey/try-it-now.conf" "$CONFIG_DIR/valkey.conf"
  install_setting 644 "$root/deploy/nats/try-it-now.conf" "$CONFIG_DIR/nats.conf"
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
  say "Try It Now $version is installed in $DESTDIR$PREFIX, its settings are in $DESTDIR$CONFIG_DIR." \
    'Nothing was started.'
  if [ -n "$DESTDIR" ]; then return; fi
  if [ ! -d /run/systemd/system ]; then
    say 'No systemd runs here, so start the parts your own way: try-it-now serve, and try-it-now discovery;' \
      "$PREFIX/docs/deployment.md says what they need."
  elif [ "$upgraded" = yes ]; then
    say "Next: read $PREFIX/CHANGELOG.md, then"
    say '  systemctl daemon-reload'
    say '  systemctl restart try-it-now-discovery try-it-now     # visitors in their instances notice neither'
  else
    say "Next: edit $CONFIG_DIR/try-it-now.env, see to Caddy ($PREFIX/docs/deployment.md), then"
    say '  systemctl daemon-reload'
    say '  systemctl enable --now try-it-now-valkey try-it-now-nats try-it-now-podman try-it-now-discovery try-it-now'
  fi
}

require_sound_request
draft=$DESTDIR$PREFIX.new version=$(package_version "$root") upgraded=no
if [ -e "$DESTDIR$PREFIX" ]; then upgraded=yes; fi
rm -rf "$draft"
mkdir -p "$(dirname "$draft")"
trap 'rm -rf "$draft" "$draft.file"' EXIT
install_program
install_services
install_settings
say_what_next
