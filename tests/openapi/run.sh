#!/usr/bin/env bash
# The HTTP interface against its own description, over a store with a finding of each kind: each document of the read API is held
# against its schema, then schemathesis makes requests from /api/openapi.json, good and bad ones, and holds every answer against it.
# Bounded and seeded. Needs python3 with venv.
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
[store]
data_dir = "data"
engine_listen = "127.0.0.1:0"
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

store=$(grep -o '"store":"http[^"]*"' "$folder/serve.log" | head -1 | cut -d'"' -f4)
"$venv/bin/python" "$here/seed.py" "$(realpath "$windvane")" "$store" "$folder/data/access.json"
"$venv/bin/python" "$here/documents.py" "$url"

cd "$folder"
"$venv/bin/schemathesis" run "$url/api/openapi.json" --no-color --seed 1 --max-examples 8 \
  --phases coverage,fuzzing --exclude-path /events \
  --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance
