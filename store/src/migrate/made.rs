//! What migrations have made, by their text, and what of it ClickHouse no longer has: a ledger does not see that somebody has
//! dropped a table.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::{MigrateError, NameError, State, Step, Topology, render::without_comments};
use crate::{Statement, Store};

/// Something that a migration has made and that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What: ``table `spans` ``, ``column `note` of `monitor_runs` ``, or a projection of a table.
    pub what: String,
    /// The migration that has made it.
    pub version: u32,
    /// The statement that adds a column again; `None` of what the migration's own statement makes.
    pub add: Option<String>,
}

/// What applied migrations have made and the database does not have. Of a table that is not there, the table alone is told.
///
/// # Errors
/// Where ClickHouse does not answer, or the database has a name that cannot stand in SQL.
pub async fn missing(
    store: &Store,
    topology: &Topology,
    steps: &[Step],
) -> Result<Vec<Missing>, MigrateError> {
    #[derive(Deserialize)]
    struct Row {
        kind: String,
        owner: String,
        called: String,
    }
    let database = store.database();
    let statement = Statement::new(
        "SELECT 'table' AS kind, name AS owner, '' AS called FROM system.tables WHERE database = {database:String} \
         UNION ALL SELECT 'column' AS kind, table AS owner, name AS called FROM system.columns \
         WHERE database = {database:String} \
         UNION ALL SELECT 'projection' AS kind, table AS owner, name AS called FROM system.projections \
         WHERE database = {database:String}",
    )
    .param("database", database);
    let rows: Vec<Row> = store.rows_outside(&statement).await.map_err(MigrateError::Ledger)?;
    let there: BTreeSet<(&str, &str, &str)> =
        rows.iter().map(|row| (row.kind.as_str(), row.owner.as_str(), row.called.as_str())).collect();
    Ok(absent(&made(steps, topology, database)?, database, |kind, owner, called| {
        there.contains(&(kind, owner, called))
    }))
}

/// What is made and not there.
fn absent(
    tables: &BTreeMap<String, Made>,
    database: &str,
    is_there: impl Fn(&str, &str, &str) -> bool,
) -> Vec<Missing> {
    let mut missing = Vec::new();
    for (table, made) in tables {
        if !is_there("table", table, "") {
            missing.push(Missing { what: format!("table `{table}`"), version: made.version, add: None });
            continue;
        }
        for (column, (version, definition)) in &made.columns {
            if !is_there("column", table, column) {
                missing.push(Missing {
                    what: format!("column `{column}` of `{table}`"),
                    version: *version,
                    add: Some(format!(
                        "ALTER TABLE {database}.{table} ADD COLUMN IF NOT EXISTS {definition}"
                    )),
                });
            }
        }
        for (projection, version) in &made.projections {
            if !is_there("projection", table, projection) {
                let what = format!("projection `{projection}` of `{table}`");
                missing.push(Missing { what, version: *version, add: None });
            }
        }
    }
    missing
}

/// A table as migrations have made it.
#[derive(Debug, Default)]
struct Made {
    /// The migration that creates it.
    version: u32,
    /// Its columns by name: which migration adds each, and its definition without the comment.
    columns: BTreeMap<String, (u32, String)>,
    /// Its projections by name, with the migration that adds each.
    projections: BTreeMap<String, u32>,
}

/// The tables that applied migrations have made, by name.
fn made(steps: &[Step], topology: &Topology, database: &str) -> Result<BTreeMap<String, Made>, NameError> {
    let mut tables = BTreeMap::new();
    for step in steps.iter().filter(|step| step.state == State::Applied) {
        if let Some(sql) = step.migration.render(topology, database)? {
            read(&mut tables, (step.migration.version, database), &without_comments(&sql));
        }
    }
    Ok(tables)
}

/// Follows one statement.
fn read(tables: &mut BTreeMap<String, Made>, (version, database): (u32, &str), sql: &str) {
    let within = format!("{database}.");
    let named = |text: &str| text.split_once(within.as_str()).map(|(_, rest)| word(rest).to_owned());
    let first = sql.lines().next().unwrap_or_default();
    let (subject, like) = match first.split_once(" AS ") {
        Some((subject, like)) => (subject, named(like)),
        None => (first, None),
    };
    let Some(table) = named(subject) else { return };
    if first.starts_with("CREATE") {
        let columns = match like.and_then(|like| tables.get(&like)) {
            Some(like) => like.columns.clone(),
            None => columns(sql, version),
        };
        tables.insert(table, Made { version, columns, projections: BTreeMap::new() });
        return;
    }
    let Some(made) = tables.get_mut(&table) else { return };
    for clause in after(sql, "DROP COLUMN IF EXISTS ") {
        made.columns.remove(word(clause));
    }
    for clause in after(sql, "ADD COLUMN IF NOT EXISTS ") {
        let (name, definition) = column(clause.lines().next().unwrap_or_default());
        made.columns.insert(name, (version, definition));
    }
    for clause in after(sql, "DROP PROJECTION IF EXISTS ") {
        made.projections.remove(word(clause));
    }
    for clause in after(sql, "ADD PROJECTION IF NOT EXISTS ") {
        made.projections.insert(word(clause).to_owned(), version);
    }
}

