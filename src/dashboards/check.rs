//! `windvane dashboards check`: what Grafana would ask, asked here.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Deserialize;
use windvane_dashboards::{Board, Choice, Scope, Variable, boards, expand, faults, rule_statements};
use windvane_store::{Statement, Store};
use windvane_types::counting::counted;

use super::CheckArguments;
use super::answer::{Answer, Kind, judged, time_is_first};
use crate::connection;
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::print;

/// A panel that takes longer keeps people waiting.
const SLOW: Duration = Duration::from_secs(10);
/// Memory of one statement.
const MEMORY_BYTES_MAX: u64 = 2 << 30;
/// Values of a board's first variable that are tried: models, mostly.
const TRIED: usize = 3;
/// Points of a chart as wide as half a screen.
const POINTS: i64 = 600;

/// How much is chosen of a variable of which several values may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    /// All of them: conditions over them are left out.
    All,
    /// One of them.
    One,
}

/// One line of the answer.
struct Line {
    what: String,
    rows: u64,
    took: Duration,
    fault: Option<String>,
}

/// Checks everything.
pub fn run(arguments: &CheckArguments) -> CommandResult {
    let boards = boards();
    let found = faults(&boards);
    for fault in &found {
        print(&format!("FAULT  {fault}\n"))?;
    }
    let panels: usize = boards.iter().map(|board| board.panels().count()).sum();
    if arguments.offline {
        print(&summary(boards.len(), panels, found.len()))?;
        return Ok(if found.is_empty() { Exit::Ok } else { Exit::Found });
    }
    let store = arguments.connection.store()?.bounded(MEMORY_BYTES_MAX, SLOW);
    let lines = connection::wait_for(async {
        let mut lines = Vec::new();
        for board in &boards {
            lines.extend(check(&store, board).await?);
        }
        for (uid, sql) in rule_statements() {
            lines.push(rule(&store, uid, sql).await?);
        }
        Ok(lines)
    })?;
    let mut broken = found.len();
    for line in &lines {
        let word = match (&line.fault, line.rows) {
            (Some(_), _) => "FAULT ",
            (None, 0) => "empty ",
            _ => "ok    ",
        };
        broken += usize::from(line.fault.is_some());
        let fault = line.fault.as_ref().map_or(String::new(), |fault| format!("  {fault}"));
        let took = line.took.as_millis();
        print(&format!("{word} {:>6} rows {took:>6} ms  {}{fault}\n", line.rows, line.what))?;
    }
    print(&summary(boards.len(), panels, broken))?;
    Ok(if broken == 0 { Exit::Ok } else { Exit::Found })
}

fn summary(dashboards: usize, panels: usize, faults: usize) -> String {
    format!(
        "{} with {}, {}\n",
        counted(dashboards as u64, "dashboard", "dashboards"),
        counted(panels as u64, "panel", "panels"),
        counted(faults as u64, "fault", "faults")
    )
}

/// Every statement of a board, with its variables set as Grafana would set them at first; and those that depend on variables of
/// which several values may be chosen once more with one value each, because Grafana leaves their conditions out until then.
async fn check(store: &Store, board: &Board) -> Result<Vec<Line>, Failure> {
    let mut lines = tried(store, board, Chosen::All).await?;
    if board.variables.iter().any(|variable| variable.choice == Choice::Several) {
        lines.extend(tried(store, board, Chosen::One).await?);
    }
    Ok(lines)
}

/// The statements for some values of the board's first variable, because not every panel has something to say of every model.
async fn tried(store: &Store, board: &Board, chosen: Chosen) -> Result<Vec<Line>, Failure> {
    let mut lines = with(store, board, (0, chosen)).await?;
    if board.variables.is_empty() {
        return Ok(lines);
    }
    for place in 1..TRIED {
        let more = with(store, board, (place, chosen)).await?;
        for (line, other) in lines.iter_mut().zip(more) {
            line.rows = line.rows.max(other.rows);
            line.took = line.took.max(other.took);
            line.fault = line.fault.take().or(other.fault);
        }
    }
    Ok(lines)
}

