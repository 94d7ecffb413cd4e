#!/usr/bin/env bash
# Makes seed.sql again: installs the WordPress of the image into a throw-away MariaDB and dumps that. For another
# version of WordPress, or after a change of seed/content.php.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
image=${IMAGE:-localhost/try-it-now/wordpress:latest}
for program in podman mariadbd mariadb-install-db mariadb mariadb-dump; do
  command -v "$program" >/dev/null || { printf 'make-seed: %s is not installed\n' "$program" >&2; exit 1; }
done
podman image exists "$image" || {
  printf 'make-seed: there is no image %s; scripts/build-image.sh wordpress builds it\n' "$image" >&2
  exit 1
}

work=$(mktemp -d)
server=''
clean_up() {
  if [ -n "$server" ]; then
    kill "$server" 2>/dev/null || true
    wait "$server" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap clean_up EXIT

# The container's user has to get through to the socket.
chmod 0755 "$work"
mkdir "$work/socket" "$work/data"
socket=$work/socket/mariadb.sock
if ! mariadb-install-db --no-defaults --user=root --datadir="$work/data" \
  --auth-root-authentication-method=normal --skip-test-db >"$work/log" 2>&1 ; then
  tail -n 5 "$work/log" >&2
  exit 1
fi
mariadbd --no-defaults --user=root --datadir="$work/data" --socket="$socket" \
  --skip-networking --unix-socket=OFF --innodb-use-native-aio=0 >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
  if mariadb --no-defaults --socket="$socket" -e 'SELECT 1' >/dev/null 2>&1; then break; fi
  kill -0 "$server" 2>/dev/null || { tail -n 5 "$work/log" >&2; exit 1; }
  sleep 0.1
done
sql() { mariadb --no-defaults --socket="$socket" "$@"; }
sql -e "CREATE DATABASE shop CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_520_ci;
  CREATE USER shop@localhost IDENTIFIED BY 'shop'; GRANT ALL ON shop.* TO shop@localhost"

podman run --rm --network none --volume "$here/seed:/seed:ro" --volume "$work/socket:/run/try-it-now/database:ro" \
  --env TRY_IT_NOW_DATABASE_SOCKET=/run/try-it-now/database/mariadb.sock --env TRY_IT_NOW_DATABASE_NAME=shop \
  --env TRY_IT_NOW_DATABASE_USER=shop --env TRY_IT_NOW_DATABASE_PASSWORD=shop "$image" /seed/install.php

# One row a line, in the order of the keys: a change shows as what it is. Dates and versions stay
# out for the same reason.
{
  printf -- '-- The shop window as every visitor finds it. Made by make-seed.sh; not to be edited by hand.\n'
  printf 'SET NAMES utf8mb4;\n'
  mariadb-dump --no-defaults --socket="$socket" --skip-opt --create-options --compact --order-by-primary --quick \
    --default-character-set=utf8mb4 shop | sed -E '/^\/\*M?!/d; s/^(\) ENGINE=.*) AUTO_INCREMENT=[0-9]+/\1/'
} >"$work/seed.sql"
mv "$work/seed.sql" "$here/seed.sql"
chmod 0644 "$here/seed.sql"
printf 'make-seed: %s, %s bytes\n' "$here/seed.sql" "$(stat -c %s "$here/seed.sql")"
