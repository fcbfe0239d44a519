//! An experiment in the tables: units with their first exposure, joined with what was recorded of them after it.
//!
//! One population a source of metrics: every exposed unit is in it, with a row for each record of the source, or with one row
//! where sums of units are all that is asked. Sums by arm are asked of it as of a file, so that records never leave ClickHouse.

use serde::Deserialize;

use super::exposed::exposed_units;
use super::units::{MAP_AS_A_WHOLE, stored_units};
use crate::Statement;
use crate::local::{map_value, quote};
use crate::populations::{Population, PopulationColumn, Sql, Storage};

/// The column of units in [`stored`]'s population.
pub const UNIT: &str = "unit";
/// The column of arms in [`stored`]'s population.
pub const ARM: &str = "arm";

/// The column of first exposures in [`stored`]'s population, microseconds since 1970 UTC.
pub const FIRST: &str = "first";

/// What the name of a segment's column ends with in [`stored`]'s population: no other column's does.
pub const SEGMENT: &str = " #segment";

/// Where exposures are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExposedBy {
    /// The table `exposures`.
    #[default]
    Exposures,
    /// The map `arms` of predictions with a unit.
    Predictions,
    /// Nowhere: every unit with a record counts from its first one on, in one arm. Units whose window is not over are left out.
    Records,
}

impl ExposedBy {
    /// The SQL of what a unit is cut by, nullable text out of a prediction: `version`, `environment`, else a categorical feature,
    /// else a tag of this name. `None` where no prediction is known to be the unit's.
    #[must_use]
    pub fn segment_expression(self, name: &str) -> Option<String> {
        match (self, name) {
            (Self::Records, _) => None,
            (_, "version" | "environment") => Some(format!("nullIf(toString({name}), '')")),
            _ => Some(format!("coalesce({}, {})", map_value("cat", name), map_value("tags", name))),
        }
    }
}

/// Whose exposures count, and for how long what follows them does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exposed {
    /// The experiment.
    pub experiment: String,
    /// Where they are recorded.
    pub by: ExposedBy,
    /// Exposures from this time on, microseconds since 1970 UTC; all of them where `None`.
    pub start_us: Option<i64>,
    /// Exposures and records before this time.
    pub end_us: i64,
    /// Records count for this long after the unit's first exposure, microseconds.
    pub window_us: i64,
    /// What units are cut into segments by, as it was at their first exposure or before it: see [`ExposedBy::segment_expression`].
    pub segment_by: Vec<String>,
}

impl Exposed {
    /// Whether everything that units are cut by can be told.
    #[must_use]
    pub fn segments_known(&self) -> bool {
        self.segment_by.iter().all(|name| self.by.segment_expression(name).is_some())
    }

    /// `text` of each segment's place, one after another.
    pub(super) fn of_segments(&self, text: impl Fn(usize) -> String) -> String {
        (0..self.segment_by.len()).map(text).collect()
    }
}

/// Which table, and which of its numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The table.
    pub table: RecordTable,
    /// One entry a column of the population.
    pub columns: Vec<RecordColumn>,
}

/// A source of metrics.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecordTable {
    /// Values by metric and unit.
    Measurements,
    /// The predictions of a model.
    Predictions {
        /// The model.
        model: String,
    },
    /// The outcomes of a model's predictions; they belong to the prediction's unit and time.
    Outcomes {
        /// The model.
        model: String,
    },
}

/// A number of a record, under a name in the population.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordColumn {
    /// The name in the population.
    pub name: String,
    /// What it is: see [`RecordTable::expression`].
    pub column: String,
    /// What a unit without a record has: nothing, or 0.
    pub without: Without,
    /// Which of the unit's records count.
    pub when: When,
}

/// Which records count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Those within the window after the unit's first exposure.
    After,
    /// Those within this time before it, microseconds: a covariate, which no arm can have changed.
    Before(i64),
}

/// What a unit without a record has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Without {
    /// 0: a unit that bought nothing spent 0.
    Zero,
    /// No value: a unit without a request has no latency.
    Nothing,
}

impl Recorded {
    /// Whether the population has one row a unit: what is summed of a unit needs no more.
    #[must_use]
    pub fn of_units(&self) -> bool {
        self.columns.iter().all(|column| column.without == Without::Zero)
    }

    /// The longest time before a first exposure whose records count, microseconds.
    fn longest_before_us(&self) -> i64 {
        let before = |column: &RecordColumn| match column.when {
            When::After => 0,
            When::Before(us) => us,
        };
        self.columns.iter().map(before).max().unwrap_or(0)
    }
}