/// The same with the value at this place of the list of the first variable.
async fn with(store: &Store, board: &Board, (place, chosen): (usize, Chosen)) -> Result<Vec<Line>, Failure> {
    let (from_s, to_s) = span(store).await?;
    let mut scope =
        Scope { from_s, to_s, interval_s: ((to_s - from_s) / POINTS).max(1), variables: BTreeMap::new() };
    let mut lines = Vec::new();
    for (i, variable) in board.variables.iter().enumerate() {
        let place = if i == 0 { place } else { 0 };
        let what = format!("{} / variable {}", board.uid, variable.name);
        let (line, values) = choose(store, what, (variable, &scope, (place, chosen))).await?;
        scope.variables.insert(variable.name, values);
        if chosen == Chosen::All {
            lines.push(line);
        }
    }
    let asked = |sql: &str| chosen == Chosen::All || sql.contains("$__conditionalAll");
    let so = match chosen {
        Chosen::All => "",
        Chosen::One => ", of one value each",
    };
    for annotation in board.annotations.iter().filter(|annotation| asked(annotation.sql)) {
        let what = format!("{} / annotation {}{so}", board.uid, annotation.name);
        lines.push(ask(store, what, (annotation.sql, &scope), time_is_first).await?);
    }
    for panel in board.panels().filter(|panel| asked(panel.sql)) {
        let what = format!("{} / {}{so}", board.uid, panel.title);
        lines.push(ask(store, what, (panel.sql, &scope), |answer| judged(panel, answer)).await?);
    }
    Ok(lines)
}

/// A value of a variable, the last one where there are fewer; or all where several may be chosen and are.
async fn choose(
    store: &Store,
    what: String,
    (variable, scope, (place, chosen)): (&Variable, &Scope, (usize, Chosen)),
) -> Result<(Line, Vec<String>), Failure> {
    let mut found = None;
    let line = ask(store, what, (variable.sql, scope), |answer| {
        let row = answer.data.get(place).or(answer.data.last());
        found = row.and_then(|row| row.first()).and_then(|value| value.as_str().map(str::to_owned));
        if answer.meta.len() == 1 { Ok(answer.rows) } else { Err("a variable has one column".to_owned()) }
    })
    .await?;
    let values = match (variable.choice, chosen) {
        (Choice::Several, Chosen::All) => Vec::new(),
        _ => vec![found.unwrap_or_default()],
    };
    Ok((line, values))
}

/// An alert rule's statement: one row with one number, or none.
async fn rule(store: &Store, uid: &str, sql: &str) -> Result<Line, Failure> {
    let scope = Scope { from_s: 0, to_s: 0, interval_s: 1, variables: BTreeMap::new() };
    ask(store, format!("alert rule {uid}"), (sql, &scope), |answer| {
        let is_number = answer.meta.len() == 1 && answer.meta[0].of_kind() == Kind::Number;
        if is_number && answer.rows <= 1 {
            Ok(answer.rows)
        } else {
            Err("a rule answers with one number".to_owned())
        }
    })
    .await
}

async fn ask(
    store: &Store,
    what: String,
    (sql, scope): (&str, &Scope),
    mut judge: impl FnMut(&Answer) -> Result<u64, String>,
) -> Result<Line, Failure> {
    let failed =
        |fault: String| Line { what: what.clone(), rows: 0, took: Duration::ZERO, fault: Some(fault) };
    let statement = match expand(sql, scope) {
        Ok(text) => Statement::new(text),
        Err(error) => return Ok(failed(error.to_string())),
    };
    let started = Instant::now();
    let body = match store.answer(&statement, "JSONCompact").await {
        Ok(body) => body,
        Err(error) => {
            let failure = connection::failure(error);
            return match failure.reason {
                Reason::Unavailable => Err(failure),
                _ => Ok(failed(failure.to_string())),
            };
        }
    };
    let took = started.elapsed();
    let answer: Answer = serde_json::from_slice(&body)?;
    Ok(match judge(&answer) {
        Ok(rows) => Line { what, rows, took, fault: None },
        Err(fault) => Line { what, rows: answer.rows, took, fault: Some(fault) },
    })
}

/// From the first to the last event, finding or run.
async fn span(store: &Store) -> Result<(i64, i64), Failure> {
    #[derive(Deserialize)]
    struct Span {
        from_s: i64,
        to_s: i64,
    }
    let statement = Statement::new(
        "SELECT toUnixTimestamp(least(
             if((SELECT count() FROM windvane.predictions) = 0, now64(6, 'UTC'), (SELECT min(ts) FROM windvane.predictions)),
             now64(6, 'UTC') - INTERVAL 7 DAY)) AS from_s,
         toUnixTimestamp(greatest((SELECT max(ts) FROM windvane.predictions), now64(6, 'UTC'))) + 1 AS to_s",
    );
    let rows: Vec<Span> = store.rows(&statement).await.map_err(connection::failure)?;
    Ok(rows.first().map_or((0, 1), |span| (span.from_s, span.to_s)))
}
