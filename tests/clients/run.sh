#!/bin/sh
# The embedded engine's endpoint against clients that nobody here wrote: clickhouse-connect (Python), @clickhouse/client
# (Node) and curl. Needs python3 with venv, npm and curl; fetches the pinned clients through pip and npm once.
#
# Usage: tests/clients/run.sh [WINDVANE]   the binary, target/debug/windvane unless named
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
WINDVANE=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/windvane}
[ -x "$WINDVANE" ] || { echo "tests/clients/run.sh: $WINDVANE is not there; run cargo build" >&2; exit 69; }
# The suites start it from folders of their own.
WINDVANE=$(cd "$(dirname "$WINDVANE")" && pwd)/$(basename "$WINDVANE")
export WINDVANE

venv=$root/.cache/venv-clients
stamp=$venv/requirements.txt
if ! cmp -s "$here/python/requirements.txt" "$stamp"; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/python/requirements.txt"
    cp "$here/python/requirements.txt" "$stamp"
fi
if ! cmp -s "$here/node/package-lock.json" "$here/node/node_modules/.installed"; then
    (cd "$here/node" && npm ci --silent --no-audit --no-fund)
    cp "$here/node/package-lock.json" "$here/node/node_modules/.installed"
fi

"$here/curl.sh"
"$venv/bin/python" -m pytest -q -p no:cacheprovider "$here/python"
(cd "$here/node" && node --test --test-reporter=dot)
