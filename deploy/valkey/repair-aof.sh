#!/bin/bash
# repair-aof.sh DIR: run before Valkey starts, with Valkey's folder. A power cut may leave zeros at the end of its log, and then
# it refuses to start ("Bad file format"). They are cut off, with `valkey-check-aof --fix`, after a copy of the log was made
# beside it. Whatever else is wrong with the log is left as it is, for a person to decide: docs/operations.md#valkey-refuses-its-log
set -euo pipefail
dir=${1:?usage: repair-aof.sh DIR}
log="$dir/appendonlydir"
shopt -s nullglob
manifests=("$log"/*.manifest)
[ "${#manifests[@]}" -eq 1 ] && command -v valkey-check-aof >/dev/null || exit 0
cd "$log"
manifest=${manifests[0]##*/}
report=$(valkey-check-aof "$manifest" 2>&1) && exit 0

# The file that is not whole is the last it speaks of.
analyzed=$(sed -n 's/^AOF analyzed: filename=\([^,]*\), size=\([0-9]*\), ok_up_to=\([0-9]*\),.*/\1 \2 \3/p' <<<"$report" | tail -n 1)
read -r file size good <<<"$analyzed" || exit 0
[ -f "$file" ] && [ "$good" -lt "$size" ] || exit 0

# What follows its last whole entry: the beginning of one more at most, and then nothing but zeros.
begun=$(tail -c +$((good + 1)) "$file" | tr -d '\0' | wc -c)
beginning() { head -c $((good + begun)) "$file" | tail -c +$((good + 1)); }
contiguous=$(beginning | tr -d '\0' | wc -c)
entries=$(beginning | grep -c -a '^\*' || true)
transaction=$(beginning | tr -d '\0\r\n' | cut -c 1-9 | head -n 1)
if [ "$begun" -ge $((size - good)) ] || [ "$contiguous" -ne "$begun" ]; then exit 0; fi
if [ "$entries" -gt 1 ] && [ "$transaction" != '*1$5MULTI' ]; then exit 0; fi

copy="$dir/appendonlydir.before-repair-$(date +%Y%m%dT%H%M%S)"
cp -a "$log" "$copy"
printf 'y\n' | valkey-check-aof --fix "$manifest" >/dev/null
echo "Cut $((size - good)) bytes that a power cut left off the end of $log/$file; the log as it was is in $copy"
