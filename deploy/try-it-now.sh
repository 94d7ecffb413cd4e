#!/bin/sh
# The command try-it-now, installed by Try It Now: for users who may read them, the settings of this host's services
# apply, except those that are in the environment already.
settings=/etc/try-it-now/try-it-now.env
if [ -r "$settings" ]; then
  while IFS= read -r line || [ -n "$line" ]; do
    case $line in [A-Z]*=*) ;; *) continue ;; esac
    name=${line%%=*} value=${line#*=}
    case $name in *[!A-Z0-9_]*) continue ;; esac
    case $value in
      \"*\") value=${value#?} value=${value%?} ;;
      \'*\') value=${value#?} value=${value%?} ;;
    esac
    # Given by itself or by its _FILE, a setting of the caller goes before.
    eval "given=\${$name+yes}\${${name%_FILE}+yes}\${${name}_FILE+yes}"
    [ -n "$given" ] || export "$name=$value"
  done <"$settings"
fi
exec /usr/bin/node /opt/try-it-now/dist/main.js "$@"
