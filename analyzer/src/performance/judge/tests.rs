//! What is usual, which way it was left, and whether estimates are trusted.

use std::collections::BTreeSet;

use windvane_stats::experiment::effect::Interval;
use windvane_stats::performance::Measured;
use windvane_store::performance::{Chunking, Period};
use windvane_types::performance::{Change, Verdict};
use windvane_types::span;

use super::{
    Compared, Judge, Named, Part, Rule, Thresholds, TrustVerdict, Usual, bounds, caution, compared, left_out,
    mean_rows, small, tells, thresholds, trust, verdict,
};
use crate::performance::part::Estimate;

static NONE: BTreeSet<&'static str> = BTreeSet::new();

fn judge_of<'a>(thresholds: &'a Thresholds, rule: &'a Rule) -> Judge<'a> {
    Judge { thresholds, rule, chunking: Chunking::Whole, estimates_alert: false, muted: &NONE }
}

fn around(value: f64) -> Option<Interval> {
    Some(Interval { lo: value - 0.05, hi: value + 0.05 })
}

/// So many measured rows of this accuracy.
fn accurate(value: f64, measured: u64) -> Part {
    let accuracy = Measured::new(value, around(value), "wilson");
    Part { measured, metrics: vec![Named { name: "accuracy", measured: accuracy }], ..Part::default() }
}

// Fourteen predictions of 400 rows with a target raised an alert, in a chunk that said it had too few rows for one.
#[test]
fn rows_without_a_prediction_raise_no_alert() {
    let part = |value: f64, measured: u64| Part {
        rows: 400,
        labelled: 400,
        unscored: 400 - measured,
        ..accurate(value, measured)
    };
    let rule = Rule::default();
    let reference: Vec<Part> = (0_u8..10).map(|i| part(0.9 + 0.001 * f64::from(i), 400)).collect();
    let thresholds = thresholds(&reference.iter().collect::<Vec<_>>(), &["accuracy"], &rule);
    let judge = Judge { estimates_alert: true, ..judge_of(&thresholds, &rule) };
    for (measured, too_few, expected) in [(14, true, Verdict::InsufficientData), (30, false, Verdict::Alert)]
    {
        let chunk = judge.chunk(0, 0, &part(0.1, measured));
        assert_eq!(chunk.insufficient_data, too_few, "{measured}");
        assert_eq!(verdict(&[chunk]), expected, "{measured}");
    }
}

// Of 24 hours four had two rows each, all of them wrong: what was usual reached from 0 to 1, and no hour ever alerted.
#[test]
fn hours_with_a_few_rows_do_not_say_what_is_usual() {
    let rule = Rule::default();
    let part = |measured: u64| Part {
        rows: measured,
        labelled: measured,
        measured,
        metrics: vec![Named {
            name: "accuracy",
            measured: Measured::new(if measured > 2 { 0.9 } else { 0.0 }, None, ""),
        }],
        ..Part::default()
    };
    let reference: Vec<Part> = (0..24).map(|hour| part(if hour < 4 { 2 } else { 400 })).collect();
    let usual = |chunking: Chunking| {
        let telling: Vec<&Part> =
            reference.iter().filter(|part| tells(part.measured, chunking, &rule)).collect();
        thresholds(&telling, &["accuracy"], &rule)["accuracy"]
    };
    let hours = Chunking::Length { anchor_us: 0, length_us: 3_600_000_000 };
    assert_eq!(usual(hours).chunks, 20);
    assert!(usual(hours).ends.iter().all(|end| (end.unwrap() - 0.9).abs() < 1e-9), "{:?}", usual(hours));
    assert_eq!(usual(Chunking::Period(Period::Day)).chunks, 20);
    let told = "; chunks of the reference with fewer than 30 rows do not count: 4";
    assert_eq!((left_out(4, &rule).as_str(), left_out(0, &rule).as_str()), (told, ""));
    // Chunks of as many rows each are what was asked for.
    assert_eq!(usual(Chunking::Whole).chunks, 24);
}

