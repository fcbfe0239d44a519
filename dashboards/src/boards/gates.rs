//! Gates: what was said of each candidate, how alike its answers were to the champion's, and how long they took, run by run.

use super::DEPLOYS_OF_GATE;
use super::alerts::{FIRED_OF_GATE, RESOLVED_OF_GATE};
use crate::variable::GATE;
use crate::{Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-gates",
        title: "Windvane · Gates",
        about: "Candidates against champions: verdicts, how alike the answers are, latency and throughput, run by run",
        from: "now-30d",
        variables: vec![GATE],
        annotations: vec![DEPLOYS_OF_GATE, FIRED_OF_GATE, RESOLVED_OF_GATE],
        rows: vec![
            Row { title: "All gates", panels: vec![GATES] },
            Row { title: "One gate, run by run", panels: vec![CHECKS, AGREEMENT] },
            Row { title: "Champion and candidate", panels: vec![OUTPUTS, LATENCY, RATIO, THROUGHPUT] },
            Row { title: "Evidence", panels: vec![EVIDENCE, RUNS] },
        ],
    }
}

const GATES: Panel = Panel {
    about: "The latest run of each gate in the span. Agreement is the share of requests on which every output agrees; the ratios say how many times as long the candidate takes. A click chooses the gate.",
    sql: "SELECT gate, toString(latest.verdict) AS verdict, model, version, toUnixTimestamp64Milli(latest.computed_at) AS ran, n AS requests,
       JSONExtract(document, 'agreement', 'rate', 'Nullable(Float64)') AS agreement,
       JSONExtract(document, 'latency_us', 'ratio', 'p50', 'Nullable(Float64)') AS ratio_p50,
       JSONExtract(document, 'latency_us', 'ratio', 'p99', 'Nullable(Float64)') AS ratio_p99, overridden_by
FROM windvane.gate_findings AS latest FINAL
WHERE check = '' AND (gate, latest.computed_at) IN (
    SELECT gate, max(computed_at) FROM windvane.gate_findings WHERE check = '' AND $__timeFilter(computed_at) GROUP BY gate
)
ORDER BY verdict = 'fail' DESC, verdict = 'inconclusive' DESC, ran DESC, gate
LIMIT 500",
    columns: &[
        ("ran", Unit::Time),
        ("agreement", Unit::Share),
        ("ratio_p50", Unit::Number),
        ("ratio_p99", Unit::Number),
    ],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    link: Some(("windvane-gates", "var-gate=${__data.fields.gate}")),
    ..Panel::new(Shape::Table, Unit::Count, "Latest run of each gate")
};

const CHECKS: Panel = Panel {
    about: "What each check of the gate said in each run, and the gate as a whole: pass, fail or inconclusive. One failed check fails the gate unless somebody overrode it.",
    sql: "SELECT computed_at AS time, multiIf(check = '', 'the gate', subject = '', check, concat(check, ' ', subject)) AS about,
       toString(verdict) AS verdict
FROM windvane.gate_findings FINAL
WHERE gate IN (${gate:singlequote}) AND $__timeFilter(computed_at)
ORDER BY time, check, subject
LIMIT 20000",
    width: 14,
    height: 10,
    ..Panel::new(Shape::Timeline, Unit::Words, "Verdicts by run")
};

const AGREEMENT: Panel = Panel {
    about: "Share of requests on which champion and candidate agree in every output, with its interval, and what the policy asks for. The lower end has to reach it.",
    sql: "SELECT computed_at AS time, any(JSONExtract(document, 'agreement', 'rate', 'Nullable(Float64)')) AS agreement,
       any(JSONExtract(document, 'agreement', 'ci', 1, 'Nullable(Float64)')) AS low,
       any(JSONExtract(document, 'agreement', 'ci', 2, 'Nullable(Float64)')) AS high,
       anyIf(bound, check = 'agreement' AND subject = '') AS asked_for
FROM windvane.gate_findings FINAL
WHERE gate IN (${gate:singlequote}) AND $__timeFilter(computed_at)
GROUP BY time, run_id
ORDER BY time",
    width: 10,
    height: 10,
    ..Panel::new(Shape::Lines, Unit::Share, "Agreement")
};

const OUTPUTS: Panel = Panel {
    about: "Share of requests that agree, output by output: which part of the answer has changed.",
    sql: "SELECT computed_at AS time, JSONExtractString(output, 'output') AS output_name,
       JSONExtract(output, 'rate', 'Nullable(Float64)') AS agreement
FROM windvane.gate_findings FINAL
ARRAY JOIN JSONExtractArrayRaw(document, 'agreement', 'outputs') AS output
WHERE gate IN (${gate:singlequote}) AND check = '' AND $__timeFilter(computed_at)
ORDER BY time, output_name
LIMIT 20000",
    width: 6,
    ..Panel::new(Shape::Lines, Unit::Share, "Agreement by output")
};

