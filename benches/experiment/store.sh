#!/usr/bin/env bash
# The rows of run.sh in the store, through `windvane experiment NAME` (whole command, against a running engine), beside gbstats with pandas
# and statsmodels over the Parquet file, and beside the barest statement over the same rows: sums and squares by arm, without units.
# Over predictions the command runs five times: with nothing kept, again, after a service has kept the sums and nobody has looked before, and
# after a hundredth and a tenth more rows came in (a month later, so that they can be taken out again: the tools over the file do without them).
#
#   WINDVANE=target/release/windvane benches/experiment/store.sh OUTDIR
#
# SOURCES says where the numbers are: `predictions` (one a unit, with its arm and numbers) and `measurements` (one exposure a unit, and a row
# for each number of it: ROWS × METRICS rows). Writes OUTDIR/raw.csv, OUTDIR/summary.md and what every process said. Needs python3 with
# venv, GNU time, curl, and 1 GB of disk a million rows of `measurements` in $WORK (made under TMPDIR, and removed). PEERS= leaves the
# other tools out.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
windvane=$(realpath "${WINDVANE:?set WINDVANE to the binary}")
mkdir -p "${1:?name a folder for the results}"
out=$(realpath "$1")
rows=${ROWS:-10000000}
metrics=${METRICS:-10}
repeats=${REPEATS:-3}
sources=${SOURCES:-predictions}
peers=${PEERS-gbstats statsmodels}
venvs=${VENVS:-${XDG_CACHE_HOME:-$HOME/.cache}/windvane-bench}
work=${WORK:-$(mktemp -d)}
mkdir -p "$work"
engine=
trap '[ -z "$engine" ] || { kill "$engine" && wait "$engine"; } 2> /dev/null || true; rm -rf "$work"' EXIT

# The environments are those of run.sh, which makes them.
for tool in statsmodels $peers; do
  [ -e "$venvs/$tool/.ready" ] || { echo "run benches/experiment/run.sh first: it makes $venvs/$tool" >&2; exit 1; }
done
"$venvs/statsmodels/bin/python" "$here/rows.py" "$work/rows.parquet" "$rows" "$metrics"

port=${PORT:-18123}
"$windvane" engine --data "$work/data" --listen "127.0.0.1:$port" --memory-bytes-max "${MEMORY_MAX:-8000000000}" \
  2> "$out/engine.txt" &
engine=$!
for ((i = 0; i < 300; i++)); do
  grep -q 'the engine is ready' "$out/engine.txt" && break
  kill -0 "$engine"
  sleep 0.1
done
field() { python3 -c 'import json, sys; print(json.load(open(sys.argv[1]))[sys.argv[2]])' "$work/data/access.json" "$1"; }
user=$(field user)
(umask 077 && field password | tr -d '\n' > "$work/password" && printf 'user = "%s:%s"\n' "$user" "$(cat "$work/password")" > "$work/curl")
url=http://127.0.0.1:$port
store=(--url "$url" --user "$user" --password-file "$work/password")
"$windvane" schema apply "${store[@]}" > "$out/schema.txt" 2>&1

# ask SETTINGS STATEMENT [BODY-FILE]
ask() {
  if [ $# -eq 3 ]; then
    local query
    query=$(python3 -c 'import sys, urllib.parse; print(urllib.parse.quote(sys.argv[1]))' "$2")
    curl --fail-with-body -sS -K "$work/curl" --data-binary "@$3" "$url/?database=windvane&$1&query=$query"
  else
    curl --fail-with-body -sS -K "$work/curl" --data-binary "$2" "$url/?database=windvane&$1"
  fi
}

list() { for ((i = 0; i < metrics; i++)); do printf '%s%s' "$([ "$i" = 0 ] || printf '%s' "$2")" "${1//@/$i}"; done; }
columns="unit Int64, arm String, $(list 'm@ Float64' ', ')"
ts="toDateTime64('2026-01-05 00:00:00', 6, 'UTC') + toIntervalSecond(unit % 1000000)"
ask "" "CREATE TABLE staged ($columns) ENGINE = MergeTree ORDER BY tuple()" >&2
ask "" "INSERT INTO staged FORMAT Parquet" "$work/rows.parquet" >&2
# load INTO SELECTED [CONDITION]
load() {
  ask "max_insert_threads=2" "INSERT INTO $1 SELECT $2 FROM staged ${3:-}" >&2
}
# predictions FROM-UNIT MONTHS [CONDITION]: the staged rows as predictions of other units, so many months later.
predictions() {
  load "predictions (event_id, ts, ingested_at, model, unit_id, arms, num, kind, score, status)" \
    "concat('e', toString(unit + $1)), $ts + toIntervalMonth($2), now64(6), 'bench', concat('user-', toString(unit + $1)), \
map('predictions', arm), map($(list "'m@', m@" ', ')), 'score', 0.5, 'ok'" "${3:-}"
}
for source in $sources; do
  case $source in
    predictions) predictions 0 0 ;;
    measurements)
      load exposures "'measurements', concat('user-', toString(unit)), arm, $ts, concat('x', toString(unit)), now64(6)"
      for ((i = 0; i < metrics; i++)); do
        load measurements "'m$i', concat('user-', toString(unit)), $ts + 60, m$i, concat('m$i-', toString(unit)), now64(6)"
      done
      ;;
    *) echo "SOURCES names predictions and measurements, not $source" >&2 && exit 1 ;;
  esac
