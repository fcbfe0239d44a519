#!/usr/bin/env bash
# Spans into Windvane and into MLflow by the same exporter. Prints what a record in benches/runs holds; arguments go to peer.py.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.cache/venv-otlp-peer
if [ ! -e "$venv/.ready" ]; then
  python3 -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r benches/otlp/requirements.txt
  touch "$venv/.ready"
fi
uname -srm; nproc; uptime; git rev-parse --short HEAD
"$venv/bin/python" benches/otlp/peer.py "${WINDVANE:-target/release/windvane}" "$@"
uptime
