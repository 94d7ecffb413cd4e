#!/bin/sh
# Runs while the image is built: puts our files into the base's WordPress. $1 is the user and group that it will run as.
set -eu
for place in /usr/share/wordpress /usr/src/wordpress; do
  if [ -f "$place/wp-load.php" ]; then wordpress=$place; fi
done
: "${wordpress:?there is no WordPress in this base image}"
# Nothing here may be a visitor's to add: what comes with WordPress but is not part of this shop goes.
rm -rf "$wordpress/wp-content/plugins/akismet" "$wordpress/wp-content/plugins/hello.php" "$wordpress/wp-config.php"
mkdir -p "$wordpress/wp-content"
cp -R /app/content/. "$wordpress/wp-content/"
rm -rf /app/content
mv /app/wp-config.php "$wordpress/wp-config.php"
chown -R "$1" "$wordpress/wp-content/uploads"
ln -s "$wordpress" /app/wordpress
