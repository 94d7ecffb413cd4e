# CRIU, which lets an instance start from a checkpoint: sourced by ../setup.sh. Optional, a failure here stops nothing.
# shellcheck shell=bash
# shellcheck disable=SC2154 # set by setup.sh

readonly CRIU_HOME=/opt/criu
readonly CRIU_COMMAND=/usr/local/sbin/criu
readonly CRIU_FAILED=/var/cache/try-it-now/criu-failed
# The newest that was tried: an older one of ours gives way to what the mirror has. A host's own is left to its owner.
readonly CRIU_TRIED=4.2.1

# CRIU before 4.2 cannot dump a TCP socket on kernels from 6.16 on. On an older kernel an older CRIU is good when its
# own check passes, which only root can ask. A failed install is not tried again before a day has passed.
criu_is_good() {
  local criu version
  if [ -n "$(find "$CRIU_FAILED" -mmin -1440 2>/dev/null)" ]; then return 0; fi
  if [ -x "$CRIU_COMMAND" ]; then criu=$CRIU_COMMAND; else criu=$(command -v criu) || return 1; fi
  version=$("$criu" --version 2>/dev/null | awk '/^Version:/ { print $2 }') || return 1
  if [ -z "$version" ]; then return 1; fi
  if [ "$criu" = "$CRIU_COMMAND" ] && [ -d "$CRIU_HOME" ] && [ "$(id -u)" -eq 0 ]; then
    [ "$(printf '%s\n' "$CRIU_TRIED" "$version" | sort -V | head -n 1)" = "$CRIU_TRIED" ] || return 1
  fi
  if at_least "$version" 4.2; then return 0; fi
  if at_least "$(uname -r)" 6.16; then return 1; fi
  [ "$(id -u)" -ne 0 ] || "$criu" check >/dev/null 2>&1
}

# A new enough CRIU is in Debian's suite sid only, built against a newer libc than this machine's. So it is
# never installed as a package: apt downloads it and its libraries with a configuration of its own (own source,
# lists, cache and an empty package database; proxy and mirror are the machine's), and they are unpacked under a
# folder nothing else looks into.
download_criu() {
  local mirror keyring apt=$work/criu-apt
  mirror=$(debian_mirror)
  keyring=$(debian_keyring)
  if [ -z "$mirror" ] || [ -z "$keyring" ]; then
    say '  no Debian mirror or no archive keys in the configuration of apt' >&2
    return 1
  fi
  mkdir -p "$apt/lists/partial" "$apt/archives/partial"
  : >"$apt/status"
  printf 'deb [target=Packages signed-by=%s] %s sid main\n' "$keyring" "$mirror" >"$apt/sources.list"
  cat >"$apt/apt.conf" <<CONF
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear APT::Default-Release;
#clear APT::Architectures;
APT::Architectures { "$(dpkg --print-architecture)"; };
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State::status "$apt/status";
Dir::State::lists "$apt/lists";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache::archives "$apt/archives";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Debug::NoLocking "true";
Acquire::Languages "none";
Acquire::PDiffs "false";
CONF
  local quiet=(apt-get -c "$apt/apt.conf" -q -y -o APT::Update::Error-Mode=any)
  {
    "${quiet[@]}" update && "${quiet[@]}" install --download-only --no-install-recommends criu
  } >"$work/criu.log" 2>&1 </dev/null
}

unpack_criu() {
  local deb root=$work/criu loader libraries
  mkdir -p "$root"
  for deb in "$work"/criu-apt/archives/*.deb; do
    dpkg-deb --extract "$deb" "$root" || return 1
  done
  loader=$(find "$root/usr/lib" -path '*-linux-gnu*/ld-linux*.so.*' -print -quit)
  if [ -z "$loader" ]; then return 1; fi
  loader=${loader#"$root"} libraries=${loader%/*}
  "$root$loader" --inhibit-cache --library-path "$root$libraries" "$root/usr/sbin/criu" --version \
    >>"$work/criu.log" 2>&1 || return 1
  rm -rf "$root/usr/share/doc" "$root/usr/share/man"
  as_root rm -rf "$CRIU_HOME.new" &&
    as_root cp -a "$root" "$CRIU_HOME.new" &&
    as_root chown -R root:root "$CRIU_HOME.new" &&
    as_root rm -rf "$CRIU_HOME" &&
    as_root mv "$CRIU_HOME.new" "$CRIU_HOME" || return 1
  # runc finds criu by its name: the folder comes before those of Debian's own criu on the usual PATH of root.
  write_system_file "$CRIU_COMMAND" 755 <<WRAPPER
#!/bin/sh
# Written by Try It Now's set-up: CRIU with the libraries it was built against, which are newer than this system's.
exec $CRIU_HOME$loader --inhibit-cache --library-path $CRIU_HOME$libraries $CRIU_HOME/usr/sbin/criu "\$@"
WRAPPER
}

install_criu() {
  if ! { download_criu && unpack_criu; }; then
    if [ -e "$work/criu.log" ]; then tail -n 5 "$work/criu.log" | sed 's/^/  criu: /' >&2; fi
    if [ -x "$CRIU_COMMAND" ]; then say 'A newer CRIU could not be installed. The one that is there stays.'
    else say 'CRIU could not be installed. Everything works without it, instances start cold and therefore slower.'; fi
    say "The next try is in a day, or after: rm $CRIU_FAILED"
    date | write_system_file "$CRIU_FAILED"
    return
  fi
  as_root rm -f "$CRIU_FAILED"
  # The mirror has none that is new enough: not at every start again.
  if ! criu_is_good; then date | write_system_file "$CRIU_FAILED"; fi
  if ! as_root "$CRIU_COMMAND" check >"$work/criu.log" 2>&1; then
    tail -n 3 "$work/criu.log" | sed 's/^/  criu: /' >&2
    say 'CRIU is installed, but its own check says that this kernel or host cannot use it: instances will start cold.'
  fi
}