impl RecordTable {
    /// The SQL of a column: `rows` counts records; predictions have `score`, `value`, `latency_us`, `errors`, `num.FEATURE` and
    /// `label=CLASS`, outcomes `value` and `label=CLASS`, measurements any metric. `None` for any other.
    #[must_use]
    pub fn expression(&self, column: &str) -> Option<String> {
        if column == "rows" {
            return Some("toNullable(1.)".to_owned());
        }
        let class = |class: &str| format!("toNullable(toFloat64(ifNull(label = {}, 0)))", quote(class));
        match (self, column, column.split_once('=')) {
            (Self::Measurements, ..) => {
                Some(format!("if(metric = {}, toNullable(value), NULL)", quote(column)))
            }
            (_, _, Some(("label", word))) => Some(class(word)),
            (_, "value", _) => Some("CAST(value, 'Nullable(Float64)')".to_owned()),
            (Self::Predictions { .. }, "score" | "latency_us", _) => {
                Some(format!("CAST({column}, 'Nullable(Float64)')"))
            }
            (Self::Predictions { .. }, "errors", _) => {
                Some("toNullable(toFloat64(status != 'ok'))".to_owned())
            }
            (Self::Predictions { .. }, ..) => Some(map_value("num", column.strip_prefix("num.")?)),
            (Self::Outcomes { .. }, ..) => None,
        }
    }
}

/// The population of one source; `None` where a column is none of its table's, or no prediction tells a segment. It has one
/// row a unit where every column is [`Without::Zero`], and one row a record else.
#[must_use]
pub fn stored(exposed: &Exposed, recorded: &Recorded) -> Option<Population> {
    if !exposed.segments_known() {
        return None;
    }
    if recorded.of_units() {
        return stored_units(exposed, recorded);
    }
    let mut inner = Vec::new();
    let mut outer = Vec::new();
    for (i, column) in recorded.columns.iter().enumerate() {
        inner.push(format!(", {} AS wv_r{i}", recorded.table.expression(&column.column)?));
        let attributed = match column.when {
            When::After => format!("if(ifNull(wv_in, 0), r.wv_r{i}, NULL)"),
            When::Before(us) => format!(
                "if(ifNull(r.wv_ts < e.wv_first AND r.wv_ts >= e.wv_first - toIntervalMicrosecond({us}), 0), r.wv_r{i}, NULL)"
            ),
        };
        outer.push(match column.without {
            Without::Zero => format!(", toNullable(ifNull({attributed}, 0.)) AS wv_c{i}"),
            Without::Nothing => format!(", {attributed} AS wv_c{i}"),
        });
    }
    let window = exposed.window_us;
    let from = format!(
        "(SELECT e.wv_unit AS {UNIT}, e.wv_arm AS {ARM}, \
         r.wv_ts >= e.wv_first AND r.wv_ts < e.wv_first + toIntervalMicrosecond({window}) AS wv_in, e.wv_first AS wv_first{}{} \
         FROM ({}) AS r RIGHT JOIN ({}) AS e ON r.wv_unit = e.wv_unit SETTINGS join_use_nulls = 1)",
        exposed.of_segments(|i| format!(", e.wv_segment{i} AS wv_segment{i}")),
        outer.concat(),
        records(exposed, recorded, &inner.concat()),
        exposures(exposed, recorded),
    );
    Some(Population::of_sql(exposed.experiment.clone(), from, columns(exposed, recorded)))
}

/// The columns of a population, whatever a row is.
pub(super) fn columns(exposed: &Exposed, recorded: &Recorded) -> Vec<PopulationColumn> {
    let mut columns = vec![
        PopulationColumn {
            name: UNIT.to_owned(),
            storage: Storage::Text(Sql(format!("toNullable({UNIT})"))),
        },
        PopulationColumn { name: ARM.to_owned(), storage: Storage::Text(Sql(format!("toNullable({ARM})"))) },
        PopulationColumn {
            name: FIRST.to_owned(),
            storage: Storage::Number(Sql("toNullable(toUnixTimestamp64Micro(wv_first))".to_owned())),
        },
    ];
    columns.extend(exposed.segment_by.iter().enumerate().map(|(i, name)| PopulationColumn {
        name: format!("{name}{SEGMENT}"),
        storage: Storage::Text(Sql(format!("wv_segment{i}"))),
    }));
    columns.extend(recorded.columns.iter().enumerate().map(|(i, column)| PopulationColumn {
        name: column.name.clone(),
        storage: Storage::Number(Sql(format!("wv_c{i}"))),
    }));
    columns
}

/// One row an exposed unit and arm, with the time at which the unit was first seen in any.
fn exposures(exposed: &Exposed, recorded: &Recorded) -> String {
    format!(
        "SELECT unit_id AS wv_unit, wv_first, arrayJoin(wv_seen) AS wv_arm{} FROM ({})",
        exposed.of_segments(|i| format!(", wv_segment{i}")),
        exposed_units(exposed, recorded, "groupUniqArray(one)"),
    )
}

