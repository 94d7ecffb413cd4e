#!/bin/sh
# Runs while the image is built: makes the wiki and its one user. $1 is the user and group that it will run as.
set -eu
maintenance=/usr/share/mediawiki/maintenance
mkdir -p /data/cache /app/own /app/installed
php $maintenance/install.php --dbtype sqlite --dbpath /data --dbname wiki --server http://localhost --scriptpath '' \
  --confpath /app/installed --lang en --pass "$(head -c 18 /dev/urandom | base64)" 'Your wiki' Demo >/dev/null
# Ours reads what it wrote, and replaces the keys, which would be the same in every instance.
ln -sf /app/LocalSettings.php /etc/mediawiki/LocalSettings.php
php $maintenance/changePassword.php --user Demo --password demo
php $maintenance/edit.php --user Demo 'Main Page' </app/main-page.txt
php $maintenance/rebuildLocalisationCache.php --lang en >/dev/null
chown -R "$1" /data /app/own
