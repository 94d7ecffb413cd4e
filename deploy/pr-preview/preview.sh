#!/bin/sh
# Puts, or removes, the preview of one pull or merge request on a Try It Now server. docs/previews.md
#
#   preview.sh put      offers it, waits until somebody can try it, and posts the button
#   preview.sh remove   ends it, and says so where the button was
#
# Everything comes from the environment; no secret is ever an argument or part of an address.
set -eu

fail() {
  echo "preview: $*" >&2
  exit 1
}

need() {
  eval "value=\${$1:-}"
  [ -n "$value" ] || fail "$1 is not set; $2"
}

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 1' INT TERM
umask 077

# request NAME METHOD URL [BODY]: the answer is in $folder/NAME, its status in $status; 000 when nobody answers.
# Headers come from the file $folder/NAME.headers, which only we can read.
request() {
  body=${4:-}
  set -- "$1" "$2" "$3"
  if [ -n "$body" ]; then
    printf '%s' "$body" >"$folder/body"
    status=$(curl -sS -m 60 -X "$2" -H "@$folder/$1.headers" -H 'content-type: application/json' \
      --data-binary "@$folder/body" -o "$folder/$1" -w '%{http_code}' -- "$3" 2>"$folder/error") || status=000
  else
    status=$(curl -sS -m 60 -X "$2" -H "@$folder/$1.headers" -o "$folder/$1" -w '%{http_code}' -- "$3" \
      2>"$folder/error") || status=000
  fi
}

# What the server said last, on one line.
said() {
  if [ "$status" = 000 ]; then
    tr -d '\n' <"$folder/error"
  else
    jq -r '"\(.code // "no code"): \(.detail // "")" | gsub("[\r\n]+"; " ")' "$folder/$1" 2>/dev/null ||
      echo "status $status"
  fi
}

server() {
  path=$2
  request server "$1" "$TRY_IT_NOW_URL/admin/v1/previews/$path" "${3:-}"
}

# --- Where the button is posted: comments of GitHub, or notes of GitLab. ---

comments_url() {
  case $FORGE in
    github) echo "$FORGE_API/repos/$FORGE_PROJECT/issues/$REQUEST_NUMBER/comments" ;;
    gitlab) echo "$FORGE_API/projects/$(jq -nr --arg p "$FORGE_PROJECT" '$p|@uri')/merge_requests/$REQUEST_NUMBER/notes" ;;
  esac
}

comment_url() {
  case $FORGE in
    github) echo "$FORGE_API/repos/$FORGE_PROJECT/issues/comments/$1" ;;
    gitlab) echo "$(comments_url)/$1" ;;
  esac
}

# Comments that may be ours, as a filter of jq: a stranger who copies our mark could change the button's address later.
ours() {
  if [ "$FORGE" = github ]; then
    echo '.user.type == "Bot" or (.author_association | IN("OWNER", "MEMBER", "COLLABORATOR"))'
  else
    request forge GET "$FORGE_API/user"
    [ "$status" = 200 ] || return 1
    jq -r '".author.id == \(.id)"' "$folder/forge"
  fi
}

# say TEXT [only-if-there]: one comment of ours, found again by its mark and changed. A forge that refuses costs the
# comment, not the preview.
say() {
  [ "$FORGE" != none ] || return 0
  mark="<!-- try-it-now:$PREVIEW_NAME -->"
  ours >"$folder/ours" || { told; return 0; }
  page=1
  id=
  while :; do
    request forge GET "$(comments_url)?per_page=100&page=$page"
    [ "$status" = 200 ] || { told; return 0; }
    id=$(jq -r --arg mark "$mark" "[.[] | select((.body // \"\") | startswith(\$mark))
      | select($(cat "$folder/ours")) | .id][0] // empty" "$folder/forge")
    if [ -n "$id" ] || [ "$(jq length "$folder/forge")" -lt 100 ] || [ "$page" -ge 30 ]; then break; fi
    page=$((page + 1))
  done
  [ -n "$id" ] || [ "${2:-}" != only-if-there ] || return 0
  content=$(jq -n --arg body "$mark
$1" '{body: $body}')
  if [ -z "$id" ]; then
    request forge POST "$(comments_url)" "$content"
  elif [ "$FORGE" = github ]; then
    request forge PATCH "$(comment_url "$id")" "$content"
  else
    request forge PUT "$(comment_url "$id")" "$content"
  fi
  case $status in 2*) ;; *) told ;; esac
}

told() {
  if [ "$status" = 000 ]; then why=$(tr -d '\n' <"$folder/error"); else why="status $status"; fi
  echo "preview: the comment could not be written ($why); the token needs the right to write comments" >&2
}

# --- What there is to do. ---

