#!/bin/sh
# What two instances must answer differently, without giving the key away.
sha256sum </var/lib/dokuwiki/data/meta/_htcookiesalt2
