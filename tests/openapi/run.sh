#!/usr/bin/env bash
# The HTTP interface against its own description, over a store with a finding of each kind: each document of the read API is held
# against its schema, bodies of every format are sent, then schemathesis makes requests from /api/openapi.json, good and bad ones, and
# holds every answer against it. Then there are tokens: each operation is asked without one and with those of each scope, by hand and by
# schemathesis. Bounded and seeded. Needs python3 with venv, and curl.
#
# Usage: tests/openapi/run.sh [WINDVANE]   the binary, target/debug/windvane unless named
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
windvane=${1:-$root/target/debug/windvane}
[ -x "$windvane" ] || { echo "tests/openapi/run.sh: $windvane is not there; run cargo build" >&2; exit 69; }

venv=$root/.cache/venv-openapi
if ! cmp -s "$here/requirements.txt" "$venv/requirements.txt"; then
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  cp "$here/requirements.txt" "$venv/requirements.txt"
fi

folder=$(mktemp -d)
cat >"$folder/windvane.toml" <<TOML
[server]
listen = "127.0.0.1:0"
[otlp]
grpc_listen = "127.0.0.1:0"
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
[collector]
body_timeout = "3s"
TOML
"$windvane" --log-format json serve --config "$folder/windvane.toml" 2>"$folder/serve.log" &
service=$!
trap 'kill "$service" 2>/dev/null || true; wait "$service" 2>/dev/null || true; rm -rf "$folder"' EXIT

for _ in $(seq 300); do
  url=$(grep -o '"address":"http[^"]*"' "$folder/serve.log" | head -1 | cut -d'"' -f4 || true)
  [ -n "$url" ] && break
  kill -0 "$service" 2>/dev/null || { cat "$folder/serve.log" >&2; exit 1; }
  sleep 0.2
done
[ -n "$url" ] || { echo "the service did not come up" >&2; cat "$folder/serve.log" >&2; exit 1; }

# Requests of all kinds, so many an operation; what follows is for schemathesis.
generated() {
  local most=$1
  shift
  (cd "$folder" && SCHEMATHESIS_HOOKS=hooks PYTHONPATH=$here "$venv/bin/schemathesis" run "${described:-$url/api/openapi.json}" --url "$url" --no-color --seed 1 \
    --max-examples "$most" --phases coverage,fuzzing --exclude-path /events --warnings off \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,response_headers_conformance,ignored_auth "$@")
}

store=$(grep -o '"store":"http[^"]*"' "$folder/serve.log" | head -1 | cut -d'"' -f4)
"$venv/bin/python" "$here/seed.py" "$(realpath "$windvane")" "$store" "$folder/data/access.json"
"$venv/bin/python" "$here/documents.py" "$url"
"$venv/bin/python" "$here/bodies.py" "$url"
generated 8

# From the first token on every request needs one; the service follows the file within a second.
token() { "$windvane" --log error token create --config "$folder/windvane.toml" "$@" 2>>"$folder/tokens.log"; }
ingest=$(token --name ingest --scope ingest)
read=$(token --name read --scope read)
admin=$(token --name admin --scope admin)
limited=$(token --name limited --scope ingest --model-prefix bodies)
slow=$(token --name slow --scope read --requests-per-s 1)
answer() { curl --silent --noproxy '*' --output /dev/null --write-out '%{http_code}' "$@" "$url/api/v1/models"; }
for _ in $(seq 100); do
  [ "$(answer)" = 401 ] && [ "$(answer --header "Authorization: Bearer $slow")" = 200 ] && break
  sleep 0.2
done
"$venv/bin/python" "$here/tokens.py" "$url" "$ingest" "$read" "$admin" "$limited" "$slow"

# Only who may read gets the description; all are held against it.
curl --silent --fail --noproxy '*' --header "Authorization: Bearer $read" --output "$folder/openapi.json" "$url/api/openapi.json"
for token in "$ingest" "$read" "$admin"; do
  described=$folder/openapi.json generated 3 --header "Authorization: Bearer $token"
done
described=$folder/openapi.json generated 3