put() {
  need PREVIEW_FROM 'it is the template that the preview is a copy of'
  need PREVIEW_IMAGE 'it is the image of this request, by a tag or digest of this build'
  wanted=$(jq -n --arg from "$PREVIEW_FROM" --arg image "$PREVIEW_IMAGE" --arg title "${PREVIEW_TITLE:-}" \
    --arg seconds "${PREVIEW_SECONDS:-}" '{from: $from, image: $image}
      + (if $title == "" then {} else {title: $title} end)
      + (if $seconds == "" then {} else {for_seconds: ($seconds | tonumber)} end)') ||
    fail "PREVIEW_SECONDS is '${PREVIEW_SECONDS:-}'; it has to be a number of seconds"
  server PUT "$PREVIEW_NAME" "$wanted"
  [ "$status" = 200 ] || fail "the server at $TRY_IT_NOW_URL did not take $PREVIEW_NAME: $(said server)"
  echo "preview: $PREVIEW_NAME is put, with $PREVIEW_IMAGE"
  waited=0
  shown=
  while :; do
    state=unknown
    if [ "$status" = 200 ]; then
      state=$(jq -r '.state' "$folder/server")
      # On one line: what an app wrote must not begin one, which could be a command to the forge.
      why=$(jq -r '.why // "" | gsub("[\r\n]+"; " ")' "$folder/server")
    else
      why=$(said server)
    fi
    case $state in
      ready) break ;;
      refused | ended) fail "$PREVIEW_NAME is $state${why:+: $why}" ;;
    esac
    if [ "$state $why" != "$shown" ]; then
      echo "preview: $PREVIEW_NAME is $state${why:+: $why}"
      shown="$state $why"
    fi
    if [ "$waited" -ge "${WAIT_SECONDS:-300}" ]; then
      say "The preview with \`$PREVIEW_IMAGE\` did not come up; the log of this job says why."
      fail "$PREVIEW_NAME did not come up within ${WAIT_SECONDS:-300} s${why:+: $why}"
    fi
    sleep 2
    waited=$((waited + 2))
    server GET "$PREVIEW_NAME"
  done
  url=$(jq -r '.url' "$folder/server")
  badge=$(jq -r '.badge' "$folder/server")
  ends=$(jq -r '.ends[0:16] | sub("T"; " ")' "$folder/server")
  say "[![Try it now]($badge)]($url)

A copy of your own, with \`$PREVIEW_IMAGE\`. It is offered until $ends UTC, or until this request is closed."
  echo "preview: $PREVIEW_NAME is ready at $url"
  [ -z "${GITHUB_OUTPUT:-}" ] || printf 'name=%s\nurl=%s\n' "$PREVIEW_NAME" "$url" >>"$GITHUB_OUTPUT"
}

remove() {
  server DELETE "$PREVIEW_NAME"
  case $status in
    204) echo "preview: $PREVIEW_NAME is not offered any more" ;;
    404)
      [ "$(jq -r .code "$folder/server" 2>/dev/null)" = unknown_preview ] ||
        fail "what answers at $TRY_IT_NOW_URL is no admin API of Try It Now"
      echo "preview: there is no $PREVIEW_NAME"
      ;;
    *) fail "the server at $TRY_IT_NOW_URL did not remove $PREVIEW_NAME: $(said server). It ends by itself at its time" ;;
  esac
  say 'The preview is gone.' only-if-there
}

for program in curl jq; do
  command -v "$program" >/dev/null || fail "$program is not installed here, and is needed"
done
need TRY_IT_NOW_URL "it is where the server's admin API is, such as https://operators.try.example.org"
need TRY_IT_NOW_KEY 'it is a key of that server for previews (previews@TEMPLATE:KEY in OPERATOR_KEYS), kept as a secret'
need REQUEST_NUMBER 'it is the number of the pull or merge request'
TRY_IT_NOW_URL=${TRY_IT_NOW_URL%/}
FORGE=${FORGE:-none}
case $REQUEST_NUMBER in *[!0-9]*) fail "REQUEST_NUMBER is '$REQUEST_NUMBER'; it has to be a number" ;; esac
case $FORGE in
  none) ;;
  github | gitlab)
    need FORGE_API 'it is the address of the API that comments are written with'
    need FORGE_TOKEN 'it is what lets this job write comments'
    need FORGE_PROJECT 'it is the repository, such as acme/shop'
    if [ "$FORGE" = github ]; then
      printf 'authorization: Bearer %s\naccept: application/vnd.github+json\n' "$FORGE_TOKEN" >"$folder/forge.headers"
    else
      printf 'private-token: %s\n' "$FORGE_TOKEN" >"$folder/forge.headers"
    fi
    ;;
  *) fail "FORGE is '$FORGE'; it has to be github, gitlab or none" ;;
esac
printf 'x-api-key: %s\n' "$TRY_IT_NOW_KEY" >"$folder/server.headers"
if [ -z "${PREVIEW_NAME:-}" ]; then
  need PREVIEW_FROM 'it is the template that the preview is a copy of'
  end="-pr-$REQUEST_NUMBER"
  PREVIEW_NAME=$(printf '%s' "$PREVIEW_FROM" | cut -c "1-$((32 - ${#end}))")$end
fi
# It becomes part of an address and of a comment.
case $PREVIEW_NAME in
  *[!a-z0-9-]* | -* | *-) fail "PREVIEW_NAME is '$PREVIEW_NAME'; it has to be 1 to 32 of a-z, 0-9 and -" ;;
esac

case ${1:-} in
  put) put ;;
  remove) remove ;;
  *) fail 'say put or remove' ;;
esac
