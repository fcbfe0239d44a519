//! The rules that are there without a configuration: what everybody wants to know. A table of the same name changes parts.

use std::time::Duration;

use crate::machine::NoData;
use crate::rule::Side;

/// A rule as it stands here, before the configuration has had its say.
#[derive(Debug, Clone, Copy)]
pub struct Usual {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub source: &'static str,
    /// What is measured.
    pub measure: &'static str,
    /// When it is wrong, and when it is right again.
    pub condition: (Side, f64, f64),
    /// How long it has to be wrong.
    pub hold: Duration,
    /// How long it has to be right.
    pub keep_firing_for: Duration,
    /// What no data means.
    pub no_data: NoData,
    /// Less evidence is no data.
    pub evidence_min: f64,
    /// How often it is looked at, at most.
    pub every: Duration,
    /// How urgent it is.
    pub severity: &'static str,
    /// What people read: `summary`, `description`, `next`.
    pub annotations: &'static [(&'static str, &'static str)],
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A verdict of another part: 1 is wrong, and nothing has to be waited for.
const VERDICT: Usual = Usual {
    name: "",
    source: "",
    measure: "",
    condition: (Side::Above, 0.5, 0.5),
    hold: Duration::ZERO,
    keep_firing_for: Duration::ZERO,
    no_data: NoData::Keep,
    evidence_min: 0.0,
    every: Duration::ZERO,
    severity: "warning",
    annotations: &[],
};

/// A measurement of this process: it is there or all is well.
const OWN: Usual = Usual { source: "own", no_data: NoData::Ok, severity: "critical", ..VERDICT };

/// All of them, by name.
pub const RULES: &[Usual] = &[
    Usual {
        name: "AttributionDrift",
        source: "attribution",
        measure: "drifted",
        annotations: &[
            (
                "summary",
                "{{ labels.model }} decides by other features than before{% if moved %}: {{ moved|join(', ') }}{% endif %}",
            ),
            (
                "description",
                "{{ window_start_us|time }} to {{ window_end_us|time }} against the {% if reference_kind == 'window' %}fixed window{% elif reference_kind == 'previous' %}previous window{% else %}{{ reference_kind|replace('_', ' ') }}{% endif %}{% if reference_name %} {{ reference_name }}{% endif %}: the ranking of features by attribution keeps {{ ndcg|digits }} of 1 (nDCG){% if ndcg_low is not none and ndcg_high is not none %}, {{ ndcg_low|digits }} to {{ ndcg_high|digits }}{% endif %}; this fires below {{ threshold|digits }}. {{ n_current|grouped }} rows against {{ n_reference|grouped }}. Monitor {{ labels.monitor }}.",
            ),
            (
                "next",
                "{% if reference_kind == 'window' %}look whether features of {{ labels.model }} drifted at the same time{% else %}windvane attribution --model {{ labels.model }} --reference {{ reference_kind }}{% if reference_name %}:{{ reference_name }}{% endif %} --window {{ window_start }}/{{ window_end }}{% endif %}",
            ),
        ],
        ..VERDICT
    },
    Usual {
        name: "DataQuality",
        source: "quality",
        measure: "failed",
        annotations: &[
            (
                "summary",
                "{{ labels.column or 'the table' }} of {{ labels.model }} fails {{ labels.check }}{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}",
            ),
            (
                "description",
                "{% if observed is not none %}Found {{ observed|digits }}{% if expected_low is not none or expected_high is not none %}, expected {{ expected_low|digits }} to {{ expected_high|digits }}{% endif %}; {% endif %}{{ occurrences|grouped }} of {{ n_current|grouped }} rows, {{ window_start_us|time }} to {{ window_end_us|time }}. Monitor {{ labels.monitor }}.",
            ),
            (
                "next",
                "look at what feeds {{ labels.column or 'the model' }}: drift and performance of this model follow from it",
            ),
        ],
        ..VERDICT
    },
    Usual {
        name: "DeadLetters",
        measure: "dead_lettered_rows",
        condition: (Side::Above, 0.0, 0.0),
        severity: "error",
        annotations: &[
            (
                "summary",
                "{{ value|digits }} {% if value == 1 %}row{% else %}rows{% endif %} of {{ labels.table }} could not be stored",
            ),
            (
                "description",
                "ClickHouse refuses them however often they are sent; they lie in `spool/dead` with the reason.",
            ),
            ("next", "read the reason in `spool/dead`, and mend what sends such events"),
        ],
        ..OWN
    },
    Usual {
        name: "ExperimentWorse",
        source: "experiment",
        measure: "worse",
        annotations: &[
            (
                "summary",
                "{{ labels.experiment }}: {{ labels.metric }} of {{ labels.arm }} is {% if relative is not none %}{{ (relative|abs * 100)|digits }} % {% endif %}worse than {{ control }}",
            ),
            (
                "description",
                "{{ labels.role }} metric{% if relative_low is not none and relative_high is not none %}; the interval of the change is {{ (relative_low * 100)|digits }} % to {{ (relative_high * 100)|digits }} %{% endif %}, {{ p_adjusted|p_value }}; {{ n|grouped }} units against {{ n_control|grouped }}.",
            ),
            ("next", "windvane experiment {{ labels.experiment }}"),
        ],
        ..VERDICT
    },
    Usual {
        name: "FairnessGap",
        source: "fairness",
        measure: "failed",
        annotations: &[
            (
                "summary",
                "{{ labels.model }}, {{ labels.metric|replace('_', ' ') }} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}: {{ share|percent }} against {{ share_reference|percent }} {% if reference %}where it is {{ reference }}{% else %}expected by its scores{% endif %}",
            ),
            (
                "description",
                "{{ window_start_us|time }} to {{ window_end_us|time }}{% if gap_low is not none and gap_high is not none %}: the interval of the gap is {{ gap_low|percent }} to {{ gap_high|percent }}{% endif %}, beyond {{ threshold|percent }} it counts, {{ p_adjusted|p_value }}; {{ n_current|grouped }} rows{% if reference %} against {{ n_reference|grouped }}{% endif %}. Monitor {{ labels.monitor }}.",
            ),
            (
                "next",
                "windvane fairness --model {{ labels.model }} --group-by {{ labels.segment_key }} --window {{ window_start }}/{{ window_end }}",
            ),
        ],
        ..VERDICT
    },
    Usual {
        name: "FeatureDrift",
        source: "drift",
        measure: "drifted",
        annotations: &[
            (
                "summary",
                "{{ labels.column }} of {{ labels.model }} drifted{% if direction != 'none' %} {{ direction|arrow }}{% endif %}{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}{% if mean_reference is not none and mean_current is not none %}: mean {{ mean_reference|digits }} → {{ mean_current|digits }}{% elif share_reference is not none and share_current is not none %}: {{ category or 'missing' }} {{ share_reference|percent }} → {{ share_current|percent }}{% endif %}",
            ),
            (
                "description",
                "{{ window_start_us|time }} to {{ window_end_us|time }} against {% if reference_name %}the {{ reference_kind }} {{ reference_name }}{% else %}{{ reference_start_us|time }} to {{ reference_end_us|time }}{% endif %}: {{ method }} {{ statistic|digits }}{% if threshold is not none %} (floor {{ threshold|digits }}){% endif %}, {{ p_adjusted|p_value }}; {{ (n_current + missing_current)|grouped }} rows against {{ (n_reference + missing_reference)|grouped }}. Monitor {{ labels.monitor }}.",
            ),
            (
                "next",
                "windvane drift --model {{ labels.model }} --columns {{ labels.column }} --reference window:{{ reference_start_us|instant }}/{{ reference_end_us|instant }} --window {{ window_start }}/{{ window_end }}",
            ),
        ],
        ..VERDICT
    },
    Usual {
        name: "GateFailed",
        source: "gate",
        measure: "failed",
        // Only the latest run of a gate is observed: a version that it looks at no more is nobody's concern.
        no_data: NoData::Ok,
        annotations: &[
            (
                "summary",
                "the gate {{ labels.gate }} does not let {% if labels.version %}version {{ labels.version }}{% else %}the candidate{% endif %}{% if labels.model %} of {{ labels.model }}{% endif %} pass",
            ),
            ("description", "{% if reason %}{{ reason }}; {% endif %}{{ evidence|digits }} requests."),
        ],
        ..VERDICT
    },
    Usual {
        name: "IngestionStalled",
        source: "ingestion",
        measure: "silence_ratio",
        condition: (Side::Above, 2.0, 1.0),
        evidence_min: 6.0,
        every: Duration::from_secs(300),
        severity: "error",
        annotations: &[
            ("summary", "no predictions of {{ labels.model }} for {{ silence_s|duration }}"),
            (
                "description",
                "The longest silence of the past week was {{ longest_s|duration }}; the last prediction came at {{ last_us|time }}.",
            ),
            ("next", "look whether the model still serves, and whether its telemetry reaches the collector"),
        ],
        ..VERDICT
    },
    Usual {
        name: "LatencyBudgetBurns",
        source: "latency",
        measure: "page",
        severity: "critical",
        annotations: &[
            (
                "summary",
                "{{ labels.model }} burns its latency budget {{ statistic|digits }} times as fast as the budget allows",
            ),
            (
                "description",
                "The objective is {{ labels.objective|objective }}; this fires at {{ threshold|digits }} times. {{ n_reference|grouped }} of {{ n_current|grouped }} answers were too slow. Monitor {{ labels.monitor }}.",
            ),
            ("next", "look at the latency of {{ labels.model }} by version and environment"),
        ],
        ..VERDICT
    },
    Usual {
        name: "LatencyBudgetWanes",
        source: "latency",
        measure: "ticket",
        annotations: &[
            (
                "summary",
                "{{ labels.model }} burns its latency budget {{ statistic|digits }} times as fast as the budget allows",
            ),
            (
                "description",
                "The objective is {{ labels.objective|objective }}; this fires at {{ threshold|digits }} times. {{ n_reference|grouped }} of {{ n_current|grouped }} answers were too slow. Monitor {{ labels.monitor }}.",
            ),
        ],
        ..VERDICT
    },
    Usual {
        name: "ModelSlower",
        source: "latency",
        measure: "slower",
        annotations: &[
            (
                "summary",
                "{{ labels.model }} is slower{% if labels.quantile %} at {{ labels.quantile }}{% endif %}{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}: {{ reference_statistic|milliseconds }} → {{ statistic|milliseconds }}",
            ),
            (
                "description",
                "{{ window_start_us|time }} to {{ window_end_us|time }}, {{ n_current|grouped }} answers against {{ n_reference|grouped }}, {{ p_value|p_value }}. Monitor {{ labels.monitor }}.",
            ),
        ],
        ..VERDICT
    },
    Usual {
        name: "MonitorFailing",
        source: "monitor",
        measure: "failed",
        severity: "error",
        annotations: &[
            ("summary", "the monitor {{ labels.monitor }} fails"),
            (
                "description",
                "Attempt {{ attempt }} at the window that ended {{ window_end_us|time }}: {{ error }}",
            ),
            ("next", "windvane monitor list"),
        ],
        ..VERDICT
    },
    Usual {
        name: "NotificationsUndelivered",
        measure: "undelivered",
        condition: (Side::Above, 0.0, 0.0),
        severity: "error",
        annotations: &[
            (
                "summary",
                "the receiver {{ labels.receiver }} did not get {{ value|digits }} {% if value == 1 %}message{% else %}messages{% endif %}",
            ),
            ("next", "windvane alerts test --receiver {{ labels.receiver }}"),
        ],
        ..OWN
    },
    Usual {
        name: "OutcomesMissing",
        source: "outcomes",
        measure: "coverage_ratio",
        condition: (Side::Below, 0.5, 0.8),
        evidence_min: 100.0,
        every: HOUR,
        annotations: &[
            (
                "summary",
                "outcomes of {{ labels.model }} stop coming: {{ coverage_before|percent }} → {{ coverage|percent }} of predictions",
            ),
            (
                "description",
                "Predictions that had an outcome within a day, of {{ rows|grouped }}, against {{ rows_before|grouped }} of the week before. Performance is judged on fewer rows, and perhaps on other ones.",
            ),
            ("next", "look at what sends outcomes to the collector"),
        ],
        ..VERDICT
    },
    Usual {
        name: "PerformanceOff",
        source: "performance",
        measure: "alert",
        severity: "error",
        annotations: &[
            (
                "summary",
                "{{ labels.metric }} of {{ labels.model }} left what is usual{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}: {% if realised is not none %}{{ realised|digits }}{% else %}{{ estimated|digits }} estimated{% endif %}",
            ),
            (
                "description",
                "Usual is {{ threshold_low|digits }} to {{ threshold_high|digits }}{% if ci_low is not none and ci_high is not none %}; the interval is {{ ci_low|digits }} to {{ ci_high|digits }}{% endif %}. {{ rows|grouped }} predictions, {{ coverage|percent }} with an outcome, {{ window_start_us|time }} to {{ window_end_us|time }}. Monitor {{ labels.monitor }}.",
            ),
            ("next", "look whether features drifted or data broke at the same time"),
        ],
        ..VERDICT
    },
    Usual {
        name: "RuleFailing",
        measure: "failed_evaluations",
        // The third failure in a row: one or two may be a moment's overload.
        condition: (Side::Above, 2.0, 0.0),
        severity: "error",
        annotations: &[
            ("summary", "the rule {{ labels.rule }} cannot be evaluated"),
            (
                "description",
                "{{ value|digits }} evaluations in a row have failed{% if since_us %} since {{ since_us|time }}{% endif %}, the last one with: {{ error }}. Its alerts stay as they are, and new ones are not found.",
            ),
            (
                "next",
                "windvane alerts lint --online; mend what the error names, or set enabled = false in [alerts.rules.{{ labels.rule }}]",
            ),
        ],
        ..OWN
    },
    Usual {
        name: "SampleRatioMismatch",
        source: "sample_ratio",
        measure: "mismatch",
        severity: "error",
        annotations: &[
            ("summary", "{{ labels.experiment }} has another share of units an arm than planned"),
            (
                "description",
                "{{ p_value|p_value }} of {{ evidence|digits }} units. Its results cannot be trusted until the cause is known.",
            ),
            ("next", "windvane experiment {{ labels.experiment }}"),
        ],
        ..VERDICT
    },
    Usual {
        name: "SpoolDamaged",
        measure: "damaged_rows",
        condition: (Side::Above, 0.0, 0.0),
        annotations: &[
            (
                "summary",
                "{{ value|digits }} acknowledged {% if value == 1 %}row{% else %}rows{% endif %} of {{ labels.table }} went bad on disk",
            ),
            ("next", "look at the disk; the bytes lie beside the segment files as `*.damaged`"),
        ],
        ..OWN
    },
    Usual {
        name: "SpoolFailed",
        measure: "spool_failed",
        annotations: &[
            ("summary", "the spool of {{ labels.table }} cannot be written; events are refused"),
            ("next", "look at the disk of the spool; events are taken again as soon as it can be written to"),
        ],
        ..OWN
    },
    Usual {
        name: "SpoolLagging",
        measure: "spool_age_s",
        condition: (Side::Above, 600.0, 60.0),
        hold: MINUTE,
        annotations: &[
            ("summary", "events of {{ labels.table }} wait for ClickHouse for {{ value|duration }}"),
            ("next", "windvane query \"SELECT 1\", and the log of the service"),
        ],
        ..OWN
    },
    Usual {
        name: "StoreUnavailable",
        measure: "store_unavailable",
        hold: Duration::from_secs(120),
        keep_firing_for: MINUTE,
        annotations: &[
            ("summary", "ClickHouse does not answer"),
            ("description", "Events wait in the spool, and nothing else is judged meanwhile."),
            ("next", "the log of the service, and /readyz"),
        ],
        ..OWN
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notification::Labels;
    use crate::rule::{Rule, Source};
    use crate::template::{About, annotations};

    /// What a rule says of the sample of its source.
    fn said(name: &str) -> Labels {
        said_with(name, |_| {})
    }

    /// What it says of the sample with other labels.
    fn said_with(name: &str, change: impl Fn(&mut Labels)) -> Labels {
        let usual = RULES.iter().find(|usual| usual.name == name).unwrap();
        let kind = windvane_store::alerts::sources::kind(usual.source).unwrap();
        let templates = usual.annotations.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let rule = Rule {
            name: usual.name.to_owned(),
            source: Source::Stored { kind, measure: usual.measure },
            annotations: templates.collect(),
            ..crate::desk::fixture::rule()
        };
        let mut sample = rule.sample();
        change(&mut sample.labels);
        annotations(&About { rule: &rule, labels: &sample.labels, observation: &sample })
    }

    #[test]
    fn they_say_what_was_found() {
        for (name, summary, description) in [
            (
                "AttributionDrift",
                "delay decides by other features than before: temp 6 → 1, dep_delay 1 → 4",
                "2013-03-01 00:00 UTC to 2013-03-02 00:00 UTC against the baseline spring: the ranking of features by \
                 attribution keeps 0.71 of 1 (nDCG), 0.66 to 0.77; this fires below 0.9. 1,400 rows against 17,218. \
                 Monitor attribution.",
            ),
            (
                "FairnessGap",
                "delay, demographic parity where origin is JFK: 31.0 % against 49.0 % where it is EWR",
                "2013-03-01 00:00 UTC to 2013-03-02 00:00 UTC: the interval of the gap is -22.0 % to -14.0 %, beyond \
                 5.0 % it counts, p < 0.001; 1,400 rows against 1,900. Monitor fairness.",
            ),
            (
                "ExperimentWorse",
                "checkout: revenue of B is 4 % worse than A",
                "guardrail metric; the interval of the change is -6 % to -2 %, p 0.001; 4,000 units against 4,100.",
            ),
            (
                "GateFailed",
                "the gate delay does not let version 8 of delay pass",
                "agreement 0.91, at least 0.99 is asked for; 4000 requests.",
            ),
            (
                "LatencyBudgetBurns",
                "delay burns its latency budget 16.2 times as fast as the budget allows",
                "The objective is 99.9 % within 250 ms over 1 h; this fires at 14.4 times. 21 of 1,400 answers \
                 were too slow. Monitor latency.",
            ),
        ] {
            let said = said(name);
            assert_eq!((said["summary"].as_str(), said["description"].as_str()), (summary, description));
        }
        let drift = said("FeatureDrift");
        assert!(drift["description"].contains(" against the baseline spring: ks 0.31"), "{drift:?}");
    }

    #[test]
    fn rows_with_an_empty_text_are_told_apart_from_all_rows() {
        let segmented = RULES.iter().filter(|usual| {
            usual
                .annotations
                .iter()
                .any(|(name, text)| *name == "summary" && text.contains("labels.segment_key"))
        });
        let mut names = Vec::new();
        for Usual { name, .. } in segmented {
            let told = said_with(name, |labels| {
                labels.insert("segment_key".to_owned(), "origin".to_owned());
                // A label without a value is left out.
                labels.remove("segment");
            });
            assert!(told["summary"].contains(" where origin is empty"), "{name}: {}", told["summary"]);
            names.push(*name);
        }
        assert_eq!(names.len(), 5, "{names:?}");
    }

    #[test]
    fn they_stand_in_the_order_of_their_names() {
        assert!(RULES.windows(2).all(|pair| pair[0].name < pair[1].name));
    }
}
