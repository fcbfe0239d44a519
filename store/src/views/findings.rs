//! Findings of quality, performance, latency, fairness and attribution. As with drift, a series is the windows of one monitor against one kind of
//! reference, and only rows of the latest run on a window count.

use super::{MANY, OFFSET, SERIES, View, WINDOWS, limit, text};

/// Every check of the data in each of the newest windows of a series.
pub const QUALITY_CHECKS: View = View {
    name: "quality_checks",
    about: "every check of a model's data in each of the newest windows: what was found, and what would have passed",
    parameters: SERIES,
    text: concat!(
        series!("quality_findings"),
        "
    SELECT formatDateTime(series.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(series.window_end, '%FT%TZ', 'UTC') AS window_end,
           column_name AS column, method AS check, verdict, statistic AS observed,
           series.threshold_low AS expected_low, series.threshold AS expected_high, occurrences, n_reference, n_current,
           segment_key, segment_value, detail
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, verdict = 'fail' DESC, column, check, segment_key,
             segment_value
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};

/// Every metric in each of the newest windows of a series.
pub const PERFORMANCE_METRICS: View = View {
    name: "performance_metrics",
    about: "every metric of a model in each of the newest windows: by outcomes, by estimate, and what is usual",
    parameters: SERIES,
    text: concat!(
        series!("performance_findings", "AND segment_key = ''"),
        "
    SELECT formatDateTime(series.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(series.window_end, '%FT%TZ', 'UTC') AS window_end,
           task, metric, verdict, alert, realised, ci_low, ci_high, estimated, band_low, band_high, threshold_low,
           threshold_high, n, labelled, coverage, trust
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, alert DESC, metric
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};

/// The segments of the newest window that was cut by any, as far as performance goes.
pub const PERFORMANCE_SEGMENTS: View = View {
    name: "performance_segments",
    about: "every metric of each segment in a model's newest window with segments, those that left what is usual first",
    parameters: &[text("model"), limit("100"), OFFSET],
    text: "
    SELECT segment_key, segment_value, metric, verdict, alert, realised, ci_low, ci_high, estimated, threshold_low,
           threshold_high, n, labelled, coverage, formatDateTime(found.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(found.window_end, '%FT%TZ', 'UTC') AS window_end
    FROM windvane.performance_findings AS found FINAL
    WHERE model = {model:String} AND segment_key != ''
      AND (found.window_start, found.window_end, found.computed_at) = (
        SELECT argMax((window_start, window_end, computed_at), (window_end, window_start, computed_at))
        FROM windvane.performance_findings WHERE model = {model:String} AND segment_key != ''
      )
    ORDER BY alert DESC, segment_key, segment_value, metric
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// Every percentile of every group, and every rule of every objective, in each of the newest windows of a series.
pub const LATENCY_GROUPS: View = View {
    name: "latency_groups",
    about: "percentiles of a model's latency by group (microseconds), and how fast objectives burn, in each of the newest windows",
    parameters: SERIES,
    text: concat!(
        series!("latency_findings"),
        "
    SELECT formatDateTime(series.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(series.window_end, '%FT%TZ', 'UTC') AS window_end,
           segment_key, segment_value, method, verdict, statistic, ci_low, ci_high, reference_statistic, threshold,
           p_value, p_adjusted, n_reference, n_current
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, segment_key, segment_value, method
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};

/// Every gap between a group and the reference group in each of the newest windows of a monitor.
pub const FAIRNESS_GAPS: View = View {
    name: "fairness_gaps",
    about: "gaps between each group of a model and the reference group in each of the newest windows, with their intervals",
    parameters: &[
        text("model"),
        text("monitor"),
        text("granularity"),
        text("version"),
        text("environment"),
        WINDOWS,
        MANY,
        OFFSET,
    ],
    text: concat!(
        "
    WITH series AS (
        SELECT * FROM windvane.fairness_findings FINAL
        WHERE model = {model:String} AND monitor = {monitor:String} AND granularity = {granularity:String}
          AND version = {version:String} AND environment = {environment:String}
    )
    SELECT formatDateTime(series.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(series.window_end, '%FT%TZ', 'UTC') AS window_end,
           segment_key, segment_value, reference_value, method AS metric, verdict, value, reference_statistic AS reference,
           statistic AS gap, ci_low, ci_high, threshold AS gap_allowed, p_value, p_adjusted, n_reference, n_current
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, verdict = 'fail' DESC, segment_key, segment_value, metric
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};

/// The ranking of features, and each feature's place in it, in each of the newest windows of a series.
pub const ATTRIBUTION_FEATURES: View = View {
    name: "attribution_features",
    about: "mean absolute attribution and place of each feature against the reference in each of the newest windows; the ranking as a whole comes first",
    parameters: SERIES,
    text: concat!(
        series!("attribution_findings"),
        "
    SELECT formatDateTime(series.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(series.window_end, '%FT%TZ', 'UTC') AS window_end,
           column_name AS feature, method, verdict, statistic, ci_low, ci_high, reference_statistic AS reference, threshold,
           place, reference_place, n_reference, n_current
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, feature != '', reference_place, feature
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};
