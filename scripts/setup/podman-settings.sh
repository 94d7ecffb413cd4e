# What Podman must be told on some hosts, one file a setting: sourced by ../setup.sh.
# shellcheck shell=bash

readonly PODMAN_LIMITS=/etc/containers/containers.conf.d/50-try-it-now-limits.conf
readonly PODMAN_RUNTIME=/etc/containers/containers.conf.d/50-try-it-now-runtime.conf
readonly PODMAN_HOSTS=/etc/containers/containers.conf.d/50-try-it-now-hosts.conf
readonly CAP_SYS_RESOURCE_BIT=24

# True when some configuration of Podman on this host other than ours sets the key: what its
# owner chose is never overridden.
podman_sets() {
  local file
  for file in /etc/containers/containers.conf /etc/containers/containers.conf.d/*.conf; do
    case $file in "$PODMAN_LIMITS" | "$PODMAN_RUNTIME" | "$PODMAN_HOSTS" | "$PODMAN_RUNSC") continue ;; esac
    ! grep -qsE "^[[:space:]]*$1[[:space:]]*=" "$file" || return 0
  done
  return 1
}

# The limits every container may ask for on this host: files, then processes. Podman lowers its own limit of processes
# to kernel.pid_max, and a container's above that fails.
podman_ulimits() {
  local files processes most
  files=$(ulimit -Hn) processes=$(ulimit -Hu) most=$(cat /proc/sys/kernel/pid_max)
  files=${files/unlimited/1048576}
  if [ "$processes" = unlimited ] || [ "$processes" -gt "$most" ]; then processes=$most; fi
  printf '["nofile=%s:%s", "nproc=%s:%s"]' "$files" "$files" "$processes" "$processes"
}

# Podman asks for limits of its own for every container. Without CAP_SYS_RESOURCE nobody, not even root, can raise a
# limit above the hard one that is in force, and every container would fail to start.
needs_podman_limits() {
  local bounding
  [ -r /proc/self/status ] || return 1
  bounding=$(awk '/^CapBnd:/ { print $2 }' /proc/self/status)
  ! ((0x$bounding >> CAP_SYS_RESOURCE_BIT & 1)) && ! podman_sets default_ulimits &&
    ! grep -qsF "default_ulimits = $(podman_ulimits)" "$PODMAN_LIMITS"
}

# With crun beside runc Podman prefers crun, and Debian 12's crun starts nothing on a hybrid cgroup layout
# (version 1 with version 2 below "unified"). On any other host the default stays: the server itself asks
# its Podman service for runc.
needs_podman_runtime() {
  command -v crun >/dev/null && [ -d /sys/fs/cgroup/unified ] && ! podman_sets runtime && [ ! -e "$PODMAN_RUNTIME" ]
}

# Podman copies the host's own /etc/hosts into each container, so that an app would be told the host's names. Docker never
# does.
needs_podman_hosts() { ! podman_sets base_hosts_file && [ ! -e "$PODMAN_HOSTS" ]; }

# Prints the files to be written, one a line with the reason.
missing_podman_settings() {
  if needs_podman_limits; then
    printf '  %s: containers may ask for no more than this host'\''s own limits\n' "$PODMAN_LIMITS"
  fi
  if needs_podman_runtime; then
    printf '  %s: Podman uses runc, for crun refuses this host'\''s cgroup layout\n' "$PODMAN_RUNTIME"
  fi
  if needs_podman_hosts; then
    printf '  %s: containers are not told the names in this host'\''s /etc/hosts\n' "$PODMAN_HOSTS"
  fi
}

write_podman_settings() {
  if needs_podman_limits; then
    write_system_file "$PODMAN_LIMITS" <<CONF
# Written by Try It Now's set-up: this host lacks CAP_SYS_RESOURCE, so no limit can be raised above its hard one.
[containers]
default_ulimits = $(podman_ulimits)
CONF
  fi
  if needs_podman_runtime; then
    write_system_file "$PODMAN_RUNTIME" <<CONF
# Written by Try It Now's set-up: crun, Podman's default, refuses a hybrid cgroup layout like this host's.
[engine]
runtime = "runc"
CONF
  fi
  if needs_podman_hosts; then
    write_system_file "$PODMAN_HOSTS" <<CONF
# Written by Try It Now's set-up: /etc/hosts of containers does not begin with this host's own.
[containers]
base_hosts_file = "none"
CONF
  fi
}