done

# Waits until no parts are merged: what a merge makes is a new part, as it would be some minutes later.
settle() {
  local still=0
  while ((still < 3)); do
    [ "$(ask "" "SELECT count() FROM system.merges")" = 0 ] && still=$((still + 1)) || still=0
    sleep 1
  done
}

{
  for source in $sources; do
    echo "[experiments.$source]"
    echo 'control = "A"'
    echo 'window = "30d"'
    [ "$source" = measurements ] || echo 'exposures = "predictions"'
    for ((i = 0; i < metrics; i++)); do
      echo "[experiments.$source.metrics.m$i]"
      ((i < metrics - metrics / 5)) || echo 'type = "proportion"'
      [ "$source" = measurements ] || printf 'source = "predictions"\nmodel = "bench"\ncolumn = "num.m%s"\n' "$i"
    done
  done
} > "$work/windvane.toml"

raw=$out/raw.csv
echo "rows,metrics,tool,repeat,wall_s,cpu_s,peak_mib,exit" > "$raw"
# Ticks of the engine, which does most of the work in another process.
ticks() { awk '{sub(/.*\) /, ""); print $12 + $13}' "/proc/$engine/stat"; }

# measure TOOL REPEAT FILE COMMAND…
measure() {
  local tool=$1 repeat=$2 file=$3 code=0 before
  shift 3
  before=$(ticks)
  /usr/bin/time -q -f '%e %U %S %M' -o "$work/time" "$@" > "$out/$file.txt" 2>&1 || code=$?
  tail -1 "$work/time" | awk -v head="$rows,$metrics,$tool,$repeat" -v code="$code" -v engine="$(($(ticks) - before))" -v hz="$(getconf CLK_TCK)" \
    '{printf "%s,%.2f,%.2f,%.0f,%d\n", head, $1, $2 + $3 + engine / hz, $4 / 1024, code}' >> "$raw"
  tail -1 "$raw" >&2
}
bare() {
  case $1 in
    predictions) echo "SELECT arms['predictions'] AS arm, count(), $(list "sum(num['m@']), sum(num['m@'] * num['m@'])" ', ') FROM predictions GROUP BY arm" ;;
    measurements) echo "SELECT metric, count(), sum(value), sum(value * value), max(ts), max(unit_id) FROM measurements GROUP BY metric" ;;
  esac
}
# Has a service keep the sums, and ends it.
keep() {
  ask "" "TRUNCATE TABLE experiment_sums" >&2
  local i
  {
    printf '[server]\nlisten = "127.0.0.1:%s"\ntokens_file = "%s"\n' "$((port + 1))" "$work/tokens.json"
    printf '[otlp]\ngrpc_listen = "127.0.0.1:0"\n[collector]\nspool_dir = "%s"\n' "$work/spool"
    printf '[store]\nurl = "%s"\nuser = "%s"\npassword_file = "%s"\n' "$url" "$user" "$work/password"
    cat "$work/windvane.toml"
  } > "$work/service.toml"
  "$windvane" serve --config "$work/service.toml" >> "$out/service.txt" 2>&1 &
  local service=$!
  for ((i = 0; i < 600; i++)); do
    [ "$(ask "" "SELECT count() FROM experiment_sums")" = 0 ] || break
    kill -0 "$service"
    sleep 0.1
  done
  kill "$service" && wait "$service" || true
}
# more MODULO WHEN REPEAT: a look after every MODULOth row came once more.
more() {
  predictions "$rows" 1 "WHERE unit % $1 = 0"
  settle
  experiment predictions "$2" "$3"
  ask "" "ALTER TABLE predictions DROP PARTITION 202602" >&2
}
# experiment SOURCE WHEN REPEAT
experiment() {
  measure "windvane from $1$2" "$3" "$1${2// /-}" "$windvane" experiment "$1" "${store[@]}" --config "$work/windvane.toml" --no-record
}
settle
for ((repeat = 1; repeat <= repeats; repeat++)); do
  for source in $sources; do
    ask "" "TRUNCATE TABLE experiment_sums" >&2
    experiment "$source" "" "$repeat"
    if [ "$source" = predictions ]; then
      experiment "$source" " again" "$repeat"
      keep
      experiment "$source" " first beside a service" "$repeat"
      more 100 " with a hundredth more" "$repeat"
      more 10 " with a tenth more" "$repeat"
    fi
    measure "barest statement over $source" "$repeat" "$source-bare" \
      curl --fail-with-body -sS -K "$work/curl" --data-binary "$(bare "$source")" "$url/?database=windvane"
  done
  for tool in $peers; do
    measure "$tool" "$repeat" "$tool" "$venvs/$tool/bin/python" "$here/peer.py" "$tool" "$work/rows.parquet" "$metrics"
  done
done

python3 "$here/summary.py" "$raw" > "$out/summary.md"
cat "$out/summary.md"
