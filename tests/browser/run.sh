#!/bin/sh
# The pages in Debian's Chromium, driven by playwright-core. Fetches the pinned packages through npm once; Chromium comes from
# the system, and where it is missing and we may, from apt-get.
#
# Usage: tests/browser/run.sh [WINDVANE]   the binary, target/debug/windvane unless named
set -eu

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
WINDVANE=${1:-${CARGO_TARGET_DIR:-$root/target}/debug/windvane}
[ -x "$WINDVANE" ] || { echo "tests/browser/run.sh: $WINDVANE is not there; run cargo build" >&2; exit 69; }
WINDVANE=$(cd "$(dirname "$WINDVANE")" && pwd)/$(basename "$WINDVANE")
export WINDVANE

CHROMIUM=${CHROMIUM:-$(command -v chromium || command -v chromium-browser || command -v google-chrome || true)}
if [ -z "$CHROMIUM" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    # Without a network there is none; that is said below.
    timeout 300 sh -c 'apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core' >/dev/null 2>&1 || true
    CHROMIUM=$(command -v chromium || true)
fi
[ -n "$CHROMIUM" ] || { echo "tests/browser/run.sh: there is no Chromium; on Debian: apt-get install chromium" >&2; exit 69; }
export CHROMIUM

if ! cmp -s "$here/package-lock.json" "$here/node_modules/.installed"; then
    (cd "$here" && npm ci --silent --no-audit --no-fund)
    cp "$here/package-lock.json" "$here/node_modules/.installed"
fi
export SCREENSHOTS="${SCREENSHOTS:-$root/.cache/screenshots}"
cd "$here" && node --test --test-reporter=spec pages.test.js
