//! Recorded runs of a model, page by page: one statement for every table of findings.
//!
//! A page is so many runs and a run is many rows, so the runs of the page come first, then their rows. Only rows of the latest run on a
//! window count: an earlier one may have had columns, checks or segments that the latest has not. So a window is on a page if its latest
//! run has a row that the filters let through.

use serde::de::DeserializeOwned;

use crate::{Statement, Store, StoreError};

/// The year 2200, beyond which DateTime64 does not go far.
const END_OF_TIME_US: i64 = 7_258_118_400_000_000;

/// What tells the runs of a model apart: `compared` with a reference, or `alone`; of `page` where the SELECT has other columns of these names.
macro_rules! key {
    (page compared) => {
        concat!(key!(page alone), ", page.reference_kind, page.reference_name")
    };
    (page alone) => {
        "page.monitor, page.window_start, page.window_end, page.granularity, page.version, page.environment"
    };
    (compared) => {
        "monitor, window_start, window_end, granularity, version, environment, reference_kind, reference_name"
    };
    (alone) => {
        "monitor, window_start, window_end, granularity, version, environment"
    };
}

macro_rules! reference {
    (compared) => {
        "page.reference_kind AS reference_kind, page.reference_name AS reference_name"
    };
    (alone) => {
        "'' AS reference_kind, '' AS reference_name"
    };
}

/// The statement of a table: its runs, what narrows its rows, the columns that a row has beside those of every run, and their order.
macro_rules! pages {
    ($table:literal, $runs:tt, rows: $rows:literal, columns: $columns:literal, order: $order:literal) => {
        concat!(
            "
    SELECT page.run_id AS run_id, formatDateTime(page.computed_at, '%FT%TZ', 'UTC') AS computed_at,
           page.monitor AS monitor, formatDateTime(page.window_start, '%FT%TZ', 'UTC') AS window_start,
           formatDateTime(page.window_end, '%FT%TZ', 'UTC') AS window_end, page.granularity AS granularity,
           page.version AS version, page.environment AS environment, ",
            reference!($runs),
            ",
           ",
            $columns,
            "
    FROM windvane.",
            $table,
            " AS page FINAL
    WHERE model = {model:String} AND ",
            $rows,
            "
      AND (",
            key!(page $runs),
            ", page.computed_at) IN (
        SELECT ",
            key!($runs),
            ", max(computed_at) AS latest
        FROM windvane.",
            $table,
            "
        WHERE model = {model:String}
          AND ({monitor:String} = '' OR monitor = {monitor:String})
          AND window_end > fromUnixTimestamp64Micro({from:Int64}, 'UTC')
          AND window_start < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
        GROUP BY ",
            key!($runs),
            "
        HAVING maxIf(computed_at, ",
            $rows,
            ") = latest
        ORDER BY window_start DESC, window_end DESC, ",
            key!($runs),
            "
        LIMIT {limit:UInt64} OFFSET {offset:UInt64}
      )
    ORDER BY page.window_start DESC, page.window_end DESC, ",
            key!($runs),
            ", ",
            $order,
            "
    LIMIT {rows:UInt64}"
        )
    };
}

/// A table of findings, as its runs are paged.
#[derive(Debug)]
pub struct Findings {
    /// Rows of one answer at most; a page that has more is refused by whoever asks.
    pub rows_max: usize,
    /// What narrows its rows besides the monitor; empty: any.
    filters: &'static [&'static str],
    text: &'static str,
}

/// Which runs of a model are asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The model.
    pub model: &'a str,
    /// Values of filters; one that is not named lets everything through.
    pub filters: &'a [(&'static str, &'a str)],
    /// Windows that overlap the span from here on, microseconds since 1970 UTC.
    pub from_us: Option<i64>,
    /// … up to here.
    pub to_us: Option<i64>,
    /// Runs at most.
    pub limit: u64,
    /// Runs before the first one.
    pub offset: u64,
}

/// `drift_findings`: a hundred runs of a hundred columns and five methods, or one run of a thousand columns with segments.
pub const DRIFT: Findings = Findings {
    rows_max: 50_000,
    filters: &["column", "verdict", "segment", "key", "value"],
    text: pages!(
        "drift_findings",
        compared,
        rows: "({column:String} = '' OR column_name = {column:String})
          AND ({verdict:String} = '' OR verdict = {verdict:String})
          AND ({segment:String} = '' OR (segment_key = {key:String} AND segment_value = {value:String}))",
        columns: "formatDateTime(page.reference_start, '%FT%TZ', 'UTC') AS reference_start,
           formatDateTime(page.reference_end, '%FT%TZ', 'UTC') AS reference_end,
           segment_key, column_name, column_kind, method, statistic, threshold, p_value, p_adjusted, effect,
           n_reference, n_current, missing_reference, missing_current, direction, drifted, verdict, detail",
        order: "segment_key, segment_value, column_name, method"
    ),
};

/// `performance_findings`: five hundred windows of a hundred metrics and segments.
pub const PERFORMANCE: Findings = Findings {
    rows_max: 50_000,
    filters: &["metric", "verdict", "segment", "key", "value"],
    text: pages!(
        "performance_findings",
        compared,
        rows: "({metric:String} = '' OR metric = {metric:String})
          AND ({verdict:String} = '' OR verdict = {verdict:String})
          AND ({segment:String} = '' OR (segment_key = {key:String} AND segment_value = {value:String}))",
        columns: "formatDateTime(page.reference_start, '%FT%TZ', 'UTC') AS reference_start,
           formatDateTime(page.reference_end, '%FT%TZ', 'UTC') AS reference_end,
           segment_key, task, metric, realised, ci_low, ci_high, estimated, band_low, band_high, threshold_low,
           threshold_high, n, labelled, coverage, alert, verdict, detail",
        order: "segment_key, segment_value, metric"
    ),
};

