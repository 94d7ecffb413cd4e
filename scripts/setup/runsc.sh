# gVisor's OCI runtime, which templates name by `runtime: runsc`: sourced by ../setup.sh.
# shellcheck shell=bash

# src/doctor/oci-runtimes.ts has it as well.
readonly RUNSC_WRAPPER=/usr/local/sbin/try-it-now-runsc
readonly PODMAN_RUNSC=/etc/containers/containers.conf.d/50-try-it-now-runsc.conf

runsc_wrapper() {
  cat <<'WRAPPER'
#!/bin/sh
# Written by Try It Now's set-up: runsc as engines call it for templates with `runtime: runsc`.
#
# Builds of runsc from before August 2024, which are all that Debian has, take every network name space for the host's
# own on kernels from 6.11 on, by a file in /proc/sys/net that those before show in the host's alone
# (google/gvisor#10704). The command `start`, which asks, does not see the folder. A container always has a name space
# of its own here.
#
# Without --oci-seccomp: it takes the answer of a filter to clone3 for another, and no program with threads starts.
for word in "$@"; do
  case $word in
    create | delete | exec | kill | run | state) break ;;
    start)
      exec unshare --mount --propagation private /bin/sh -c \
        'mount -t tmpfs -o ro,size=4k none /proc/sys/net && exec runsc "$@"' runsc "$@"
      ;;
  esac
done
exec runsc "$@"
WRAPPER
}

runsc_podman() {
  cat <<CONF
# Written by Try It Now's set-up: what \`runtime: runsc\` of a template stands for.
[engine.runtimes]
runsc = ["$RUNSC_WRAPPER"]
CONF
}

# Prints the files to be written, one a line with the reason. What the host's owner chose for Podman stays.
missing_runsc_settings() {
  if ! runsc_wrapper | cmp -s - "$RUNSC_WRAPPER"; then
    printf '  %s: has runsc work on newer kernels\n' "$RUNSC_WRAPPER"
  fi
  if ! podman_sets runsc && ! runsc_podman | cmp -s - "$PODMAN_RUNSC"; then
    printf '  %s: tells Podman of it\n' "$PODMAN_RUNSC"
  fi
}

write_runsc_settings() {
  runsc_wrapper | write_system_file "$RUNSC_WRAPPER" 755
  if ! podman_sets runsc; then runsc_podman | write_system_file "$PODMAN_RUNSC"; fi
}
