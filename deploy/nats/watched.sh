#!/bin/sh
# watched.sh ADDRESS STORE PROGRAM [ARG...]: becomes PROGRAM, which is a nats-server with its monitoring at ADDRESS and its
# streams below STORE, and leaves a watch beside it. After its disk was full a nats-server stores nothing more until it is
# started again. Once the disk has room the watch ends it, and whoever started it starts it again, as they do at any end.
# docs/operations.md#nats-stores-nothing
set -u
address=$1 store=$2
shift 2
server=$$
# Seconds between two looks.
every=${NATS_WATCH_EVERY:-5}
# So many bad ones in a row: half a minute for what it says, and a minute and a half for silence.
LOOKS=6
# With less it would be full again at once; and a server of a cluster that starts on a full disk may forget a stream.
ROOM_KIB=16384

pause() { # SECONDS
  left=$1
  while [ "$left" -gt 0 ]; do
    sleep 1
    kill -0 "$server" 2>/dev/null || exit 0
    left=$((left - 1))
  done
}

# PATH: what the monitoring says. Fails where it takes the question and says nothing. Whatever it starts it waits for, as
# nobody else would: in a container nats-server is the first process, and BusyBox' timeout leaves a child to that one.
ask() {
  if command -v bash >/dev/null; then
    bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "GET %s HTTP/1.0\r\n\r\n" "$3" >&3 && exec cat <&3' \
      ask "${address%:*}" "${address##*:}" "$1" 2>/dev/null &
  else
    printf 'GET %s HTTP/1.0\r\n\r\n' "$1" | nc "${address%:*}" "${address##*:}" 2>/dev/null &
  fi
  question=$!
  # Not by looking whether it is there still: one that nobody has waited for is.
  (
    trap 'kill "$!" 2>/dev/null; wait; exit' TERM
    sleep $((2 * every)) &
    wait "$!"
    kill -KILL "$question"
  ) >/dev/null 2>&1 &
  alarm=$!
  wait "$question"
  how=$?
  kill -TERM "$alarm"
  wait "$alarm"
  # By the alarm.
  [ "$how" -ne 137 ]
}

# Why it stores nothing more. Nothing where it is well, starts, catches up, or has no monitoring.
trouble() {
  for path in /healthz /jsz; do
    said=$(ask "$path" 2>/dev/null) || said=${said:-nothing}
    case $said in
      nothing) echo "$path does not answer" && return ;;
      *'"error":'*'JetStream not enabled'*) echo 'JetStream is off' && return ;;
      *'"error":'*'write error'*) echo 'JetStream gave up on a write error' && return ;;
    esac
  done
}

# By taking it, since files run out as well, and a quota or a mount that is read-only is not in what df shows. Not where
# df says that there is too little: that is left to others.
has_room() {
  free=$(df -Pk "$store" 2>/dev/null | awk 'NR == 2 { print $4 }')
  [ "${free:-$ROOM_KIB}" -ge "$ROOM_KIB" ] || return 1
  taken=$store/.watched
  # Never through a link: who starts the watch may do more than the owner of the store.
  rm -f "$taken"
  (set -C && head -c $((ROOM_KIB * 1024)) /dev/zero >"$taken") 2>/dev/null
  had=$?
  rm -f "$taken"
  return "$had"
}

end() { # WHY
  line="watched.sh: ends nats-server, which stores nothing more, so that it is started again: $1"
  echo "$line" >&2
  kill -TERM "$server"
  (pause 10) && kill -0 "$server" 2>/dev/null || exit 0
  # 2.9 hangs then. The reason is what is seen last.
  echo "$line" >&2
  if [ "$server" -eq 1 ]; then
    # The first process of a container cannot be killed from within. This is Go's own signal, which writes much.
    kill -QUIT "$server"
  else
    kill -KILL "$server"
  fi
  exit 0
}

watch() {
  bad=0
  while :; do
    pause "$every"
    why=$(trouble)
    if [ -z "$why" ]; then
      bad=0
      continue
    fi
    bad=$((bad + 1))
    [ "$bad" -ge "$LOOKS" ] || continue
    if has_room; then
      end "$why"
    elif [ "$bad" -eq "$LOOKS" ]; then
      echo "watched.sh: nats-server stores nothing more, and has to wait for room on the disk of $store: $why" >&2
    fi
  done
}

watch &
exec "$@"
