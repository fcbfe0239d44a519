//! Findings of drift. Only rows of the latest run on a window count: an earlier one may have had columns that the latest
//! has not. A series is the windows of one monitor against one kind of reference.

use super::{MANY, OFFSET, SERIES, View, WINDOWS, limit, text};

/// The newest window of each model, in one line.
pub const DRIFT_LATEST: View = View {
    name: "drift_latest",
    about: "the newest window of each model: how many columns drifted, and which one most",
    parameters: &[limit("500"), OFFSET],
    text: "
    SELECT model, latest_version AS version, uniqExact(column_name) AS columns,
           uniqExactIf(column_name, verdict = 'drift') AS drifted,
           argMax(column_name, (drifts, strength)) AS worst_column,
           max((drifts, strength)).2 AS worst_strength,
           formatDateTime(any(latest.1), '%Y-%m-%dT%H:%i:%SZ') AS window_start,
           formatDateTime(any(latest.2), '%Y-%m-%dT%H:%i:%SZ') AS window_end
    FROM (
        SELECT model, column_name, toString(findings.verdict) AS verdict, findings.drifted AS drifts,
               ifNull(abs(effect) / nullIf(threshold, 0), 0) AS strength, version AS latest_version,
               (window_start, window_end) AS latest
        FROM windvane.drift_findings AS findings FINAL
        WHERE segment_key = ''
          AND (model, window_end, window_start, computed_at) IN (
            SELECT model, window_end, window_start, max(computed_at)
            FROM windvane.drift_findings WHERE segment_key = ''
            GROUP BY model, window_end, window_start
            ORDER BY window_end DESC, window_start DESC
            LIMIT 1 BY model
          )
    )
    GROUP BY model, latest_version
    ORDER BY model, version
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// The series of a model.
pub const DRIFT_SERIES: View = View {
    name: "drift_series",
    about: "which comparisons of a model are recorded: by monitor, reference and deployment",
    parameters: &[text("model"), limit("50"), OFFSET],
    text: "
    SELECT monitor, granularity, version, environment, reference_kind, reference_name,
           uniqExact(window_start, window_end) AS windows,
           formatDateTime(max(window_end), '%Y-%m-%dT%H:%i:%SZ') AS last_window_end
    FROM windvane.drift_findings
    WHERE model = {model:String} AND segment_key = ''
    GROUP BY monitor, granularity, version, environment, reference_kind, reference_name
    ORDER BY windows > 1 DESC, max(window_end) DESC, windows DESC, monitor, granularity, version, environment,
             reference_kind, reference_name
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// Every column in each of the newest windows of a series, by its row that says it loudest. What an earlier run on a window left is not of the
/// latest run, and what was written twice is taken once, so that rows need not be made final; and one row a column is cheaper to pick than
/// each of its values: both together are a quarter of what the statement takes.
pub const DRIFT_COLUMNS: View = View {
    name: "drift_columns",
    about: "every column of a model in each of the newest windows: verdict, and the method that says it loudest",
    parameters: SERIES,
    text: concat!(
        series!(not final "drift_findings", "AND segment_key = ''"),
        "
    SELECT toUnixTimestamp64Micro(series.window_start) AS start_us, toUnixTimestamp64Micro(series.window_end) AS end_us,
           column_name AS column, column_kind AS kind, verdict, direction, method, effect,
           ifNull(abs(effect) / nullIf(threshold, 0), 0) AS strength, p_adjusted, n_reference, n_current,
           missing_reference, missing_current,
           JSONExtract(detail, 'mean_reference', 'Nullable(Float64)') AS mean_reference,
           JSONExtract(detail, 'mean_current', 'Nullable(Float64)') AS mean_current
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, column_name, drifted DESC, strength DESC, method
    LIMIT 1 BY series.window_start, series.window_end, column_name
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};

/// Everything about one column in each of the newest windows of a series.
pub const FEATURE: View = View {
    name: "feature",
    about: "one column of a model in each of the newest windows, method by method",
    parameters: &[
        text("model"),
        text("column"),
        text("monitor"),
        text("granularity"),
        text("version"),
        text("environment"),
        text("reference_kind"),
        text("reference_name"),
        WINDOWS,
        MANY,
        OFFSET,
    ],
    text: concat!(
        series!("drift_findings", "AND segment_key = '' AND column_name = {column:String}"),
        "
    SELECT toUnixTimestamp64Micro(series.window_start) AS start_us, toUnixTimestamp64Micro(series.window_end) AS end_us,
           column_kind AS kind, method, statistic, threshold, p_value,
           JSONExtract(detail, 'p_judged', 'Nullable(Float64)') AS p_judged, p_adjusted, effect, drifted, verdict, direction,
           n_reference, n_current, missing_reference, missing_current, detail
    FROM series",
        newest_windows!(),
        "
    ORDER BY series.window_start DESC, series.window_end DESC, method
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}"
    ),
};

/// The segments of the newest window.
pub const DRIFT_SEGMENTS: View = View {
    name: "drift_segments",
    about: "the segments of a model's newest window in which columns drifted",
    parameters: &[text("model"), text("column"), limit("100"), OFFSET],
    text: "
    SELECT segment_key, segment_value, column_name AS column, any(direction) AS direction,
           max(ifNull(abs(effect) / nullIf(threshold, 0), 0)) AS strength,
           any(n_reference) AS n_reference, any(n_current) AS n_current
    FROM windvane.drift_findings FINAL
    WHERE model = {model:String} AND segment_key != '' AND drifted
      AND ({column:String} = '' OR column_name = {column:String})
      AND computed_at = (
        SELECT argMax(computed_at, (window_end, window_start, computed_at))
        FROM windvane.drift_findings WHERE model = {model:String} AND segment_key != ''
      )
    GROUP BY segment_key, segment_value, column_name
    ORDER BY strength DESC, segment_key, segment_value, column_name
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};
