//! Sums of experiments that are kept by part, on a real ClickHouse: whatever happens to parts, they say what all rows say, or nothing.

use serde::Deserialize;
use windvane_store::experiment::{self, ARM, Alone, Form, FrameColumns, Kept, Question, UNIT, UnitsAre};
use windvane_store::{DATABASE, Reader, Statement, StoreError};

use crate::endpoint::Running;
use crate::experiments::{NUMBER, Row, alone_between, told, write};

/// 1 January 2027, after all rows.
const END_US: i64 = 1_798_761_600_000_000;

/// 5 January 2026, when the first month's rows begin.
const FIRST_US: i64 = 1_767_571_200_000_000;

/// An arm, its units and the sum of their numbers.
type Total = (String, u64, f64);

fn total(arm: &str, units: u64, sum: f64) -> Total {
    (arm.to_owned(), units, sum)
}

/// The experiment as of a time.
fn asked(end_us: i64) -> Alone {
    alone_between(None, end_us)
}

async fn kept(running: &Running, end_us: i64, form: Form) -> Result<Kept, StoreError> {
    kept_of(running, asked(end_us), form).await
}

async fn kept_of(running: &Running, asked: Alone, form: Form) -> Result<Kept, StoreError> {
    let Alone { by_part, unmerged, .. } = asked;
    let columns = FrameColumns { unit: UNIT, arm: ARM, segment_by: &[], timestamp: None };
    let frame = experiment::frame(&unmerged.population, &columns).unwrap();
    let measures = [experiment::measure(&unmerged.population, NUMBER).unwrap()];
    let question = Question {
        frame: &frame,
        measures: &measures,
        forms: &[form],
        arms: &[],
        units_are: UnitsAre::Single,
        by_segment: false,
        by_day: false,
    };
    experiment::kept(&running.store, &by_part, question).await
}

/// The sums by part; `None` where a unit or an event is there twice.
async fn sums(running: &Running, end_us: i64) -> Option<Vec<Total>> {
    sums_of(running, asked(end_us)).await
}

async fn sums_of(running: &Running, asked: Alone) -> Option<Vec<Total>> {
    match kept_of(running, asked, Form::default()).await.unwrap() {
        Kept::Sums(arms) => {
            Some(arms.iter().map(|arm| total(&arm.arm, arm.units, arm.forms[0].sum.0)).collect())
        }
        Kept::Repeated => None,
        Kept::Unknown => panic!("parts are not to be seen"),
    }
}

/// The sums of all rows, read with `FINAL`; `None` where a unit has several predictions.
async fn plain(running: &Running) -> Option<Vec<Total>> {
    told(&Reader::Store(running.store.clone()), &asked(END_US).merged).await
}

async fn execute(running: &Running, sql: &str) {
    let statement = Statement::new(sql.replace("{db}", DATABASE)).setting("mutations_sync", 2);
    running.store.execute(&statement).await.unwrap();
}

async fn number(running: &Running, sql: &'static str) -> u64 {
    #[derive(Deserialize)]
    struct Number {
        number: u64,
    }
    let rows: Vec<Number> = running.store.rows(&Statement::new(sql)).await.unwrap();
    rows.first().map_or(0, |row| row.number)
}

/// How many parts are kept of all definitions.
async fn parts_kept(running: &Running) -> u64 {
    number(running, "SELECT sum(JSONLength(sums)) AS number FROM experiment_sums FINAL").await
}

const FIRST: [Row; 5] = [
    ("e1", 1, 0, "m", "u1", "A", Some(1.0)),
    ("e2", 2, 0, "m", "u2", "B", Some(2.5)),
    ("e3", 3, 0, "m", "u3", "B", None),
    ("e4", 3, 0, "m", "", "B", Some(64.0)),
    ("e5", 4, 0, "other", "u2", "", Some(128.0)),
];

