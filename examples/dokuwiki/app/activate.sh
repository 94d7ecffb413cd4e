#!/bin/sh
# Gives this wiki the key that its log-in cookies are made with; run once, as the activation.
set -eu
cd /var/lib/dokuwiki/data/meta
if [ -e _htcookiesalt2 ]; then
  echo 'This instance has been activated.' >&2
  exit 1
fi
printf '%s' "$TRY_IT_NOW_SEED" | sha256sum | cut -c1-64 | tr -d '\n' >_htcookiesalt2