// Ten targets of 400 rows raised no alert, as too few should, and kept the estimate from raising one.
#[test]
fn an_estimate_speaks_until_there_are_enough_targets() {
    let part = |value: f64, measured: u64| Part {
        rows: 400,
        labelled: measured,
        measured,
        metrics: vec![Named { name: "accuracy", measured: Measured::new(value, None, "") }],
        estimates: [("accuracy", Estimate { value: 0.5, band: None })].into(),
        ..Part::default()
    };
    let rule = Rule::default();
    let reference: Vec<Part> = (0_u8..10).map(|i| part(0.9 + 0.001 * f64::from(i), 400)).collect();
    let thresholds = thresholds(&reference.iter().collect::<Vec<_>>(), &["accuracy"], &rule);
    for (measured, estimates_alert, expected) in [
        (10, true, Verdict::Alert),
        (400, true, Verdict::NoAlert),
        // Muted, and too few targets: nothing was judged.
        (10, false, Verdict::InsufficientData),
        (400, false, Verdict::NoAlert),
    ] {
        let judge = Judge { estimates_alert, ..judge_of(&thresholds, &rule) };
        let chunk = judge.chunk(0, 0, &part(0.905, measured));
        assert_eq!(verdict(&[chunk]), expected, "{measured} {estimates_alert}");
    }
    // A metric whose estimates are wrong within a segment.
    let muted = ["accuracy"].into();
    let judge = Judge { estimates_alert: true, muted: &muted, ..judge_of(&thresholds, &rule) };
    let chunk = judge.chunk(0, 0, &part(0.905, 10));
    assert_eq!(verdict(&[chunk]), Verdict::InsufficientData);
}

#[test]
fn beyond_few_chunks_the_interval_has_to_lie_too() {
    let ends = [Some(0.88), Some(0.92)];
    let near = Some(Interval { lo: 0.84, hi: 0.89 });
    let beyond = Some(Interval { lo: 0.84, hi: 0.87 });
    for (chunks, given, interval, expected) in [
        (6, [false; 2], near, Some(Change::Worse)),
        (5, [false; 2], near, None),
        (2, [false; 2], beyond, Some(Change::Worse)),
        (2, [true, false], near, Some(Change::Worse)),
        (2, [false, true], near, None),
        (2, [false; 2], None, None),
    ] {
        let found =
            Usual { ends, given, chunks, rows: 400, classes: 0 }.left("roc_auc", (0.86, interval), 400);
        assert_eq!(found, expected, "{chunks} {given:?} {interval:?}");
    }
    let above = Usual { ends, given: [false; 2], chunks: 2, rows: 400, classes: 0 };
    let left = |lo, hi| above.left("roc_auc", (0.95, Some(Interval { lo, hi })), 400);
    assert_eq!(left(0.91, 0.97), None);
    assert_eq!(left(0.93, 0.97), Some(Change::Better));
    assert_eq!(above.learnt_from(), Some(2));
    assert_eq!(Usual { given: [true; 2], ..above }.learnt_from(), None);
    assert!(caution(2).contains("2 chunks are few") && caution(6).is_empty() && caution(1).is_empty());
}

// The days whose outcomes had come for less than a third said that the model was worse or better in one metric of six, without any change, and
// so did a current file of a tenth of the reference's rows, cut into as many chunks.
#[test]
fn chunks_much_smaller_than_those_of_the_reference_need_their_interval() {
    let part =
        |value: f64, measured: u64| Part { rows: 360, labelled: measured, ..accurate(value, measured) };
    let rule = Rule::default();
    let reference: Vec<Part> = (0_u8..10).map(|i| part(0.8 + 0.02 * f64::from(i % 2), 360)).collect();
    let thresholds = thresholds(&reference.iter().collect::<Vec<_>>(), &["accuracy"], &rule);
    let judge = Judge { estimates_alert: true, ..judge_of(&thresholds, &rule) };
    // Usual is 0.78 to 0.84, and an interval reaches 0.05 to either side.
    let chunks: Vec<_> = [(0.77, 180), (0.77, 179), (0.72, 179), (0.72, 20)]
        .into_iter()
        .zip(0..)
        .map(|((value, measured), number)| judge.chunk(number, 0, &part(value, measured)))
        .collect();
    let alerts: Vec<bool> = chunks.iter().map(|chunk| chunk.metrics[0].alert).collect();
    assert_eq!(alerts, [true, false, true, false]);
    assert!(small(&chunks, 360, &rule).starts_with("; 2 chunks have less than half as many rows"));
    assert!(small(&chunks[..2], 360, &rule).starts_with("; 1 chunk has less than half as many rows"));
    assert_eq!((small(&chunks[..1], 360, &rule).as_str(), mean_rows([2, 5].into_iter())), ("", 3));
    assert_eq!(mean_rows(std::iter::empty()), 0);
}

