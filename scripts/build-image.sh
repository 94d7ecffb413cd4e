#!/usr/bin/env bash
# Builds localhost/try-it-now/NAME:latest from examples/NAME, with a registry or without one. Does nothing when that
# image is there and was built from the same files.
set -euo pipefail

usage() {
  cat <<USAGE
usage: scripts/build-image.sh NAME [--engine podman|docker] [--engine-arg ARG]... [--build-arg KEY=VALUE]... [--tag TAG]
  NAME          an example: a folder of examples/ with a Containerfile
  --engine      podman when it is installed, else docker
  --engine-arg  an argument for every call of the engine, such as --url=unix:///run/podman/podman.sock.
                DOCKER_HOST and CONTAINER_HOST are heeded as usual.
  --build-arg   an ARG of the Containerfile; BASE=IMAGE chooses the base image
  --tag         latest by default
environment: TRY_IT_NOW_CACHE_DIR (folder for base file systems; default .try-it-now/cache, or try-it-now in
               XDG_CACHE_HOME)
             PULL_TIMEOUT (seconds a registry may take to answer; default 20)
USAGE
}

readonly LABEL=io.github.try-it-now.inputs
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache_dir=${TRY_IT_NOW_CACHE_DIR:-${XDG_CACHE_HOME:+$XDG_CACHE_HOME/try-it-now}}
cache_dir=${cache_dir:-$root/.try-it-now/cache}
pull_timeout=${PULL_TIMEOUT:-20}
# A registry that has answered gets this long for the download itself.
readonly DOWNLOAD_TIMEOUT=600

name='' engine_name='' tag=latest base='' engine_args=() build_args=()

say() { printf '%s: %s\n' "${name:-build-image}" "$*"; }
fail() { printf '%s: %s\n' "${name:-build-image}" "$*" >&2; exit 1; }
fail_usage() { printf 'build-image: %s\n' "$*" >&2; usage >&2; exit 64; }

# shellcheck source=scripts/image/debian-base.sh
. "$root/scripts/image/debian-base.sh"

engine() { "$engine_name" ${engine_args[@]+"${engine_args[@]}"} "$@"; }

parse_arguments() {
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
      --engine | --engine-arg | --build-arg | --tag)
        [ $# -ge 2 ] || fail_usage "$1 needs a value"
        take_option "$1" "$2"
        shift 2
        ;;
      --*=*)
        take_option "${1%%=*}" "${1#*=}"
        shift
        ;;
      -*) fail_usage "there is no option $1" ;;
      *)
        [ -z "$name" ] || fail_usage "one NAME at a time, but $name and $1 were given"
        name=$1
        shift
        ;;
    esac
  done
  [ -n "$name" ] || fail_usage 'which example? NAME is missing'
  if [[ ! $name =~ ^[a-z0-9][a-z0-9-]*$ ]] || [ ! -f "$root/examples/$name/Containerfile" ]; then
    there=$(cd "$root/examples" && echo */Containerfile | sed 's#/Containerfile##g')
    fail "examples/$name/Containerfile does not exist; there is: $there"
  fi
  [[ $pull_timeout =~ ^[1-9][0-9]*$ ]] || fail "PULL_TIMEOUT must be a whole number of seconds, but is '$pull_timeout'"
}

take_option() {
  case $1 in
    --engine) engine_name=$2 ;;
    --engine-arg) engine_args+=("$2") ;;
    --tag) tag=$2 ;;
    --build-arg)
      [[ $2 == *=* ]] || fail_usage "--build-arg takes KEY=VALUE, not '$2'"
      if [[ $2 == BASE=* ]]; then base=${2#BASE=}; fi
      build_args+=("$2")
      ;;
    *) fail_usage "there is no option $1" ;;
  esac
}

choose_engine() {
  if [ -z "$engine_name" ]; then
    if command -v podman >/dev/null; then engine_name=podman; else engine_name=docker; fi
  fi
  case $engine_name in
    podman | docker) ;;
    *) fail_usage "the engine must be podman or docker, not '$engine_name'" ;;
  esac
  command -v "$engine_name" >/dev/null || fail "$engine_name is not installed; \`make setup\` installs what is needed"
}

# Changes with everything that goes into the image; template.yaml, documents and a database's seed do not.
inputs_of_image() {
  {
    printf '%s\n' ${build_args[@]+"${build_args[@]}"}
    cd "$root/examples/$name"
    find . -type f ! -name '*.md' ! -name template.yaml ! -path './seed*' ! -path './make-seed*' -print0 |
      LC_ALL=C sort -z | xargs -0 sha256sum
  } | sha256sum | cut -c1-16
}

