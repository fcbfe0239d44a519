//! Rules of what other parts have found: verdicts on models, experiments and gates, and what does not come any more.

use std::time::Duration;

use super::{HOUR, Usual, VERDICT, Words};
use crate::machine::NoData;
use crate::rule::Side;

/// An objective whose budget burns: what is said is the same, however fast it burns.
const BUDGET: Words = Words {
    summary: "{{ labels.model }} burns its latency budget {{ statistic|digits }} times as fast as the budget allows",
    description: "The objective is {{ labels.objective|objective }}; this fires at {{ threshold|digits }} times. {{ n_reference|grouped }} of {{ n_current|grouped }} answers were too slow. Monitor {{ labels.monitor }}.",
    ..Words::NONE
};

/// By name.
pub(super) const RULES: &[Usual] = &[
    Usual {
        name: "AttributionDrift",
        source: "attribution",
        measure: "drifted",
        words: Words {
            summary: "{{ labels.model }} decides by other features than before{% if moved %}: {{ moved|join(', ') }}{% endif %}",
            description: "{{ window_start_us|time }} to {{ window_end_us|time }} against the {% if reference_kind == 'window' %}fixed window{% elif reference_kind == 'previous' %}previous window{% else %}{{ reference_kind|replace('_', ' ') }}{% endif %}{% if reference_name %} {{ reference_name }}{% endif %}: the ranking of features by attribution keeps {{ ndcg|digits }} of 1 (nDCG){% if ndcg_low is not none and ndcg_high is not none %}, {{ ndcg_low|digits }} to {{ ndcg_high|digits }}{% endif %}; this fires below {{ threshold|digits }}, and where a feature is attributed on one side only. {{ n_current|grouped }} rows against {{ n_reference|grouped }}. Monitor {{ labels.monitor }}.",
            next: "{% if reference_kind == 'window' %}look whether features of {{ labels.model }} drifted at the same time{% else %}windvane attribution --model {{ labels.model }} --reference {{ reference_kind }}{% if reference_name %}:{{ reference_name }}{% endif %} --window {{ window_start }}/{{ window_end }}{% endif %}",
        },
        ..VERDICT
    },
    Usual {
        name: "DataQuality",
        source: "quality",
        measure: "failed",
        words: Words {
            summary: "{{ labels.column or 'the table' }} of {{ labels.model }} fails {{ labels.check }}{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}",
            description: "{% if observed is not none %}Found {{ observed|digits }}{% if expected_low is not none or expected_high is not none %}, expected {{ expected_low|digits }} to {{ expected_high|digits }}{% endif %}; {% endif %}{{ occurrences|grouped }} of {{ n_current|grouped }} rows, {{ window_start_us|time }} to {{ window_end_us|time }}. Monitor {{ labels.monitor }}.",
            next: "look at what feeds {{ labels.column or 'the model' }}: drift and performance of this model follow from it",
        },
        ..VERDICT
    },
    Usual {
        name: "ExperimentWorse",
        source: "experiment",
        measure: "worse",
        words: Words {
            summary: "{{ labels.experiment }}: {{ labels.metric }} of {{ labels.arm }} is {% if relative is not none %}{{ (relative|abs * 100)|digits }} % {% endif %}worse than {{ control }}",
            description: "{{ labels.role }} metric{% if relative_low is not none and relative_high is not none %}; the interval of the change is {{ (relative_low * 100)|digits }} % to {{ (relative_high * 100)|digits }} %{% endif %}, {{ p_adjusted|p_value }}; {{ n|grouped }} units against {{ n_control|grouped }}.",
            next: "windvane experiment {{ labels.experiment }}",
        },
        ..VERDICT
    },
    Usual {
        name: "FairnessGap",
        source: "fairness",
        measure: "failed",
        words: Words {
            summary: "{{ labels.model }}, {{ labels.metric|replace('_', ' ') }} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}: {{ share|percent }} against {{ share_reference|percent }} {% if reference %}where it is {{ reference }}{% else %}expected by its scores{% endif %}",
            description: "{{ window_start_us|time }} to {{ window_end_us|time }}{% if gap_low is not none and gap_high is not none %}: the interval of the gap is {{ gap_low|percent|replace(' %', '') }} to {{ gap_high|percent|replace(' %', '') }} points{% endif %}, beyond {{ threshold|percent|replace(' %', '') }} points it counts, {{ p_adjusted|p_value }}; {{ n_current|grouped }} rows{% if reference %} against {{ n_reference|grouped }}{% endif %}. Monitor {{ labels.monitor }}.",
            next: "windvane fairness --model {{ labels.model }} --group-by {{ labels.segment_key }} --window {{ window_start }}/{{ window_end }}",
        },
        ..VERDICT
    },
    Usual {
        name: "FeatureDrift",
        source: "drift",
        measure: "drifted",
        words: Words {
            summary: "{{ labels.column }} of {{ labels.model }} drifted{% if direction != 'none' %} {{ direction|arrow }}{% endif %}{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}{% if mean_reference is not none and mean_current is not none %}: mean {{ mean_reference|digits }} → {{ mean_current|digits }}{% elif share_reference is not none and share_current is not none %}: {{ category or 'missing' }} {{ share_reference|percent }} → {{ share_current|percent }}{% endif %}",
            description: "{{ window_start_us|time }} to {{ window_end_us|time }} against {% if reference_name %}the {{ reference_kind }} {{ reference_name }}{% else %}{{ reference_start_us|time }} to {{ reference_end_us|time }}{% endif %}: {{ method }} {{ statistic|digits }}{% if threshold is not none %} (floor {{ threshold|digits }}){% endif %}, {{ p_adjusted|p_value }}; {{ (n_current + missing_current)|grouped }} rows against {{ (n_reference + missing_reference)|grouped }}. Monitor {{ labels.monitor }}.",
            next: "windvane drift --model {{ labels.model }} --columns {{ labels.column }} --reference window:{{ reference_start_us|instant }}/{{ reference_end_us|instant }} --window {{ window_start }}/{{ window_end }}",
        },
        ..VERDICT
    },
    Usual {
        name: "GateFailed",
        source: "gate",
        measure: "failed",
        // Only the latest run of a gate is observed: a version that it looks at no more is nobody's concern.
        no_data: NoData::Ok,
        words: Words {
            summary: "the gate {{ labels.gate }} does not let {% if labels.version %}version {{ labels.version }}{% else %}the candidate{% endif %}{% if labels.model %} of {{ labels.model }}{% endif %} pass",
            description: "{% if reason %}{{ reason }}; {% endif %}{{ evidence|digits }} requests.",
            ..Words::NONE
        },
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
        words: Words {
            summary: "no predictions of {{ labels.model }} for {{ silence_s|duration }}",
            description: "The longest silence of the past week was {{ longest_s|duration }}; the last prediction came at {{ last_us|time }}.",
            next: "look whether the model still serves, and whether its telemetry reaches the collector",
        },
        ..VERDICT
    },
    Usual {
        name: "LatencyBudgetBurns",
        source: "latency",
        measure: "page",
        severity: "critical",
        words: Words {
            next: "look at the latency of {{ labels.model }} by version and environment",
            ..BUDGET
        },
        ..VERDICT
    },
    Usual { name: "LatencyBudgetWanes", source: "latency", measure: "ticket", words: BUDGET, ..VERDICT },
    Usual {
        name: "ModelSlower",
        source: "latency",
        measure: "slower",
        words: Words {
            summary: "{{ labels.model }} is slower{% if labels.quantile %} at {{ labels.quantile }}{% endif %}{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}: {{ reference_statistic|milliseconds }} → {{ statistic|milliseconds }}",
            description: "{{ window_start_us|time }} to {{ window_end_us|time }}, {{ n_current|grouped }} answers against {{ n_reference|grouped }}, {{ p_value|p_value }}. Monitor {{ labels.monitor }}.",
            ..Words::NONE
        },
        ..VERDICT
    },
    Usual {
        name: "MonitorFailing",
        source: "monitor",
        measure: "failed",
        severity: "error",
        words: Words {
            summary: "the monitor {{ labels.monitor }} fails",
            description: "Attempt {{ attempt }} at the window that ended {{ window_end_us|time }}: {{ error }}",
            next: "windvane monitor list",
        },
        ..VERDICT
    },
    Usual {
        name: "OutcomesMissing",
        source: "outcomes",
        measure: "coverage_ratio",
        condition: (Side::Below, 0.5, 0.8),
        evidence_min: 100.0,
        every: HOUR,
        words: Words {
            summary: "outcomes of {{ labels.model }} stop coming: {{ coverage_before|percent }} → {{ coverage|percent }} of predictions",
            description: "Predictions that had an outcome within a day, of {{ rows|grouped }}, against {{ rows_before|grouped }} of the week before. Performance is judged on fewer rows, and perhaps on other ones.",
            next: "look at what sends outcomes to the collector",
        },
        ..VERDICT
    },
    Usual {
        name: "PerformanceOff",
        source: "performance",
        measure: "alert",
        severity: "error",
        words: Words {
            summary: "{{ labels.metric }} of {{ labels.model }} left what is usual{% if labels.segment_key %} where {{ labels.segment_key }} is {{ labels.segment or 'empty' }}{% endif %}: {% if realised is not none %}{{ realised|digits }}{% else %}{{ estimated|digits }} estimated{% endif %}",
            description: "Usual is {{ threshold_low|digits }} to {{ threshold_high|digits }}{% if ci_low is not none and ci_high is not none %}; the interval is {{ ci_low|digits }} to {{ ci_high|digits }}{% endif %}. {{ rows|grouped }} predictions, {{ coverage|percent }} with an outcome, {{ window_start_us|time }} to {{ window_end_us|time }}. Monitor {{ labels.monitor }}.",
            next: "look whether features drifted or data broke at the same time",
        },
        ..VERDICT
    },
    Usual {
        name: "SampleRatioMismatch",
        source: "sample_ratio",
        measure: "mismatch",
        severity: "error",
        words: Words {
            summary: "{{ labels.experiment }} has another share of units an arm than planned",
            description: "{{ p_value|p_value }} of {{ evidence|digits }} units. Its results cannot be trusted until the cause is known.",
            next: "windvane experiment {{ labels.experiment }}",
        },
        ..VERDICT
    },
];
