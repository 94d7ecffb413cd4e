#!/usr/bin/env bash
# usage: install-npm-packages.sh ROOT PACKAGE...   As a hook of mmdebstrap: puts npm packages into /opt/app of the new
# file system. Their install scripts do not run: they would build for this machine, not for the image.
set -euo pipefail
root=$(realpath "$1")
shift
mkdir -p "$root/opt/app"
npm install --prefix "$root/opt/app" --omit=dev --no-audit --no-fund --no-package-lock --ignore-scripts "$@"
# It records where this machine fetched them.
rm -f "$root/opt/app/node_modules/.package-lock.json"
