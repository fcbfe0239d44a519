#!/usr/bin/env bash
# What hooks cost: Python beside the OpenTelemetry SDK and no hook at all, a model server with and without the middleware, memory with the
# server away, and Rust. Prints what a record in benches/runs holds, in about seven minutes and what compiling takes.
set -euo pipefail
cd "$(dirname "$0")/../.."
make --no-print-directory "$PWD/.cache/venv-sdk/.ready" >&2
# Before anything is measured: compiling would be what is measured.
cargo build --locked --quiet --profile bench -p windvane-sdk --bench enqueue
export PYTHONPATH=sdk/python/src OMP_NUM_THREADS=1
python=.cache/venv-sdk/bin/python
uname -srm; nproc; uptime; git rev-parse --short HEAD; $python --version
$python benches/sdk/overhead.py
$python benches/sdk/model_server.py
cargo bench --locked --quiet -p windvane-sdk --bench enqueue
uptime
