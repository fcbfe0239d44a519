//! The table of migration files. A test compares it with the folder.

use super::Migration;

macro_rules! migration {
    ($version:literal, $name:literal, $file:literal) => {
        Migration { version: $version, name: $name, text: include_str!(concat!("../../migrations/", $file)) }
    };
}

/// Every migration, in order.
pub(super) const MIGRATIONS: &[Migration] = &[
    migration!(1, "database", "0001_database.sql"),
    migration!(2, "schema_migrations", "0002_schema_migrations.sql"),
    migration!(3, "predictions", "0003_predictions.sql"),
    migration!(4, "predictions_distributed", "0004_predictions_distributed.sql"),
    migration!(5, "outcomes", "0005_outcomes.sql"),
    migration!(6, "outcomes_distributed", "0006_outcomes_distributed.sql"),
    migration!(7, "exposures", "0007_exposures.sql"),
    migration!(8, "exposures_distributed", "0008_exposures_distributed.sql"),
    migration!(9, "measurements", "0009_measurements.sql"),
    migration!(10, "measurements_distributed", "0010_measurements_distributed.sql"),
    migration!(11, "baselines", "0011_baselines.sql"),
    migration!(12, "drift_findings", "0012_drift_findings.sql"),
    migration!(13, "monitor_runs", "0013_monitor_runs.sql"),
    migration!(14, "job_leases", "0014_job_leases.sql"),
    migration!(15, "monitors", "0015_monitors.sql"),
    migration!(16, "experiment_findings", "0016_experiment_findings.sql"),
    migration!(17, "experiment_looks", "0017_experiment_looks.sql"),
    migration!(18, "performance_findings", "0018_performance_findings.sql"),
    migration!(19, "predictions_projection_mode", "0019_predictions_projection_mode.sql"),
    migration!(20, "predictions_by_hour", "0020_predictions_by_hour.sql"),
    migration!(21, "payloads", "0021_payloads.sql"),
    migration!(22, "payloads_distributed", "0022_payloads_distributed.sql"),
    migration!(23, "spans", "0023_spans.sql"),
    migration!(24, "spans_distributed", "0024_spans_distributed.sql"),
    migration!(25, "spans_trace_id_ts", "0025_spans_trace_id_ts.sql"),
    migration!(26, "spans_trace_id_ts_distributed", "0026_spans_trace_id_ts_distributed.sql"),
    migration!(27, "spans_trace_id_ts_mv", "0027_spans_trace_id_ts_mv.sql"),
    migration!(28, "llm_calls", "0028_llm_calls.sql"),
    migration!(29, "llm_calls_distributed", "0029_llm_calls_distributed.sql"),
    migration!(30, "logs", "0030_logs.sql"),
    migration!(31, "logs_distributed", "0031_logs_distributed.sql"),
    migration!(32, "metrics_gauge", "0032_metrics_gauge.sql"),
    migration!(33, "metrics_gauge_distributed", "0033_metrics_gauge_distributed.sql"),
    migration!(34, "metrics_sum", "0034_metrics_sum.sql"),
    migration!(35, "metrics_sum_distributed", "0035_metrics_sum_distributed.sql"),
    migration!(36, "metrics_histogram", "0036_metrics_histogram.sql"),
    migration!(37, "metrics_histogram_distributed", "0037_metrics_histogram_distributed.sql"),
    migration!(38, "quality_findings", "0038_quality_findings.sql"),
    migration!(39, "latency_findings", "0039_latency_findings.sql"),
    migration!(40, "gate_findings", "0040_gate_findings.sql"),
    migration!(41, "alert_events", "0041_alert_events.sql"),
    migration!(42, "notifications", "0042_notifications.sql"),
    migration!(43, "silences", "0043_silences.sql"),
    migration!(44, "alert_acknowledgements", "0044_alert_acknowledgements.sql"),
    migration!(45, "alert_state", "0045_alert_state.sql"),
    migration!(46, "fairness_findings", "0046_fairness_findings.sql"),
    migration!(47, "attribution_findings", "0047_attribution_findings.sql"),
    migration!(48, "fairness_outcomes_until", "0048_fairness_outcomes_until.sql"),
    migration!(49, "predictions_merge_base", "0049_predictions_merge_base.sql"),
    migration!(50, "spans_merge_base", "0050_spans_merge_base.sql"),
    migration!(51, "outcomes_projection_mode", "0051_outcomes_projection_mode.sql"),
    migration!(52, "outcomes_by_model", "0052_outcomes_by_model.sql"),
    migration!(53, "predictions_by_day", "0053_predictions_by_day.sql"),
    migration!(54, "predictions_by_day_of_old_parts", "0054_predictions_by_day_of_old_parts.sql"),
    migration!(55, "monitor_runs_note", "0055_monitor_runs_note.sql"),
    migration!(56, "outcomes_by_model_of_old_parts", "0056_outcomes_by_model_of_old_parts.sql"),
    migration!(57, "predictions_without_wide_digests", "0057_predictions_without_wide_digests.sql"),
    migration!(58, "predictions_by_narrow_marks", "0058_predictions_by_narrow_marks.sql"),
    migration!(
        59,
        "predictions_by_narrow_marks_of_old_parts",
        "0059_predictions_by_narrow_marks_of_old_parts.sql"
    ),
    migration!(60, "metrics_exponential_histogram", "0060_metrics_exponential_histogram.sql"),
    migration!(
        61,
        "metrics_exponential_histogram_distributed",
        "0061_metrics_exponential_histogram_distributed.sql"
    ),
    migration!(62, "metrics_summary", "0062_metrics_summary.sql"),
    migration!(63, "metrics_summary_distributed", "0063_metrics_summary_distributed.sql"),
    migration!(64, "experiment_sums", "0064_experiment_sums.sql"),
];