# The inputs an image was built from; fails when there is no such image.
label_of() { engine image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null; }

is_present() { engine image inspect --format '{{.Id}}' "$1" >/dev/null 2>&1; }

require_engine_answer() {
  local reason
  if reason=$(engine info 2>&1 >/dev/null); then return; fi
  where=${DOCKER_HOST:-${CONTAINER_HOST:-its default address}}
  fail "$engine_name does not answer ($where): $(tail -n 1 <<<"$reason")"
}

# Pulls an image. When the registry does not answer in time or refuses, fails with the reason in $pull_error.
pull() {
  local log=$work/pull.log waited=0 limit=$pull_timeout status=0
  # In the place of the subshell, so that it is the pull itself that is ended: Podman's goes on for ever once its
  # service is gone.
  (exec "$engine_name" ${engine_args[@]+"${engine_args[@]}"} pull "$1") >"$log" 2>&1 &
  pull_pid=$!
  while kill -0 "$pull_pid" 2>/dev/null; do
    if [ "$limit" = "$pull_timeout" ] && grep -qE 'Copying blob|Pulling from|Pulling fs layer' "$log"; then
      limit=$DOWNLOAD_TIMEOUT
    fi
    if [ "$waited" -ge $((limit * 10)) ]; then
      kill -KILL "$pull_pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
    waited=$((waited + 1))
  done
  wait "$pull_pid" || status=1
  pull_pid=''
  pull_error=$(tail -n 1 "$log" | sed 's/.*: //')
  if [ "$waited" -ge $((limit * 10)) ]; then pull_error="no answer within $limit s"; fi
  return "$status"
}

# Sets $base to an image that is in the engine's storage. A base that was asked for is never replaced by another.
provide_base() {
  local recipe=$root/examples/$name/debian-base.conf wanted=$base
  if [ -n "$wanted" ] || [ ! -f "$recipe" ]; then recipe=''; fi
  wanted=${wanted:-$(sed -n 's/^ARG BASE=//p' "$root/examples/$name/Containerfile" | head -n 1)}
  if [ -z "$wanted" ]; then return; fi
  base=$wanted
  if is_present "$wanted"; then return; fi
  if [ -n "$recipe" ] && use_debian_base "$recipe"; then return; fi
  say "pulling $wanted"
  if pull "$wanted"; then return; fi
  if [ -z "$recipe" ]; then fail "the base image $wanted is not here and cannot be pulled: $pull_error"; fi
  say "$wanted cannot be pulled ($pull_error), so the base is built from Debian packages instead"
  make_debian_base "$recipe"
}

build() {
  local inputs=$1 image=$2 previous arguments=() argument
  previous=$(engine image inspect --format '{{.Id}}' "$image" 2>/dev/null) || previous=''
  for argument in ${build_args[@]+"${build_args[@]}"}; do
    if [[ $argument != BASE=* ]]; then arguments+=(--build-arg "$argument"); fi
  done
  if [ -n "$base" ]; then arguments+=(--build-arg "BASE=$base"); fi
  # One layer on top of the base, and no unnamed images in between.
  if [ "$engine_name" = podman ]; then arguments+=(--layers=false); fi
  say "building $image with $engine_name on ${base:-its own base}"
  if ! engine build ${arguments[@]+"${arguments[@]}"} --label "$LABEL=$inputs" --tag "$image" \
    --file "$root/examples/$name/Containerfile" "$root/examples/$name" >"$work/build.log" 2>&1; then
    tail -n 20 "$work/build.log" >&2
    fail "$engine_name build failed; its last lines stand above"
  fi
  # The image this one replaces, unless a container still uses it.
  if [ -n "$previous" ]; then engine image rm "$previous" >/dev/null 2>&1 || true; fi
}

clean_up() {
  if [ -n "$pull_pid" ]; then kill -KILL "$pull_pid" 2>/dev/null || true; fi
  rm -rf "$work" ${unfinished:+"$unfinished"}
}

parse_arguments "$@"
choose_engine
image=localhost/try-it-now/$name:$tag
inputs=$(inputs_of_image)
if [ "$(label_of "$image")" = "$inputs" ]; then
  say "$image is up to date"
  exit 0
fi
pull_pid='' unfinished=''
work=$(mktemp -d)
trap clean_up EXIT
require_engine_answer
started=$SECONDS
provide_base
build "$inputs" "$image"
size=$(engine image inspect --format '{{.Size}}' "$image")
say "$image is ready ($((size / 1000000)) MB, $((SECONDS - started)) s)"