// A class of 2 % of the rows, that no model finds, was in each chunk of the reference, and in four of five whose outcomes had come for a fifth: in
// the others recall is the mean of two classes in place of three, and was better in 13 of 100 chunks without any change.
#[test]
fn a_mean_of_fewer_classes_is_not_held_to_that_of_all() {
    let part = |value: f64, confusion: [[f64; 3]; 3]| Part {
        rows: 400,
        labelled: 400,
        measured: 400,
        confusion: confusion.map(Vec::from).into(),
        metrics: ["recall_macro", "accuracy"]
            .map(|name| Named { name, measured: Measured::new(value, around(value), "delta_wilson") })
            .into(),
        ..Part::default()
    };
    let all = [[150.0, 40.0, 0.0], [40.0, 162.0, 0.0], [4.0, 4.0, 0.0]];
    let without = [[155.0, 40.0, 0.0], [40.0, 165.0, 0.0], [0.0, 0.0, 0.0]];
    let said = [[155.0, 40.0, 0.0], [40.0, 164.0, 1.0], [0.0, 0.0, 0.0]];
    let reference: Vec<Part> = (0_u8..10).map(|i| part(0.5 + 0.001 * f64::from(i), all)).collect();
    let reference: Vec<&Part> = reference.iter().collect();
    let alerts = |rule: &Rule, confusion| {
        let thresholds = thresholds(&reference, &["recall_macro", "accuracy"], rule);
        let chunk = judge_of(&thresholds, rule).chunk(0, 0, &part(0.8, confusion));
        [0, 1].map(|metric: usize| chunk.metrics[metric].alert)
    };
    let learnt = Rule::default();
    assert_eq!(alerts(&learnt, all), [true, true]);
    assert_eq!(alerts(&learnt, without), [false, true]);
    assert_eq!(alerts(&learnt, said), [true, true]);
    let fixed = [("recall_macro".to_owned(), [None, Some(0.7)])].into();
    assert_eq!(alerts(&Rule { fixed, ..Rule::default() }, without), [true, true]);
}

// Scores that are right alerted as worse in 19 to 25 of 100 chunks of half to six tenths of the reference's rows, without any change, and as
// better in 66 of 100 chunks of fifty times as many.
#[test]
fn a_calibration_error_is_not_judged_by_the_number_of_rows() {
    let usual =
        Usual { ends: [Some(0.02), Some(0.08)], given: [false; 2], chunks: 10, rows: 500, classes: 0 };
    let (wide, beyond) = (Some(Interval { lo: 0.05, hi: 0.3 }), Some(Interval { lo: 0.09, hi: 0.3 }));
    let (worse, better) = (Some(Change::Worse), Some(Change::Better));
    for (metric, value, interval, rows, expected) in [
        // Of 320 rows 0.08·√(500/320) = 0.1 is usual.
        ("ece", 0.09, wide, 500, worse),
        ("ece", 0.09, wide, 320, None),
        ("ece", 0.11, wide, 320, worse),
        // Fewer than half of the rows need their interval as well, of 125 above 0.16.
        ("ece", 0.17, wide, 125, None),
        ("ece", 0.15, beyond, 125, None),
        ("ece", 0.17, beyond, 125, worse),
        ("ece", 0.09, wide, 50_000, worse),
        // Of 50,000 rows 0.002 is usual.
        ("ece", 0.01, wide, 500, better),
        ("ece", 0.01, wide, 50_000, None),
        ("ece", 0.001, wide, 50_000, better),
        ("ece", 0.01, wide, 320, better),
        ("brier", 0.09, wide, 320, worse),
        ("brier", 0.01, wide, 50_000, better),
    ] {
        assert_eq!(usual.left(metric, (value, interval), rows), expected, "{metric} {value} {rows}");
    }
    let given = Usual { given: [true; 2], ..usual };
    assert_eq!(given.left("ece", (0.01, wide), 50_000), better);
    assert_eq!(given.left("ece", (0.09, wide), 100), worse);
}

