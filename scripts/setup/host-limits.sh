# What the kernel counts by user number, over all containers and the host together: sourced by ../setup.sh.
# shellcheck shell=bash

readonly HOST_LIMITS=/etc/sysctl.d/60-try-it-now.conf
# So high that an instance runs out of its own memory first. src/doctor/shared-limits.ts has them as well.
readonly WANTED_HOST_LIMITS='fs.inotify.max_user_instances=1048576
fs.inotify.max_user_watches=8388608
fs.pipe-user-pages-soft=16777216
fs.aio-max-nr=16777216'

# One `key=value` a line that the kernel has too low now, or that the file lacks; 0 stands for no limit.
missing_host_limits() {
  local setting now
  while read -r setting; do
    now=$(cat "/proc/sys/$(tr . / <<<"${setting%%=*}")" 2>/dev/null) || continue
    if [ "$now" != 0 ] && [ "$now" -lt "${setting#*=}" ]; then printf '%s\n' "$setting"; fi
  done <<<"$WANTED_HOST_LIMITS"
}

# A host that does not let them be raised (a container) does without: doctor says so.
write_host_limits() {
  local setting
  write_system_file "$HOST_LIMITS" <<CONF
# Written by Try It Now's set-up: the kernel counts these by user number, over all containers together.
$WANTED_HOST_LIMITS
CONF
  while read -r setting; do
    printf '%s' "${setting#*=}" | as_root tee "/proc/sys/$(tr . / <<<"${setting%%=*}")" >/dev/null 2>&1 ||
      say "  ${setting%%=*} could not be raised on this host"
  done <<<"$1"
}
