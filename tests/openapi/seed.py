#!/usr/bin/env python3
"""Findings of each kind for a service over an empty store, as rows: how they come to be is tested elsewhere.

Usage: tests/openapi/seed.py WINDVANE STORE ACCESS

WINDVANE is the binary, STORE the engine's address, as the service's log names it, and ACCESS the file access.json of its folder.
The model is `delay`, the experiment `checkout`, whose document the binary makes, and the gate `delay-8`.
"""

import json
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from pathlib import Path

# One window of a day; what each table has beside it follows.
WINDOW = "now64(6), 'delay', toDateTime64('2026-01-01 00:00:00', 6, 'UTC'), toDateTime64('2026-01-02 00:00:00', 6, 'UTC')"
FINDINGS = [
    """INSERT INTO windvane.predictions (event_id, ts, ingested_at, model, version, environment, num, kind, score, latency_us, status)
        SELECT toString(number), toDateTime64('2026-01-01 00:00:00', 6, 'UTC') + toIntervalMinute(number), now64(6), 'delay', '8', 'prod', map('temp', number), 'score',
               0.5, 900, 'ok' FROM numbers(120)""",
    f"""INSERT INTO windvane.drift_findings (run_id, computed_at, model, window_start, window_end, reference_kind, monitor, column_name, column_kind, method,
            statistic, threshold, p_value, p_adjusted, effect, n_reference, n_current, direction, drifted, verdict)
        SELECT 'drift-1', {WINDOW}, 'window', 'daily', 'temp', 'numeric', 'psi', 0.25, 0.1, 0.001, 0.002, 0.25, 480, 120, 'up', true, 'drift'""",
    f"""INSERT INTO windvane.performance_findings (run_id, computed_at, model, window_start, window_end, task, metric, realised, ci_low, ci_high, n, labelled,
            coverage, alert, verdict)
        SELECT 'performance-1', {WINDOW}, 'binary', 'roc_auc', 0.75, 0.7, 0.8, 120, 60, 0.5, true, 'alert'""",
    f"""INSERT INTO windvane.quality_findings (run_id, computed_at, model, window_start, window_end, column_name, method, statistic, threshold, occurrences,
            n_current, reference_kind, verdict, detail)
        SELECT 'quality-1', {WINDOW}, 'temp', 'missing_rate', 0.2, 0.1, 24, 120, 'window', 'fail',
               '{{"check":"missing_rate","column":"temp","observed":0.2,"expected":[0,0.1],"verdict":"fail","count":24,"examples":[]}}'""",
    f"""INSERT INTO windvane.latency_findings (run_id, computed_at, model, window_start, window_end, method, statistic, reference_statistic, n_reference,
            n_current, reference_kind, verdict, detail)
        SELECT 'latency-1', {WINDOW}, 'p99', 900, 850, 480, 120, 'window', 'steady',
               '{{"group":{{}},"n":120,"mean":500,"quantiles":[{{"quantile":"p99","value":900,"ci":[850,950]}}],"drift":null}}'""",
    f"""INSERT INTO windvane.fairness_findings (run_id, computed_at, model, window_start, window_end, segment_key, segment_value, reference_value, method,
            statistic, ci_low, ci_high, value, reference_statistic, threshold, p_value, p_adjusted, n_reference, n_current, verdict, detail)
        SELECT 'fairness-1', {WINDOW}, 'region', 'west', 'east', 'demographic_parity', -0.2, -0.3, -0.1, 0.3, 0.5, 0.05, 0.001, 0.002, 60, 60, 'fail',
               '{{"group":{{"region":"west"}},"n":60,"labelled":30}}'""",
    f"""INSERT INTO windvane.attribution_findings (run_id, computed_at, model, window_start, window_end, reference_kind, column_name, method, statistic,
            reference_statistic, threshold, place, reference_place, n_reference, n_current, verdict)
        SELECT 'attribution-1', {WINDOW}, 'window', arrayJoin(['', 'temp', 'wind']) AS feature, if(feature = '', 'ndcg', 'importance'),
               if(feature = '', 0.8, 0.4), if(feature = '', NULL, 0.5), if(feature = '', 0.9, NULL), indexOf(['wind', 'temp'], feature),
               indexOf(['temp', 'wind'], feature), 120, 120, if(feature = '', 'drift', '')""",
    """INSERT INTO windvane.alert_events (at, rule, fingerprint, from_state, to_state, reason, severity, model, labels, value, summary, holder)
        SELECT now64(6), 'FeatureDrift', 'f1', 'pending', 'firing', 'entered', 'warning', 'delay', map('model', 'delay'), 0.4, 'temp of delay has moved', 'seeded'""",
]
GATE = """INSERT INTO windvane.gate_findings (run_id, computed_at, gate, model, version, champion_sha256, candidate_sha256, check, verdict, observed, bound, n, reason, document)
    SELECT 'gate-1', now64(6), 'delay-8', 'delay', '8', 'aa', 'bb', arrayJoin(['', 'agreement']) AS check, 'pass', if(check = '', NULL, 0.99), if(check = '', NULL, 0.98),
           1000, if(check = '', '', 'as it was seen'), if(check = '', '{document}', '')"""
LOOK = """INSERT INTO windvane.experiment_looks (run_id, computed_at, as_of, experiment, control, units, srm_verdict, verdict, document)
    SELECT 'look-1', now64(6), toDateTime64('2026-01-02 00:00:00', 6, 'UTC'), 'checkout', 'A', 80, 'ok', '{verdict}', '{document}'"""


def experiment(windvane):
    """The document of an experiment of 80 units, of which those of `B` spend three more."""
    with tempfile.TemporaryDirectory() as folder:
        units = Path(folder, "units.csv")
        rows = (f"u{i},{'AB'[i % 2]},{10 + i % 7 + 3 * (i % 2)}" for i in range(80))
        units.write_text("\n".join(["unit,arm,revenue", *rows]) + "\n")
        command = [windvane, "--log", "error", "experiment", "units.csv", "--unit", "unit", "--arm", "arm", "--control", "A"]
        command += ["--metric", "revenue:mean", "--format", "json"]
        return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def statements(windvane):
    """All of them; texts within quotes are escaped as ClickHouse reads them."""
    quoted = lambda text: text.replace("\\", "\\\\").replace("'", "\\'")  # noqa: E731
    document = experiment(windvane)
    gate = Path(__file__).with_name("gate.json").read_text().strip()
    verdict = json.loads(document)["comparisons"][0]["verdict"]
    look = LOOK.format(verdict=verdict, document=quoted(document))
    return [*FINDINGS, GATE.format(document=quoted(gate)), look]


def main(windvane, store, access):
    """Inserts all of them."""
    user = json.loads(Path(access).read_text())
    headers = {"X-ClickHouse-User": user["user"], "X-ClickHouse-Key": user["password"]}
    for sql in statements(windvane):
        with urllib.request.urlopen(urllib.request.Request(store, data=sql.encode(), headers=headers), timeout=60) as answer:
            answer.read()


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except urllib.error.HTTPError as refused:
        sys.exit(f"the store refuses: {refused.read().decode(errors='replace')}")
