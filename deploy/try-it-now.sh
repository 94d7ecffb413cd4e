#!/bin/sh
# The command try-it-now, installed by Try It Now: for users who may read them, the settings of this host's services
# apply, except those that are in the environment already.
settings=/etc/try-it-now/try-it-now.env
# Names that came from the file. Of one that stands there twice the last line counts, as for systemd.
ours=' '
by_caller() {
  case $ours in *" $1 "*) return 1 ;; esac
  eval "[ -n \"\${$1+yes}\" ]"
}
# $trimmed is $1 without the blanks around it.
trim() {
  trimmed=${1#"${1%%[![:space:]]*}"}
  trimmed=${trimmed%"${trimmed##*[![:space:]]}"}
}
if [ -r "$settings" ]; then
  while IFS= read -r line || [ -n "$line" ]; do
    trim "$line"
    case $trimmed in [A-Z]*=*) line=$trimmed ;; *) continue ;; esac
    trim "${line%%=*}"
    name=$trimmed
    case $name in *[!A-Z0-9_]*) continue ;; esac
    trim "${line#*=}"
    value=$trimmed
    case $value in
      \"*\") value=${value#?} value=${value%?} ;;
      \'*\') value=${value#?} value=${value%?} ;;
    esac
    # Given by itself or by its _FILE, a setting of the caller goes before. Both in the file are for the program to refuse.
    by_caller "$name" || by_caller "${name%_FILE}" || by_caller "${name}_FILE" && continue
    ours="$ours$name "
    export "$name=$value"
  done <"$settings"
fi
exec /usr/bin/node /opt/try-it-now/dist/main.js "$@"
