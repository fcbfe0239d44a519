#!/usr/bin/env bash
# Builds data/ again: makes a Python environment of the exact versions in requirements.txt, then runs build.py.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
venv="${here}/../.cache/data-venv"
if ! cmp --silent "${here}/requirements.txt" "${venv}/installed.txt"; then
  rm -rf "${venv}"
  python3 -m venv "${venv}"
  "${venv}/bin/python" -m pip install --quiet --disable-pip-version-check -r "${here}/requirements.txt"
  cp "${here}/requirements.txt" "${venv}/installed.txt"
fi
exec "${venv}/bin/python" "${here}/build.py"