#[tokio::test(flavor = "multi_thread")]
async fn sums_by_part_are_those_of_all_rows_whatever_happens_to_parts() {
    let running = Running::migrated().await;
    write(&running, 0, &FIRST).await;
    let first = Some(vec![total("A", 1, 1.0), total("B", 2, 2.5)]);
    for look in ["the first look", "the second one, with nothing new"] {
        assert_eq!(sums(&running, END_US).await, first, "{look}");
        assert_eq!(plain(&running).await, first, "{look}");
        assert_eq!(parts_kept(&running).await, 1, "{look}");
    }
    // A part of another month, and another arm.
    write(&running, 1, &[("e6", 1, 0, "m", "u6", "C", Some(8.0)), ("e7", 2, 0, "m", "u7", "A", Some(0.25))])
        .await;
    let second = Some(vec![total("A", 2, 1.25), total("B", 2, 2.5), total("C", 1, 8.0)]);
    assert_eq!((sums(&running, END_US).await, plain(&running).await), (second.clone(), second));
    assert_eq!(parts_kept(&running).await, 2);
    // Two parts of a month, which become one.
    write(&running, 1, &[("e8", 3, 0, "m", "u8", "C", Some(16.0))]).await;
    let third = Some(vec![total("A", 2, 1.25), total("B", 2, 2.5), total("C", 2, 24.0)]);
    for is_merged in [false, true] {
        if is_merged {
            execute(&running, "OPTIMIZE TABLE {db}.predictions PARTITION 202602 FINAL").await;
        }
        let found = (sums(&running, END_US).await, plain(&running).await);
        assert_eq!(found, (third.clone(), third.clone()), "merged: {is_merged}");
    }
    assert_eq!(parts_kept(&running).await, 2, "merged parts are forgotten");
    execute(&running, "ALTER TABLE {db}.predictions DELETE WHERE event_id = 'e6'").await;
    let fourth = Some(vec![total("A", 2, 1.25), total("B", 2, 2.5), total("C", 1, 16.0)]);
    assert_eq!((sums(&running, END_US).await, plain(&running).await), (fourth.clone(), fourth));
    execute(&running, "ALTER TABLE {db}.predictions DROP PARTITION 202602").await;
    assert_eq!((sums(&running, END_US).await, plain(&running).await), (first.clone(), first));
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_or_a_unit_that_comes_again_in_a_new_part_is_seen() {
    let running = Running::migrated().await;
    write(&running, 0, &FIRST).await;
    let first = Some(vec![total("A", 1, 1.0), total("B", 2, 2.5)]);
    assert_eq!(sums(&running, END_US).await, first);
    for (what, row) in [
        ("a unit with another prediction", ("e6", 1, 0, "m", "u2", "B", Some(4.0))),
        ("a unit in another arm", ("e6", 1, 0, "m", "u2", "A", Some(4.0))),
        ("a unit with another prediction without an arm", ("e6", 1, 0, "m", "u2", "", Some(4.0))),
        ("a unit that another model exposes", ("e6", 1, 0, "other", "u6", "A", Some(4.0))),
    ] {
        write(&running, 1, &[row]).await;
        assert_eq!(sums(&running, END_US).await, None, "{what}");
        assert_eq!(parts_kept(&running).await, 1, "{what}");
        execute(&running, "ALTER TABLE {db}.predictions DROP PARTITION 202602").await;
        assert_eq!(sums(&running, END_US).await, first, "{what} is gone");
    }
    // Copies are in the partition of their event, where they may be merged at any time: who was there after a look was there for it.
    for (what, copy, merged) in [
        (
            "other numbers",
            ("e2", 2, 1, "m", "u2", "B", Some(4.0)),
            vec![total("A", 1, 1.0), total("B", 2, 4.0)],
        ),
        (
            "another unit",
            ("e2", 2, 2, "m", "u6", "A", Some(8.0)),
            vec![total("A", 2, 9.0), total("B", 1, 0.0)],
        ),
        ("no unit", ("e2", 2, 3, "m", "", "A", Some(8.0)), vec![total("A", 1, 1.0), total("B", 1, 0.0)]),
    ] {
        write(&running, 0, &[copy]).await;
        let found = sums(&running, END_US).await;
        let copies = "SELECT count() - uniqExact(model, version, ts, event_id) AS number FROM predictions";
        if number(&running, copies).await > 0 {
            assert_eq!(found, None, "{what}");
        }
        execute(&running, "OPTIMIZE TABLE {db}.predictions PARTITION 202601 FINAL").await;
        let found = (sums(&running, END_US).await, plain(&running).await);
        assert_eq!(found, (Some(merged.clone()), Some(merged)), "{what}, merged");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_new_parts_are_held_against_each_other_and_against_those_that_are_kept() {
    let running = Running::migrated().await;
    write(&running, 0, &FIRST).await;
    let first = Some(vec![total("A", 1, 1.0), total("B", 2, 2.5)]);
    assert_eq!(sums(&running, END_US).await, first);
    let second: [Row; 2] =
        [("e6", 1, 0, "m", "u6", "C", Some(8.0)), ("e7", 1, 0, "other", "u1", "", Some(4.0))];
    for (what, third, expected) in [
        (
            "units of their own",
            ("e8", 2, 0, "m", "u8", "A", Some(0.5)),
            Some(vec![total("A", 2, 1.5), total("B", 2, 2.5), total("C", 1, 8.0)]),
        ),
        ("a unit in both", ("e8", 2, 0, "m", "u6", "C", Some(0.5)), None),
        ("a unit of a kept part", ("e8", 2, 0, "m", "u3", "B", Some(0.5)), None),
    ] {
        write(&running, 1, &second).await;
        write(&running, 2, &[third]).await;
        assert_eq!(sums(&running, END_US).await, expected, "{what}");
        for month in ["202602", "202603"] {
            execute(&running, &format!("ALTER TABLE {{db}}.predictions DROP PARTITION {month}")).await;
        }
        assert_eq!(sums(&running, END_US).await, first, "{what}, gone");
    }
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_unit_of_a_kept_part_whose_prediction_is_too_early_may_come_again() {
    let running = Running::migrated().await;
    write(&running, 0, &FIRST).await;
    let since = || alone_between(Some(FIRST_US + 2_000_000), END_US);
    let plain = async || told(&Reader::Store(running.store.clone()), &since().merged).await;
    let first = Some(vec![total("B", 2, 2.5)]);
    assert_eq!((sums_of(&running, since()).await, plain().await), (first.clone(), first));
    write(&running, 1, &[("e6", 1, 0, "m", "u1", "A", Some(8.0))]).await;
    let second = Some(vec![total("A", 1, 8.0), total("B", 2, 2.5)]);
    assert_eq!((sums_of(&running, since()).await, plain().await), (second.clone(), second));
    write(&running, 2, &[("e7", 1, 0, "m", "u3", "B", Some(8.0))]).await;
    assert_eq!((sums_of(&running, since()).await, plain().await), (None, None));
    running.end().await;
}

/// Says of every unit that is kept that there are a hundred more, so that kept sums show.
async fn mark(running: &Running) {
    execute(
        running,
        "INSERT INTO {db}.experiment_sums (experiment, definition, sums) SELECT experiment, definition, \
         replaceAll(sums, '\"units\":', '\"units\":10') FROM {db}.experiment_sums FINAL",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_read_once_a_definition_and_only_where_all_of_it_counts() {
    let running = Running::migrated().await;
    write(&running, 0, &FIRST).await;
    let all = Some(vec![total("A", 1, 1.0), total("B", 2, 2.5)]);
    // Before its last second is over a part has rows to come, and no sums are kept of it.
    assert_eq!(sums(&running, FIRST_US + 4_500_000).await, all);
    assert_eq!(parts_kept(&running).await, 0);
    assert_eq!(sums(&running, END_US).await, all);
    mark(&running).await;
    let marked = Some(vec![total("A", 101, 1.0), total("B", 102, 2.5)]);
    assert_eq!(sums(&running, END_US).await, marked, "nothing new");
    assert_eq!(sums(&running, END_US + 1).await, marked, "a later look");
    let early = Some(vec![total("A", 1, 1.0), total("B", 1, 2.5)]);
    assert_eq!(sums(&running, FIRST_US + 3_000_000).await, early, "an earlier one has its rows alone");
    assert_eq!(sums(&running, FIRST_US).await, Some(Vec::new()), "before the first row");
    write(&running, 1, &[("e6", 1, 0, "m", "u6", "A", Some(8.0))]).await;
    let more = Some(vec![total("A", 102, 9.0), total("B", 102, 2.5)]);
    assert_eq!(sums(&running, END_US).await, more, "only the new part is read");
    // Another definition has other sums, beside these.
    let capped = kept(&running, END_US, Form { cap: Some(2.0), ..Form::default() }).await.unwrap();
    let Kept::Sums(arms) = &capped else { panic!("{capped:?}") };
    let found: Vec<(u64, u64, f64)> =
        arms.iter().map(|arm| (arm.units, arm.forms[0].capped, arm.forms[0].sum.0)).collect();
    assert_eq!(found, [(2, 1, 3.0), (2, 1, 2.0)]);
    assert_eq!(sums(&running, END_US).await, more);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sums_that_cannot_be_kept_are_told_and_what_is_no_number_is_not() {
    let running = Running::migrated().await;
    write(&running, 0, &FIRST).await;
    execute(&running, "ALTER TABLE {db}.experiment_sums ADD CONSTRAINT never CHECK 0").await;
    for _ in 0..2 {
        let all = Some(vec![total("A", 1, 1.0), total("B", 2, 2.5)]);
        assert_eq!(sums(&running, END_US).await, all);
        assert_eq!(parts_kept(&running).await, 0);
    }
    execute(&running, "ALTER TABLE {db}.experiment_sums DROP CONSTRAINT never").await;
    write(&running, 1, &[("e6", 1, 0, "m", "u6", "A", Some(f64::INFINITY))]).await;
    assert!(matches!(kept(&running, END_US, Form::default()).await, Ok(Kept::Unknown)));
    // Without the table rows have to be asked.
    execute(&running, "DROP TABLE {db}.experiment_sums").await;
    assert!(kept(&running, END_US, Form::default()).await.is_err());
    running.end().await;
}
