#!/bin/sh
# Gives this wiki the key that its log-in cookies are made with; run once, as the activation.
set -eu
cd /var/lib/dokuwiki/data/meta
if [ -e _htcookiesalt2 ]; then
  echo 'This instance has been activated.' >&2
  exit 1
fi
printf '%s' "$TRY_IT_NOW_SEED" | sha256sum | cut -c1-64 | tr -d '\n' >_htcookiesalt2
# The visitor's first step, which lets them in without a password and works once; the wiki keeps a hash of it.
token=$(printf 'first step %s' "$TRY_IT_NOW_SEED" | sha256sum | cut -c1-64)
printf '%s' "$token" | sha256sum | cut -c1-64 | tr -d '\n' >_firststep
printf '{"open":"/doku.php?firststep=%s&to={open}"}\n' "$token"
