#!/bin/sh
# Draws the secrets of the fleet in compose.yaml, which runs this before anything else, and writes what its parts start
# with. A host's disk is the folder of its letter; each part has a folder there that is its user's alone. Secrets stay as
# they were drawn, and so do the files in which Valkey and Sentinel keep what they learn; the rest is written again.
# usage: set-up.sh DISKS (as root)
set -eu
umask 077
disks=$1
shipped=$(cd "$(dirname "$0")/../.." && pwd)

# The users of compose.yaml.
VALKEY=999:1000 SENTINEL=998:1000 NATS=65533:65533 CADDY=65532:65532 SERVER=65531:65531 WORKER=0:0
DISCOVERY=65534:65534 FRONT=65529:65529

folder() { # FOLDER OWNER [MODE]
  mkdir -p "$1"
  chown "$2" "$1"
  chmod "${3:-700}" "$1"
}

write() { # FILE OWNER: what comes in
  cat >"$1.new"
  chown "$2" "$1.new"
  mv "$1.new" "$1"
}

write_once() { # FILE OWNER: what comes in, unless it is there
  if [ -e "$1" ]; then cat >/dev/null; else write "$@"; fi
}

draw() { # NAME
  [ -s "$disks/drawn/$1" ] || od -An -v -N 24 -tx1 /dev/urandom | tr -d ' \n' | write "$disks/drawn/$1" 0:0
}

secret() { cat "$disks/drawn/$1"; }
hash() { sha256sum <"$disks/drawn/$1" | cut -d ' ' -f 1; }

give() { # FOLDER OWNER NAME...: a part with the secrets that it logs in with
  to=$1 owner=$2
  folder "$to" "$owner"
  shift 2
  for name in "$@"; do write "$to/$name" "$owner" <"$disks/drawn/$name"; done
}

# As docs/deployment.md has it with replicas. Addresses are announced, since whoever opens a connection on the loopback
# interface comes from 127.0.0.1.
valkey() { # ADDRESS
  cat "$shipped/valkey/try-it-now.conf"
  cat <<CONF

bind $1
replica-announce-ip $1
user default off ~* &* +@all
$(sed -n "s/^\(user try-it-now on\) #@PASSWORD@/\1 #$(hash valkey-password)/p" "$shipped/fleet/valkey.conf")
user replication on #$(hash replication-password) +psync +replconf +ping
user sentinel on #$(hash sentinel-login-password) allchannels +multi +exec +slaveof +replicaof +ping +info +role +subscribe +publish +config|rewrite +client|setname +client|kill +script|kill
masteruser replication
masterauth $(secret replication-password)
min-replicas-to-write 1
min-replicas-max-lag 10
CONF
  if [ "$1" != 127.10.0.1 ]; then echo 'replicaof 127.10.0.1 6379'; fi
}

sentinel() { # ADDRESS
  cat <<CONF
bind $1
port 26379
dir /host/sentinel
requirepass $(secret sentinel-password)
sentinel announce-ip $1
sentinel monitor try-it-now 127.10.0.1 6379 2
sentinel auth-user try-it-now sentinel
sentinel auth-pass try-it-now $(secret sentinel-login-password)
sentinel down-after-milliseconds try-it-now 5000
sentinel failover-timeout try-it-now 10000
CONF
}

# As docs/fleet.md has it as a cluster, with the rights that `fleet init` gives.
nats() { # LETTER ADDRESS
  route="nats-route://route:$(secret route-password)@127.10.0"
  cat <<CONF
server_name: host-$1
listen: "$2:4222"
http: "$2:8222"
jetstream { store_dir: "/host/nats/data", max_file_store: 1GB, max_memory_store: 64MB }
cluster {
  name: try-it-now
  listen: "$2:6222"
  authorization { user: "route", password: "$(secret route-password)" }
  routes: ["$route.1:6222", "$route.2:6222", "$route.3:6222"]
}
$(sed -n '/^TRY_IT_NOW_RIGHTS: {/,/^}/p' "$shipped/fleet/nats.conf")
authorization {
  users: [{ user: "try-it-now", password: "$(secret nats-password)", permissions: \$TRY_IT_NOW_RIGHTS }]
}
CONF
}

# The load balancer that is shipped: without TLS, on addresses of this machine, and before both proxies.
front() {
  sed -e 's#^\tadmin .*#\tadmin off#' -e '/^\ttls /d' -e 's/10\.0\.0\.1\([12]\):8080/127.10.0.\1:8080/g' \
    -e 's#^try\.example\.org {#http://:8080 {\n\tbind 127.0.0.1#' \
    -e 's#^\*\.demo\.example\.org {#http://:8000 {\n\tbind 127.0.0.1#' \
    -e 's#^\treverse_proxy 127\.0\.0\.1:8000$#\treverse_proxy 127.10.0.1:8000 127.10.0.2:8000 {\n\t\tfail_duration 2s\n\t\tlb_try_duration 5s\n\t}#' \
    "$shipped/caddy/Caddyfile.balanced"
}

folder "$disks/drawn" 0:0
for name in valkey-password replication-password sentinel-password sentinel-login-password nats-password \
  route-password operator-key; do draw "$name"; done

folder "$disks/front" "$FRONT"
front | write "$disks/front/Caddyfile" "$FRONT"

for letter in a b c; do
  case $letter in
    a) address=127.10.0.1 ;;
    b) address=127.10.0.2 ;;
    c) address=127.10.0.3 ;;
  esac
  disk=$disks/$letter
  folder "$disk" 0:0 755
  folder "$disk/valkey" "$VALKEY"
  valkey "$address" | write_once "$disk/valkey/valkey.conf" "$VALKEY"
  folder "$disk/sentinel" "$SENTINEL"
  sentinel "$address" | write_once "$disk/sentinel/sentinel.conf" "$SENTINEL"
  folder "$disk/nats" "$NATS"
  nats "$letter" "$address" | write "$disk/nats/nats.conf" "$NATS"
  write "$disk/nats/watched.sh" "$NATS" <"$shipped/nats/watched.sh"
  give "$disk/worker" "$WORKER" valkey-password sentinel-password nats-password
  if [ "$letter" = c ]; then continue; fi
  give "$disk/server" "$SERVER" valkey-password sentinel-password nats-password operator-key
  give "$disk/discovery" "$DISCOVERY" valkey-password sentinel-password
  folder "$disk/caddy" "$CADDY"
  printf '{\n\tadmin unix//host/caddy-admin/admin.sock{$ADMIN_SOCKET_MODE}\n}\n' | write "$disk/caddy/Caddyfile" "$CADDY"
  # Caddy makes its socket here; the server beside it may open it, and nobody else may.
  folder "$disk/caddy-admin" "${CADDY%:*}:${SERVER#*:}" 2770
done
