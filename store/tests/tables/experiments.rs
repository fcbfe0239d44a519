//! Experiments on a real ClickHouse: predictions read without `FINAL` say what those say that are read with it, or that they do not.

use windvane_store::experiment::{
    self, ARM, Alone, Exposed, ExposedBy, Form, FrameColumns, ProbeRow, Question, RecordColumn, RecordTable,
    Recorded, Single, SumsRow, UNIT, UnitsAre, When, Without,
};
use windvane_store::{DATABASE, Reader, Statement};

use crate::endpoint::Running;

/// The column of the population that is summed.
pub const NUMBER: &str = "x";

/// A row of predictions: event, second, how late it was received, model, unit, arm or none, and a number or none.
pub type Row = (&'static str, u32, u32, &'static str, &'static str, &'static str, Option<f64>);

/// What an arm has: its name, its units and the sum of their numbers.
type Told = (&'static str, u64, f64);

struct Case {
    name: &'static str,
    rows: &'static [Row],
    /// What is said with `FINAL`; nothing where a unit has several predictions.
    expected: Option<&'static [Told]>,
    /// Whether the same is said without it.
    unmerged: bool,
}

const CASES: [Case; 9] = [
    Case {
        name: "each event is there once, and one lacks the number",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e3", 2, 0, "m", "u3", "B", None),
            ("e4", 3, 0, "m", "", "B", Some(64.0)),
            ("e5", 4, 0, "m", "u5", "", Some(128.0)),
        ],
        expected: Some(&[("A", 1, 1.0), ("B", 2, 2.0)]),
        unmerged: true,
    },
    Case {
        name: "an event came twice with other numbers",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e2", 1, 1, "m", "u2", "B", Some(4.0)),
        ],
        expected: Some(&[("A", 1, 1.0), ("B", 1, 4.0)]),
        unmerged: false,
    },
    Case {
        name: "the later copy has another unit and arm",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e2", 1, 1, "m", "u3", "A", Some(4.0)),
            ("e3", 2, 0, "m", "u4", "B", Some(8.0)),
        ],
        expected: Some(&[("A", 2, 5.0), ("B", 1, 8.0)]),
        unmerged: false,
    },
    Case {
        name: "the later copy has no arm",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e3", 2, 0, "m", "u3", "B", Some(4.0)),
            ("e3", 2, 1, "m", "u4", "", Some(4.0)),
        ],
        expected: Some(&[("A", 1, 1.0), ("B", 1, 2.0)]),
        unmerged: false,
    },
    Case {
        name: "the later copy has no unit",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e3", 2, 0, "m", "u3", "B", Some(4.0)),
            ("e3", 2, 1, "m", "", "B", Some(4.0)),
        ],
        expected: Some(&[("A", 1, 1.0), ("B", 1, 2.0)]),
        unmerged: false,
    },
    Case {
        name: "an id came again at another time, which is another prediction",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e2", 9, 0, "m", "u3", "B", Some(4.0)),
        ],
        expected: Some(&[("A", 1, 1.0), ("B", 2, 6.0)]),
        unmerged: true,
    },
    Case {
        name: "a unit has two predictions",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e3", 2, 0, "m", "u2", "B", Some(4.0)),
        ],
        expected: None,
        unmerged: false,
    },
    Case {
        name: "a unit was seen in two arms",
        rows: &[("e1", 1, 0, "m", "u1", "A", Some(1.0)), ("e2", 1, 0, "m", "u1", "B", Some(2.0))],
        expected: None,
        unmerged: false,
    },
    Case {
        name: "another model exposes a unit, and an older copy that does is not to be seen",
        rows: &[
            ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
            ("e2", 1, 0, "m", "u2", "B", Some(2.0)),
            ("e3", 2, 0, "other", "u3", "B", Some(4.0)),
            ("e4", 2, 0, "other", "u4", "B", Some(8.0)),
            ("e4", 2, 1, "other", "u4", "", Some(8.0)),
        ],
        expected: Some(&[("A", 1, 1.0), ("B", 2, 2.0)]),
        unmerged: false,
    },
];

