# What Podman must be told on some hosts, one file a setting: sourced by ../setup.sh.
# shellcheck shell=bash

readonly PODMAN_LIMITS=/etc/containers/containers.conf.d/50-try-it-now-limits.conf
readonly PODMAN_RUNTIME=/etc/containers/containers.conf.d/50-try-it-now-runtime.conf
readonly CAP_SYS_RESOURCE_BIT=24

# True when some configuration of Podman on this host already sets the key: what its owner chose is never overridden.
podman_sets() {
  grep -qsE "^[[:space:]]*$1[[:space:]]*=" /etc/containers/containers.conf /etc/containers/containers.conf.d/*.conf
}

# Podman asks for limits of its own for every container. Without CAP_SYS_RESOURCE nobody, not even root, can raise a limit
# above the hard one that is in force, and every container would fail to start.
needs_podman_limits() {
  local bounding
  [ -r /proc/self/status ] || return 1
  bounding=$(awk '/^CapBnd:/ { print $2 }' /proc/self/status)
  ! ((0x$bounding >> CAP_SYS_RESOURCE_BIT & 1)) && ! podman_sets default_ulimits
}

# With crun beside runc Podman prefers crun, and Debian 12's crun starts nothing on a hybrid cgroup layout (version 1 with
# version 2 below "unified"). On any other host the default stays: the server itself asks its Podman service for runc.
needs_podman_runtime() {
  command -v crun >/dev/null && [ -d /sys/fs/cgroup/unified ] && ! podman_sets runtime
}

# Prints the files to be written, one a line with the reason.
missing_podman_settings() {
  if needs_podman_limits; then printf '  %s: containers may ask for no more than this host'\''s own limits\n' "$PODMAN_LIMITS"; fi
  if needs_podman_runtime; then printf '  %s: Podman uses runc, for crun refuses this host'\''s cgroup layout\n' "$PODMAN_RUNTIME"; fi
}

write_podman_settings() {
  local files processes
  if needs_podman_limits; then
    files=$(ulimit -Hn) processes=$(ulimit -Hu)
    # No limit at all: the kernel's own defaults for what one process may open, and one user may run.
    files=${files/unlimited/1048576} processes=${processes/unlimited/4194304}
    write_system_file "$PODMAN_LIMITS" <<CONF
# Written by Try It Now's set-up: this host lacks CAP_SYS_RESOURCE, so no limit can be raised above its hard one.
[containers]
default_ulimits = ["nofile=$files:$files", "nproc=$processes:$processes"]
CONF
  fi
  if needs_podman_runtime; then
    write_system_file "$PODMAN_RUNTIME" <<CONF
# Written by Try It Now's set-up: crun, Podman's default, refuses a hybrid cgroup layout like this host's.
[engine]
runtime = "runc"
CONF
  fi
}