/// One row an exposure within the span: `unit_id`, the arm as `one`, and `ts`; where predictions expose units and these are cut its
/// segments as the tuple `wv_segments`, and `event_id` to tell which of two at one time is the first.
pub(super) fn exposures_seen(exposed: &Exposed, recorded: &Recorded) -> String {
    let name = quote(&exposed.experiment);
    let start = exposed
        .start_us
        .map_or(String::new(), |start| format!(" AND ts >= fromUnixTimestamp64Micro(toInt64({start}))"));
    let span = format!("ts < fromUnixTimestamp64Micro(toInt64({})){start}", exposed.end_us);
    match exposed.by {
        ExposedBy::Exposures => {
            format!(
                "SELECT unit_id, toString(arm) AS one, ts FROM exposures FINAL WHERE experiment = {name} AND {span}"
            )
        }
        ExposedBy::Predictions => {
            let segments: Vec<String> =
                exposed.segment_by.iter().filter_map(|by| exposed.by.segment_expression(by)).collect();
            let cut = match segments.as_slice() {
                [] => String::new(),
                segments => format!(", event_id, tuple({}) AS wv_segments", segments.join(", ")),
            };
            format!(
                "SELECT unit_id, toString(arms[{name}]) AS one, ts{cut} FROM predictions FINAL \
                 WHERE mapContains(arms, {name}) AND unit_id != '' AND {span}"
            )
        }
        ExposedBy::Records => {
            let records = records(exposed, recorded, "");
            format!("SELECT wv_unit AS unit_id, '' AS one, wv_ts AS ts FROM ({records}) WHERE {span}")
        }
    }
}

/// Leaves out units whose window is not over, where every unit with a record counts.
pub(super) fn window_over(exposed: &Exposed) -> String {
    match exposed.by {
        ExposedBy::Records => format!(
            " HAVING wv_first < fromUnixTimestamp64Micro(toInt64({}))",
            exposed.end_us.saturating_sub(exposed.window_us)
        ),
        ExposedBy::Exposures | ExposedBy::Predictions => String::new(),
    }
}

/// Units that came on a day.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct ArrivalsRow {
    /// Days since the start.
    pub day: u32,
    /// Units whose first exposure was on it.
    pub units: u64,
}

/// Asks how many units of [`stored`]'s population came on each day after a start, microseconds since 1970 UTC.
#[must_use]
pub fn arrivals(population: &Population, start_us: i64) -> Statement {
    Statement::new(format!(
        "SELECT toUInt32(intDiv(toUnixTimestamp64Micro(wv_first) - ({start_us}), 86400000000)) AS day, \
         uniqExact({UNIT}) AS units FROM {} GROUP BY day ORDER BY day",
        population.from()
    ))
}

/// One row a record that may count: its unit, its time and its numbers. What became known after the end is not there, nor what
/// was recorded before any unit could be exposed.
pub(super) fn records(exposed: &Exposed, recorded: &Recorded, numbers: &str) -> String {
    let before = format!("ts < fromUnixTimestamp64Micro(toInt64({}))", exposed.end_us);
    let within = match exposed.start_us {
        None => before.clone(),
        Some(start) => {
            let since = start.saturating_sub(recorded.longest_before_us());
            format!("{before} AND ts >= fromUnixTimestamp64Micro(toInt64({since}))")
        }
    };
    match &recorded.table {
        RecordTable::Measurements => {
            let names: Vec<String> = recorded.columns.iter().map(|column| quote(&column.column)).collect();
            let all = recorded.columns.iter().any(|column| column.column == "rows");
            let named = if all { "1".to_owned() } else { format!("metric IN ({})", names.join(", ")) };
            format!(
                "SELECT unit_id AS wv_unit, ts AS wv_ts{numbers} FROM measurements FINAL WHERE {named} AND {within}"
            )
        }
        RecordTable::Predictions { model } => format!(
            "SELECT unit_id AS wv_unit, ts AS wv_ts{numbers} FROM predictions FINAL WHERE model = {} AND unit_id != '' AND {within} SETTINGS {MAP_AS_A_WHOLE}",
            quote(model)
        ),
        RecordTable::Outcomes { model } => format!(
            "SELECT p.wv_by AS wv_unit, p.wv_at AS wv_ts{numbers} \
             FROM (SELECT event_id, label, value, ts, ingested_at FROM outcomes FINAL WHERE model = {0} AND {before}) AS o \
             INNER JOIN (SELECT event_id, argMax(unit_id, ingested_at) AS wv_by, min(ts) AS wv_at FROM predictions \
             WHERE model = {0} GROUP BY event_id HAVING wv_by != '') AS p ON o.event_id = p.event_id",
            quote(model)
        ),
    }
}
