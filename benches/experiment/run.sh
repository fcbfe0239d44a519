#!/usr/bin/env bash
# The same rows through `windvane experiment` (whole process, engine included), gbstats with pandas, and statsmodels, one after another
# on a quiet machine, $REPEATS times in turn, each once unmeasured before it is measured: else one pays for pages that another gave back.
#
#   WINDVANE=target/release/windvane benches/experiment/run.sh OUTDIR
#
# Writes OUTDIR/raw.csv, OUTDIR/summary.md and what every process said. Needs python3 with venv, GNU time, 1 GB of disk in $WORK (made
# under TMPDIR, and removed). Environments are kept in $VENVS.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
windvane=$(realpath "${WINDVANE:?set WINDVANE to the binary}")
mkdir -p "${1:?name a folder for the results}"
out=$(realpath "$1")
rows=${ROWS:-10000000}
metrics=${METRICS:-10}
repeats=${REPEATS:-3}
venvs=${VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/windvane-bench}
work=${WORK:-$(mktemp -d)}
trap 'rm -rf "$work"' EXIT

declare -A pinned=(
  # gbstats asks for an old pandas, which asks for an old numpy and pyarrow.
  [gbstats]="gbstats==0.8.0 pandas==1.5.3 numpy==1.26.4 pyarrow==14.0.2"
  [statsmodels]="statsmodels==0.14.6 numpy==2.4.6 pandas==2.3.3 pyarrow==26.0.1"
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
echo "rows,metrics,tool,repeat,wall_s,cpu_s,peak_mib,exit" > "$raw"

# measure TOOL REPEAT COMMAND…
measure() {
  local tool=$1 repeat=$2 code=0
  shift 2
  "$@" > /dev/null 2>&1 || true
  /usr/bin/time -q -f '%e %U %S %M' -o "$work/time" "$@" > "$out/$tool.txt" 2>&1 || code=$?
  tail -1 "$work/time" | awk -v head="$rows,$metrics,$tool,$repeat" -v code="$code" \
    '{printf "%s,%.2f,%.2f,%.0f,%d\n", head, $1, $2 + $3, $4 / 1024, code}' >> "$raw"
  tail -1 "$raw" >&2
}

"$venvs/statsmodels/bin/python" "$here/rows.py" "$work/rows.parquet" "$rows" "$metrics"
asked=()
for ((i = 0; i < metrics; i++)); do
  if ((i < metrics - metrics / 5)); then asked+=(--metric "m$i:mean"); else asked+=(--metric "m$i:proportion"); fi
done
for ((repeat = 1; repeat <= repeats; repeat++)); do
  cat "$work/rows.parquet" > /dev/null
  measure windvane "$repeat" "$windvane" experiment "$work/rows.parquet" --unit unit --arm arm --control A "${asked[@]}" --offline
  for tool in gbstats statsmodels; do
    measure "$tool" "$repeat" "$venvs/$tool/bin/python" "$here/peer.py" "$tool" "$work/rows.parquet" "$metrics"
  done
done

python3 "$here/summary.py" "$raw" > "$out/summary.md"
cat "$out/summary.md"