/// `quality_findings`: a hundred runs of a hundred columns and five checks. Rows that were emptied have no detail, and a run that has no others
/// found nothing: it is on no page, where it would leave a gap.
pub const QUALITY: Findings = Findings {
    rows_max: 50_000,
    filters: &["column", "check", "verdict"],
    text: pages!(
        "quality_findings",
        compared,
        rows: "detail != ''
          AND ({column:String} = '' OR column_name = {column:String})
          AND ({check:String} = '' OR splitByChar(':', toString(method))[1] = {check:String})
          AND ({verdict:String} = '' OR verdict = {verdict:String})",
        columns: "n_reference, n_current, detail",
        order: "column_name, method"
    ),
};

/// `latency_findings`, the rows that tell a group or an objective: a hundred runs of fifty groups and a few objectives.
pub const LATENCY: Findings = Findings {
    rows_max: 20_000,
    filters: &["segment"],
    text: pages!(
        "latency_findings",
        compared,
        rows: "detail != ''
          AND ({segment:String} = '' OR segment_key = if({segment:String} = 'none', '', {segment:String}))",
        columns: "method, detail",
        order: "segment_key, segment_value, method"
    ),
};

/// `fairness_findings`: a hundred runs of fifty groups and four measures.
pub const FAIRNESS: Findings = Findings {
    rows_max: 50_000,
    filters: &["segment", "metric", "verdict"],
    text: pages!(
        "fairness_findings",
        alone,
        rows: "({segment:String} = '' OR segment_key = {segment:String})
          AND ({metric:String} = '' OR method = {metric:String})
          AND ({verdict:String} = '' OR verdict = {verdict:String})",
        columns: "segment_key, reference_value, method, statistic, ci_low, ci_high, value, reference_statistic, threshold,
           p_value, p_adjusted, n_reference, n_current, verdict, detail",
        order: "segment_key, segment_value, method"
    ),
};

/// `attribution_findings`: a hundred runs of five hundred features. What is said of the ranking comes before the features.
pub const ATTRIBUTION: Findings = Findings {
    rows_max: 50_000,
    filters: &["column", "verdict"],
    text: pages!(
        "attribution_findings",
        compared,
        rows: "({column:String} = '' OR column_name IN ('', {column:String}))
          AND ({verdict:String} = '' OR run_id IN (
            SELECT run_id FROM windvane.attribution_findings
            WHERE model = {model:String} AND column_name = '' AND verdict = {verdict:String}
          ))",
        columns: "column_name, statistic, ci_low, ci_high, reference_statistic, threshold, place, reference_place,
           n_reference, n_current, verdict",
        order: "column_name != '', reference_place, column_name"
    ),
};

impl Findings {
    /// The rows of these runs, run by run, the latest window first; one more than [`Findings::rows_max`] where there are more.
    ///
    /// # Errors
    /// ClickHouse does not answer or refuses.
    pub async fn rows<T: DeserializeOwned>(
        &self,
        store: &Store,
        asked: Asked<'_>,
    ) -> Result<Vec<T>, StoreError> {
        store.rows(&self.statement(asked)).await
    }

    fn statement(&self, asked: Asked<'_>) -> Statement {
        let value = |name: &str| {
            let named = asked.filters.iter().find(|(filter, _)| *filter == name);
            named.map_or("", |(_, value)| *value)
        };
        let statement = Statement::new(self.text)
            .param("model", asked.model)
            .param("monitor", value("monitor"))
            .param("from", asked.from_us.unwrap_or(0))
            .param("to", asked.to_us.unwrap_or(END_OF_TIME_US))
            .param("limit", asked.limit)
            .param("offset", asked.offset)
            .param("rows", self.rows_max as u64 + 1);
        self.filters.iter().fold(statement, |statement, &filter| statement.param(filter, value(filter)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_filter_is_bound_and_one_that_is_not_asked_for_is_empty() {
        let filters = [("monitor", "daily"), ("verdict", "drift")];
        let asked =
            Asked { model: "m", filters: &filters, from_us: None, to_us: Some(7), limit: 3, offset: 0 };
        for findings in [&DRIFT, &PERFORMANCE, &QUALITY, &LATENCY, &FAIRNESS, &ATTRIBUTION] {
            let statement = findings.statement(asked);
            let bound: Vec<(&str, &str)> = statement.params().collect();
            for piece in statement.sql().split('{').skip(1) {
                let name = piece.split(':').next().unwrap();
                assert!(bound.iter().any(|(known, _)| *known == name), "{name} of {}", statement.sql());
            }
            for (name, value) in &bound {
                let expected = match *name {
                    "model" => "m",
                    "monitor" => "daily",
                    "verdict" => "drift",
                    "to" => "7",
                    "limit" => "3",
                    "from" | "offset" => "0",
                    "rows" => continue,
                    _ => "",
                };
                assert_eq!(*value, expected, "{name}");
                assert!(statement.sql().contains(&format!("{{{name}:")), "{name}");
            }
        }
    }
}