const LATENCY: Panel = Panel {
    about: "How long champion and candidate took for a request: half and 99 per cent of the requests took at most this. Runs on other machines or devices are not to be compared.",
    sql: "SELECT computed_at AS time, JSONExtract(document, 'latency_us', 'champion', 'p50', 'Nullable(Float64)') AS champion_p50,
       JSONExtract(document, 'latency_us', 'candidate', 'p50', 'Nullable(Float64)') AS candidate_p50,
       JSONExtract(document, 'latency_us', 'champion', 'p99', 'Nullable(Float64)') AS champion_p99,
       JSONExtract(document, 'latency_us', 'candidate', 'p99', 'Nullable(Float64)') AS candidate_p99
FROM windvane.gate_findings FINAL
WHERE gate IN (${gate:singlequote}) AND check = '' AND $__timeFilter(computed_at)
ORDER BY time",
    width: 6,
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Latency of both models")
};

const RATIO: Panel = Panel {
    about: "How many times as long as the champion the candidate takes, quantile by quantile, and the most that the policy accepts.",
    sql: "SELECT computed_at AS time, any(JSONExtract(document, 'latency_us', 'ratio', 'p50', 'Nullable(Float64)')) AS p50,
       any(JSONExtract(document, 'latency_us', 'ratio', 'p95', 'Nullable(Float64)')) AS p95,
       any(JSONExtract(document, 'latency_us', 'ratio', 'p99', 'Nullable(Float64)')) AS p99,
       anyIf(bound, check = 'latency_ratio') AS accepted
FROM windvane.gate_findings FINAL
WHERE gate IN (${gate:singlequote}) AND $__timeFilter(computed_at)
GROUP BY time, run_id
ORDER BY time",
    width: 6,
    ..Panel::new(Shape::Lines, Unit::Number, "Candidate's time over champion's")
};

const THROUGHPUT: Panel = Panel {
    about: "Requests a second that each model answered at the pace of the run. At another pace than `max` it says how fast requests came.",
    sql: "SELECT computed_at AS time, JSONExtract(document, 'throughput_per_s', 'champion', 'Nullable(Float64)') AS champion,
       JSONExtract(document, 'throughput_per_s', 'candidate', 'Nullable(Float64)') AS candidate
FROM windvane.gate_findings FINAL
WHERE gate IN (${gate:singlequote}) AND check = '' AND $__timeFilter(computed_at)
ORDER BY time",
    width: 6,
    ..Panel::new(Shape::Lines, Unit::PerSecond, "Requests a second")
};

const EVIDENCE: Panel = Panel {
    about: "The checks of the gate's latest run in the span, failed ones first: what was seen with its interval, what is accepted, and the reason in words.",
    sql: "SELECT check, subject, toString(verdict) AS verdict, observed, ci_low, ci_high, bound, n, reason
FROM windvane.gate_findings AS found FINAL
WHERE gate IN (${gate:singlequote}) AND check != '' AND found.computed_at = (
    SELECT max(computed_at) FROM windvane.gate_findings
    WHERE gate IN (${gate:singlequote}) AND check = '' AND $__timeFilter(computed_at)
)
ORDER BY verdict = 'fail' DESC, verdict = 'inconclusive' DESC, check, subject
LIMIT 500",
    columns: &[("n", Unit::Count)],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Number, "Checks of the latest run")
};

const RUNS: Panel = Panel {
    about: "The runs of the gate in the span, the latest first: which files were compared, which checks did not pass, and who let a candidate pass all the same.",
    sql: "SELECT toUnixTimestamp64Milli(computed_at) AS ran, anyIf(toString(runs.verdict), check = '') AS verdict, max(n) AS requests, model, version,
       arrayStringConcat(arraySort(groupArrayIf(concat(check, if(subject = '', '', concat(' ', subject))), check != '' AND runs.verdict != 'pass')), ', ') AS not_passed,
       any(runs.overridden_by) AS overridden_by, substring(any(champion_sha256), 1, 12) AS champion, substring(any(candidate_sha256), 1, 12) AS candidate, run_id
FROM windvane.gate_findings AS runs FINAL
WHERE gate IN (${gate:singlequote}) AND $__timeFilter(computed_at)
GROUP BY computed_at, run_id, model, version
ORDER BY ran DESC, run_id
LIMIT 200",
    columns: &[("ran", Unit::Time)],
    cells: &[("verdict", Cells::Words)],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Count, "Runs")
};