/// Writes the rows as one part of the month after `month` others, copies of events among them: alone in its partition it is merged
/// with nothing.
pub async fn write(running: &Running, month: usize, rows: &[Row]) {
    let rows: Vec<String> = rows
        .iter()
        .map(|(event, second, received, model, unit, arm, number)| {
            let number = number.map_or("nan".to_owned(), |number| format!("{number:?}"));
            format!("('{event}', {second}, {received}, '{model}', '{unit}', '{arm}', {number})")
        })
        .collect();
    let sql = format!(
        "INSERT INTO {DATABASE}.predictions (event_id, ts, ingested_at, model, unit_id, arms, num) \
         SELECT r.1, toDateTime64('2026-01-05 00:00:00', 6, 'UTC') + toIntervalMonth({month}) + toIntervalSecond(r.2), \
         now64(6) + toIntervalSecond(r.3), r.4, r.5, mapFilter((k, v) -> v != '', map('e', r.6)), \
         mapFilter((k, v) -> NOT isNaN(v), map('x', r.7)) FROM (SELECT arrayJoin([{}]) AS r)",
        rows.join(", ")
    );
    running.store.execute(&Statement::new(sql).setting("optimize_on_insert", 0)).await.unwrap();
}

/// The experiment within one month.
fn asked(month: usize) -> Alone {
    /// 1 January 2026.
    const START_US: i64 = 1_767_225_600_000_000;
    /// The days before each month of 2026.
    const DAYS: [i64; 10] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273];
    let at = |month: usize| START_US + DAYS[month] * 86_400_000_000;
    alone_between(Some(at(month)), at(month + 1))
}

/// The experiment between two times.
pub fn alone_between(start_us: Option<i64>, end_us: i64) -> Alone {
    let exposed = Exposed {
        experiment: "e".to_owned(),
        by: ExposedBy::Predictions,
        start_us,
        end_us,
        window_us: 86_400_000_000,
        segment_by: Vec::new(),
    };
    let column = RecordColumn {
        name: NUMBER.to_owned(),
        column: "num.x".to_owned(),
        without: Without::Zero,
        when: When::After,
    };
    let table = RecordTable::Predictions { model: "m".to_owned() };
    experiment::alone(&exposed, &Recorded { table, columns: vec![column] }).unwrap()
}

/// What a population says of its arms; `None` where its statement says that it does not hold.
pub async fn told(reader: &Reader, single: &Single) -> Option<Vec<(String, u64, f64)>> {
    let mut probed: Vec<ProbeRow> = reader.rows(&single.asked).await.unwrap();
    let ProbeRow { rows, units, mut arms, .. } = probed.remove(0);
    if rows != units {
        return None;
    }
    arms.sort();
    let columns = FrameColumns { unit: UNIT, arm: ARM, segment_by: &[], timestamp: None };
    let frame = experiment::frame(&single.population, &columns).unwrap();
    let measures = [experiment::measure(&single.population, NUMBER).unwrap()];
    let question = Question {
        frame: &frame,
        measures: &measures,
        forms: &[Form::default()],
        arms: &arms,
        units_are: UnitsAre::Single,
        by_segment: false,
        by_day: false,
    };
    let found: Vec<SumsRow> = reader.rows(&experiment::sums(question)).await.unwrap();
    assert_eq!(found.iter().map(|row| row.units).sum::<u64>(), rows);
    Some(found.iter().map(|row| (arms[row.arm as usize].clone(), row.units, row.forms[0].sum.0)).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_sums_predictions_without_final_as_with_it_or_says_that_it_cannot() {
    let running = Running::migrated().await;
    let reader = Reader::Store(running.store.clone());
    for (month, case) in CASES.iter().enumerate() {
        write(&running, month, case.rows).await;
        let Alone { unmerged, merged, .. } = asked(month);
        let expected: Option<Vec<(String, u64, f64)>> = case
            .expected
            .map(|arms| arms.iter().map(|(arm, units, sum)| ((*arm).to_owned(), *units, *sum)).collect());
        assert_eq!(told(&reader, &merged).await, expected, "{}, with FINAL", case.name);
        let expected = expected.filter(|_| case.unmerged);
        assert_eq!(told(&reader, &unmerged).await, expected, "{}, without FINAL", case.name);
    }
    drop(reader);
    running.end().await;
}

async fn depth(running: &Running) -> f64 {
    let reader = Reader::Store(running.store.clone());
    let rows: Vec<experiment::DepthRow> = reader.rows(&asked(0).depth).await.unwrap();
    rows[0].depth
}

// Parts of one partition could be merged before they are looked at.
#[tokio::test(flavor = "multi_thread")]
async fn engine_tells_how_often_parts_lie_over_each_other() {
    let running = Running::migrated().await;
    assert!(depth(&running).await.abs() < f64::EPSILON, "there are no parts");
    for month in 0..2 {
        write(&running, month, &[("e1", 0, 0, "m", "u1", "A", None), ("e2", 9, 0, "m", "u2", "A", None)])
            .await;
        assert!((depth(&running).await - 1.0).abs() < f64::EPSILON, "a partition of one part");
    }
    running.end().await;
}
