#!/usr/bin/env bash
# What hooks cost: Python beside the OpenTelemetry SDK and no hook at all. Prints what a record in benches/runs holds.
set -euo pipefail
cd "$(dirname "$0")/../.."
make --no-print-directory "$PWD/.cache/venv-sdk/.ready"
uname -srm; nproc; uptime; git rev-parse --short HEAD
PYTHONPATH=sdk/python/src .cache/venv-sdk/bin/python benches/sdk/overhead.py
uptime