// 400 rows with a target, of which 14 had a prediction as well, were a chunk of truth: by chance they lay far off, and muted the estimator.
#[test]
fn an_estimate_is_compared_with_rows_that_have_a_prediction() {
    let part = |measured: u64| Part {
        rows: 800,
        labelled: 400,
        unscored: 400 - measured,
        measured,
        metrics: vec![Named { name: "mae", measured: Measured::new(3.0, None, "") }],
        estimates: [("mae", Estimate { value: 2.0, band: Some(Interval { lo: 1.5, hi: 2.5 }) })].into(),
        ..Part::default()
    };
    for (measured, chunks) in [(14, 0), (200, 1)] {
        let part = part(measured);
        assert_eq!(trust((&[&part], &[]), "mae", &Rule::default()).chunks, chunks, "{measured}");
        let one = compared(&part, "mae").unwrap();
        assert_eq!((one.n, one.labelled), (400 + measured, measured));
    }
}

#[test]
fn estimates_are_trusted_or_muted_by_earlier_windows_with_enough_truth() {
    let one = |realised, labelled| Compared {
        realised,
        estimated: 0.8,
        band_low: 0.75,
        band_high: 0.85,
        n: 400,
        labelled,
    };
    let (near, far, few) = (one(0.82, 400), one(0.6, 400), one(0.6, 10));
    // Half of the rows have their truth: the band is wider by the root of two.
    let partly = one(0.735, 200);
    for (past, verdict, chunks) in [
        (vec![near; 2], TrustVerdict::Unknown, 2),
        (vec![near; 3], TrustVerdict::Trusted, 3),
        (vec![near, near, far], TrustVerdict::Muted, 3),
        (vec![near, near, near, few], TrustVerdict::Trusted, 3),
        (vec![near, near, partly], TrustVerdict::Trusted, 3),
        (vec![], TrustVerdict::Unknown, 0),
    ] {
        let found = trust((&[], &past), "roc_auc", &Rule::default());
        assert_eq!((found.verdict, found.chunks), (verdict, chunks), "{past:?}");
    }
    let found = trust((&[], &[near, near, far]), "roc_auc", &Rule::default());
    assert!((found.mean_absolute_error.unwrap() - 0.08).abs() < 1e-12);
}

// Of chunks with as many rows of either class, without any change, one of 25 lay outside of what was said to be three errors, and three
// chunks muted one estimator of eight. So it was of several classes, of whose areas one of 25 lay outside.
#[test]
fn an_area_may_be_off_by_the_rows_of_both_classes() {
    let at = |realised| Compared {
        realised,
        estimated: 0.8,
        band_low: 0.75,
        band_high: 0.85,
        n: 400,
        labelled: 400,
    };
    for (metric, realised, verdict) in [
        ("roc_auc", 0.865, TrustVerdict::Trusted),
        ("roc_auc", 0.735, TrustVerdict::Trusted),
        ("roc_auc", 0.875, TrustVerdict::Muted),
        ("roc_auc_macro", 0.865, TrustVerdict::Trusted),
        ("roc_auc_macro", 0.875, TrustVerdict::Muted),
        ("mae", 0.865, TrustVerdict::Muted),
        ("mae", 0.845, TrustVerdict::Trusted),
    ] {
        let found = trust((&[], &[at(realised); 3]), metric, &Rule::default());
        assert_eq!(found.verdict, verdict, "{metric} {realised}");
    }
}

#[test]
fn periods_begin_and_end_by_the_calendar() {
    // 2013-01-07 was a Monday, 15,712 days after 1970-01-01.
    for (period, key, expected) in [
        (Period::Day, 15_712, ["2013-01-07T00:00:00Z", "2013-01-08T00:00:00Z"]),
        (Period::Week, (15_712 + 3) / 7, ["2013-01-07T00:00:00Z", "2013-01-14T00:00:00Z"]),
        (Period::Month, 2013 * 12 + 11, ["2013-12-01T00:00:00Z", "2014-01-01T00:00:00Z"]),
    ] {
        let found =
            bounds(Chunking::Period(period), key, &Part::default()).map(|us| span::shown(us.unwrap()));
        assert_eq!(found, expected, "{period:?}");
    }
}
