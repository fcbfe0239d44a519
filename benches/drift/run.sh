#!/usr/bin/env bash
# The same populations through `windvane drift` (whole process, engine included) and through Evidently's DataDriftPreset, NannyML's
# univariate calculator and SciPy, one after another on a quiet machine:
#
#   WINDVANE=target/release/windvane benches/drift/run.sh OUTDIR
#
# Writes OUTDIR/raw.csv, OUTDIR/summary.md and what every process said. Needs python3 with venv, GNU time, 3 GB of disk in $WORK
# (made under TMPDIR, and removed). Environments are kept in $VENVS. SIZES is a list of ROWSxCOLUMNS:PEER_COLUMNS; peers read only the
# first PEER_COLUMNS columns where all of them would take more than a quarter of an hour, and no process may take more than $LIMIT_S.
# windvane runs $RUNS times at each size, as a run of a fifth of a second is doubled by whatever else wakes up; its median counts.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
windvane=$(realpath "${WINDVANE:?set WINDVANE to the binary}")
mkdir -p "${1:?name a folder for the results}"
out=$(realpath "$1")
sizes=${SIZES:-"200000x20:20 3000000x100:2 300000x1000:20"}
limit_s=${LIMIT_S:-200}
runs=${RUNS:-5}
venvs=${VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/windvane-bench}
work=${WORK:-$(mktemp -d)}
trap 'rm -rf "$work"' EXIT

declare -A pinned=(
  [evidently]="evidently==0.7.23 pandas==2.3.3 pyarrow==26.0.1"
  [nannyml]="nannyml==0.13.1 pandas==2.3.3 pyarrow==26.0.1 statsmodels==0.14.6"
  [scipy]="scipy==1.17.1 numpy==2.4.6 pandas==3.1.1 pyarrow==26.0.1"
)
for tool in "${!pinned[@]}"; do
  if [ ! -e "$venvs/$tool/.ready" ]; then
    python3 -m venv "$venvs/$tool"
    # Words of the list are separate requirements.
    # shellcheck disable=SC2086
    "$venvs/$tool/bin/pip" install --quiet --disable-pip-version-check ${pinned[$tool]}
    touch "$venvs/$tool/.ready"
  fi
done

raw=$out/raw.csv
echo "rows,columns,tool,columns_read,wall_s,cpu_s,peak_mib,exit" > "$raw"

# measure ROWS COLUMNS TOOL COLUMNS_READ COMMAND…
measure() {
  local rows=$1 columns=$2 tool=$3 read=$4 said=$out/$1x$2-$3.txt code=0
  shift 4
  # GNU time sees the largest process of the tree; every tool here is one process, the engine of windvane included.
  timeout "$limit_s" /usr/bin/time -q -f '%e %U %S %M' -o "$work/time" "$@" > "$said" 2>&1 || code=$?
  if [ "$code" = 124 ]; then
    echo "$rows,$columns,$tool,$read,>$limit_s,,,124" >> "$raw"
  else
    tail -1 "$work/time" | awk -v head="$rows,$columns,$tool,$read" -v code="$code" \
      '{printf "%s,%.2f,%.2f,%.0f,%d\n", head, $1, $2 + $3, $4 / 1024, code}' >> "$raw"
  fi
  tail -1 "$raw" >&2
}

for size in $sizes; do
  IFS='x:' read -r rows columns read <<< "$size"
  "$venvs/scipy/bin/python" "$here/populations.py" "$work/$size" "$rows" "$columns"
  cat "$work/$size"/*.parquet > /dev/null
  for _ in $(seq "$runs"); do
    measure "$rows" "$columns" windvane "$columns" \
      "$windvane" drift "$work/$size/reference.parquet" "$work/$size/current.parquet" --format json --offline
  done
  for tool in scipy nannyml evidently; do
    measure "$rows" "$columns" "$tool" "$read" "$venvs/$tool/bin/python" "$here/peer.py" "$tool" "$work/$size" "$read"
  done
  rm -rf "${work:?}/$size"
done

python3 "$here/summary.py" "$raw" > "$out/summary.md"
cat "$out/summary.md"
