#!/usr/bin/env bash
# How long does the daily performance of 30 days by 5 segments take, of ROWS predictions with OUTCOMES outcomes, against pandas and scikit-learn?
#
#   [ROUNDS=3] benches/performance/run.sh WINDVANE PYTHON WORK [ROWS] [OUTCOMES]
#
# WINDVANE is a binary, PYTHON one with pandas, pyarrow and scikit-learn, WORK an empty folder with room for 600 bytes a prediction. Python runs twice
# a round: for the values of metrics alone, and for all that the command says (peer.py). Prints a line a run: who, wall seconds, peak memory of its own
# process, processor seconds, and of Windvane those of the engine, which is a process of its own; then the largest difference of any number, the
# ratios of the medians, and the engine's peak since all rows were stored: it is started again before the first round.
set -euo pipefail
windvane=$1 python=$2 work=$3 rows=${4:-10000000} outcomes=${5:-$((rows / 5 * 4))}
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$work"
engine=
stop() { [ -z "$engine" ] || { kill "$engine"; wait "$engine" || true; engine=; }; }
trap stop EXIT
start() {
  "$windvane" engine --data "$work/data" --listen 127.0.0.1:18977 2>> "$work/engine.log" & engine=$!
  until curl -sf http://127.0.0.1:18977/ping > /dev/null; do kill -0 $engine; sleep 0.2; done
}
start
user=$("$python" -c "import json; d = json.load(open('$work/data/access.json')); print(d['user'] + ':' + d['password'])")
"$python" -c "import json; print(json.load(open('$work/data/access.json'))['password'])" > "$work/password"
sql() { curl -sS --fail-with-body -u "$user" "http://127.0.0.1:18977/?database=windvane" --data-binary "$1"; }
at="--url http://127.0.0.1:18977 --user ${user%%:*} --password-file $work/password"
"$windvane" schema apply $at > /dev/null
# Scores are uniform; what is true follows them, less so in region r4; 1 of 5 events has no outcome.
sql "INSERT INTO predictions (event_id, ts, ingested_at, model, score, kind, cat)
     SELECT concat('e', toString(number)), toDateTime64('2025-01-01 00:00:00', 6, 'UTC') + toIntervalSecond(intDiv(number * 30 * 86400, $rows)),
            now64(6), 'm', (cityHash64(number) % 1000003) / 1000003., 'score', map('region', concat('r', toString(cityHash64(number, 2) % 5)))
     FROM numbers($rows)"
sql "INSERT INTO outcomes (model, event_id, ts, ingested_at, label)
     SELECT 'm', concat('e', toString(number)), now64(6), now64(6),
            toString(toUInt8((cityHash64(number, 1) % 1000) / 1000. < if(cityHash64(number, 2) % 5 = 4, 0.5, (cityHash64(number) % 1000003) / 1000003.)))
     FROM (SELECT intDiv(number * 5, 4) AS number FROM numbers($outcomes)) WHERE number < $rows"
sql "SELECT event_id, ts, score, cat['region'] AS region FROM predictions FORMAT Parquet" > "$work/predictions.parquet"
sql "SELECT event_id, label FROM outcomes FORMAT Parquet" > "$work/outcomes.parquet"
stop
start
# Processor seconds of the engine so far, in hundredths.
spent() { awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$engine/stat"; }
timed() {
  local name=$1 before; shift; before=$(spent)
  /usr/bin/time -f "%e %M %U %S" -o "$work/$name.time" "$@" > "$work/$name.out" 2> "$work/$name.err" || { cat "$work/$name.err" >&2; exit 1; }
  awk -v name="$name" -v engine=$(($(spent) - before)) \
    '{ printf "%s %.2f s, %.0f MB, processor %.2f s", name, $1, $2 / 1024, $3 + $4
       if (name == "windvane") printf " and of the engine %.2f s", engine / 100
       print "" }' "$work/$name.time" | tee -a "$work/runs"
}
: > "$work/runs"
echo "$rows predictions, $outcomes outcomes, $(nproc) cores"
for round in $(seq 1 "${ROUNDS:-3}"); do
  timed windvane "$windvane" performance --model m $at --task binary --reference window:2025-01-01/2025-01-06 --window 2025-01-01/2025-01-31 \
    --segment-by region --weakest 0 --no-record --format json
  timed points "$python" "$here/peer.py" "$work" points
  timed whole "$python" "$here/peer.py" "$work" whole
done
"$python" "$here/compare.py" "$work"
awk '/VmHWM/ { printf "engine, peak %.0f MB\n", $2 / 1024 }' "/proc/$engine/status"