/// What stands after each of these words.
fn after<'a>(sql: &'a str, words: &'a str) -> impl Iterator<Item = &'a str> {
    sql.split(words).skip(1)
}

/// The columns of a CREATE TABLE, one a line between the lines of its parentheses.
fn columns(sql: &str, version: u32) -> BTreeMap<String, (u32, String)> {
    let lines = sql.lines().skip_while(|line| *line != "(").skip(1).take_while(|line| *line != ")");
    lines
        .map(str::trim)
        .filter(|line| !line.starts_with("INDEX "))
        .map(column)
        .map(|(name, definition)| (name, (version, definition)))
        .collect()
}

/// Name and definition of a column, without its comment and what stands after that.
fn column(line: &str) -> (String, String) {
    let definition = line.split_once(" COMMENT ").map_or(line.trim_end_matches(','), |(before, _)| before);
    (word(line).to_owned(), definition.to_owned())
}

/// The name that a text begins with; one with dots stands between backticks.
fn word(text: &str) -> &str {
    match text.strip_prefix('`').and_then(|rest| rest.split_once('`')) {
        Some((name, _)) => name,
        None => {
            let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
            text.get(..end.unwrap_or(text.len())).unwrap_or_default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{ClusterName, all};
    use super::*;

    fn tables(topology: &Topology) -> BTreeMap<String, Made> {
        let steps: Vec<Step> =
            all().iter().map(|migration| Step { migration: *migration, state: State::Applied }).collect();
        made(&steps, topology, "windvane").unwrap()
    }

    #[test]
    fn tables_are_read_with_what_was_added_to_them_later() {
        let tables = tables(&Topology::Single);
        let predictions = &tables["predictions"];
        assert_eq!(predictions.version, 3);
        assert_eq!(predictions.columns["latency_us"], (3, "latency_us Nullable(UInt64)".to_owned()));
        assert_eq!(
            predictions.projections,
            BTreeMap::from([("by_day".to_owned(), 58), ("by_hour".to_owned(), 58)])
        );
        assert_eq!(tables["monitor_runs"].columns["note"], (55, "note String".to_owned()));
        assert_eq!(tables["spans"].columns["Links.SpanId"].0, 23);
        assert!(!tables["spans"].columns.keys().any(|name| name == "INDEX"));
        assert!(tables["spans_trace_id_ts_mv"].columns.is_empty(), "a view is told as a whole");
        assert!(tables.values().all(|made| made.version > 1));

        let cluster = Topology::Cluster(ClusterName::new("{cluster}").unwrap());
        let tables = self::tables(&cluster);
        let (shard, whole) = (&tables["predictions_local"], &tables["predictions"]);
        assert_eq!(shard.columns, whole.columns);
        assert_eq!((shard.version, whole.version, whole.projections.len()), (3, 4, 0));
    }

    #[test]
    fn what_is_gone_is_told_once_with_what_made_it() {
        let tables = tables(&Topology::Single);
        assert_eq!(absent(&tables, "windvane", |_, _, _| true), []);
        let gone = [
            ("table", "spans", ""),
            ("column", "monitor_runs", "note"),
            ("projection", "outcomes", "by_model"),
        ];
        let found = absent(&tables, "windvane", |kind, table, name| {
            table != "spans" && !gone.contains(&(kind, table, name))
        });
        let told: Vec<(&str, u32)> = found.iter().map(|one| (one.what.as_str(), one.version)).collect();
        let expected = [
            ("column `note` of `monitor_runs`", 55),
            ("projection `by_model` of `outcomes`", 52),
            ("table `spans`", 23),
        ];
        assert_eq!(told, expected);
        let add = "ALTER TABLE windvane.monitor_runs ADD COLUMN IF NOT EXISTS note String";
        assert_eq!(found[0].add.as_deref(), Some(add));
        assert!(found[1..].iter().all(|one| one.add.is_none()));
    }
}
