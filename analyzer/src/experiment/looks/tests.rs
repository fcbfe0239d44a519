//! Which looks count, what is left to a look, and that looks which were not planned do not cost more than alpha.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use windvane_stats::experiment::{
    effect::Level,
    group_sequential::{Schedule, Spending, boundaries},
};
use windvane_store::experiment::{Exposed, RecordTable};

use super::super::{Cap, Metric, Rule, StoredChecks};
use super::*;

/// When the look that is tried is made.
const NOW: i64 = 1_000;

fn looks(spending: Spending) -> Looks {
    Looks { spending, now: Progress::OfUnits(1000.0), before: Earlier::Every(4) }
}

/// A look at 250 of 1000 units.
fn taken(as_of_us: i64) -> LookTaken {
    LookTaken {
        metric: "revenue".to_owned(),
        arm: "B".to_owned(),
        as_of_us,
        units: 250,
        n: 120,
        n_control: 130,
        mean: Some(2.0),
        mean_control: Some(1.0),
        absolute: Some(1.0),
        srm_verdict: "ok".to_owned(),
        boundary: Some(2.4),
        p_value: Some(0.02),
        definition: "mean".to_owned(),
        plan: plan(&looks(Spending::Pocock), Alternative::TwoSided),
    }
}

fn at_units(as_of_us: i64, units: u64) -> LookTaken {
    LookTaken { units, ..taken(as_of_us) }
}

/// The place of a look at 500 units whose arm has a mean of 2.
fn place(taken: Vec<LookTaken>) -> Place {
    place_after(taken, Vec::new())
}

fn place_after(taken: Vec<LookTaken>, by_another: Vec<LooksByAnother>) -> Place {
    let looked = Looked { as_of_us: NOW, definitions: vec!["mean".to_owned()], taken, by_another };
    let seen = Seen {
        place: 0,
        metric: "revenue",
        arm: "B",
        units: 500,
        n: [120, 130],
        means: [Some(2.0 + 1e-12), Some(1.0)],
    };
    looked.place(&seen, (&looks(Spending::Pocock), Alternative::TwoSided))
}

#[test]
fn looks_that_were_taken_count_where_they_could_decide_the_same() {
    let none = LookTaken { boundary: None, ..taken(10) };
    let unlike = LookTaken { mean: Some(2.5), ..at_units(20, 500) };
    let changed = LookTaken { definition: "proportion".to_owned(), ..taken(10) };
    let of_old = LookTaken { definition: String::new(), plan: String::new(), ..taken(10) };
    let elsewhere = [
        LookTaken { metric: "visits".to_owned(), ..taken(10) },
        LookTaken { arm: "C".to_owned(), ..taken(10) },
    ];
    let first = taken(10);
    for (name, taken, fractions, closed) in [
        ("nothing", vec![], &[0.5][..], None),
        ("one before", vec![first.clone()], &[0.25, 0.5], None),
        ("of an older version", vec![of_old], &[0.25, 0.5], None),
        ("of another metric and arm", elsewhere.to_vec(), &[0.5], None),
        ("without a boundary", vec![none.clone()], &[0.5], None),
        ("of something else", vec![changed], &[0.5], None),
        ("made again", vec![first.clone(), at_units(NOW, 490)], &[0.25, 0.5], None),
        (
            "made again, without a boundary",
            vec![first.clone(), LookTaken { as_of_us: NOW, ..none }],
            &[0.25],
            Some(Closed::Again),
        ),
        ("the same data", vec![first.clone(), at_units(20, 500)], &[0.25, 0.5], None),
        (
            "the same data twice",
            vec![first.clone(), at_units(20, 500), at_units(30, 500)],
            &[0.25, 0.5],
            None,
        ),
        (
            "the same data, made again",
            vec![first.clone(), at_units(20, 500), at_units(NOW, 500)],
            &[0.25, 0.5],
            None,
        ),
        ("as many units, other data", vec![first.clone(), unlike], &[0.25, 0.5], Some(Closed::NoNews)),
        ("a later one first", vec![first.clone(), at_units(2_000, 700)], &[0.25], Some(Closed::Late)),
        ("all spent", vec![first, at_units(20, 1010)], &[0.25, 1.01], Some(Closed::Spent)),
        (
            "as many as are counted",
            (1..=100_i64).map(|k| at_units(k, 4 * k.unsigned_abs())).collect(),
            &[],
            Some(Closed::TooMany),
        ),
    ] {
        let found = place(taken);
        assert_eq!(found.closed, closed, "{name}");
        assert!(fractions.is_empty() || found.fractions == fractions, "{name}: {found:?}");
    }
}

#[test]
fn what_is_to_be_known_of_looks_is_told() {
    let told = |taken: Vec<LookTaken>| place(taken).told.join("\n");
    assert_eq!(told(vec![taken(10)]), "");
    let same = told(vec![at_units(20, 500)]);
    assert!(
        same.starts_with("looked at before: ") && same.ends_with("so this is that look once more"),
        "{same}"
    );
    let changed = told(vec![LookTaken { definition: "proportion".to_owned(), ..taken(10) }]);
    assert_eq!(changed, "begun anew: 1 earlier look compared something else and does not count");
    let planned = told(vec![LookTaken { plan: "pocock, 500 units, two_sided".to_owned(), ..taken(10) }]);
    assert!(planned.starts_with("planned anew: 1 earlier look was taken by another plan"), "{planned}");
    let many = told((1..=4_i64).map(|k| at_units(k, 100 * k.unsigned_abs())).collect());
    assert!(many.starts_with("looked at more often than the 4 times"), "{many}");
}

#[test]
fn looks_before_the_inference_was_changed_are_told_and_do_not_count() {
    let of = |arm: &str, inference: &str, times| LooksByAnother {
        metric: "revenue".to_owned(),
        arm: arm.to_owned(),
        inference: inference.to_owned(),
        times,
    };
    let one = place_after(Vec::new(), vec![of("B", "fixed", 1), of("C", "sequential", 9)]);
    assert_eq!(one.fractions, [0.5]);
    assert_eq!(
        one.told,
        [
            "inference changed on the way: 1 earlier look decided by `fixed` and spent no alpha of this plan, so over all looks a false \
          verdict is likelier than alpha; a new `start` begins anew"
        ]
    );
    let some = place_after(vec![taken(10)], vec![of("B", "fixed", 2), of("B", "sequential", 3)]);
    assert_eq!(some.fractions, [0.25, 0.5]);
    assert!(
        some.told[0].contains("5 earlier looks decided by `fixed` or `sequential` and spent"),
        "{:?}",
        some.told
    );
    assert!(place_after(Vec::new(), vec![of("C", "fixed", 1)]).told.is_empty());
}

#[test]
fn what_earlier_looks_found_stands_where_this_one_cannot_decide() {
    let spent = |last: LookTaken| place(vec![taken(10), LookTaken { units: 1000, ..last }]);
    let found = spent(LookTaken { p_value: Some(0.01), ..taken(20) });
    assert_eq!((found.stands(3.0), found.stands(-3.0)), (Some(0.01), None));
    let lost = LookTaken { srm_verdict: "mismatch".to_owned(), p_value: Some(0.01), ..taken(20) };
    assert_eq!(spent(lost).stands(3.0), Some(0.02));
    assert_eq!(found.of_segment().stands(3.0), None);
    assert_eq!(place(vec![taken(10)]).stands(3.0), None);
}

#[test]
fn a_definition_is_of_what_is_compared_and_not_of_how() {
    let metric = StoredMetric {
        metric: Metric { cap: Some(Cap::Quantile(0.99)), ..Metric::new("spent", Measured::Mean) },
        table: RecordTable::Measurements,
        column: "revenue".to_owned(),
    };
    let mut experiment = StoredExperiment {
        exposed: Exposed {
            experiment: "e".to_owned(),
            by: ExposedBy::Exposures,
            start_us: Some(0),
            end_us: 0,
            window_us: 86_400_000_000,
            segment_by: Vec::new(),
        },
        metrics: Vec::new(),
        covariate_us: None,
        segment_units_min: 1,
        stratify: None,
        checks: StoredChecks::default(),
        rule: Rule::against("A"),
    };
    let text = "mean of `revenue` of measurements within 86400 s of exposures since 1970-01-01T00:00:00Z, against `A`, cap p99";
    assert_eq!(definition(&experiment, &metric), text);
    experiment.covariate_us = Some(1);
    experiment.rule.alpha = 0.01;
    assert_eq!(definition(&experiment, &metric), text);
    experiment.exposed.start_us = None;
    assert_ne!(definition(&experiment, &metric), text);
}

/// 28 looks, of which 4 were planned: after 20 more units of 1000 and after 50 more, in turn.
fn schedule_of_units() -> Vec<u64> {
    (0..28_u64).map(|k| 70 * (k / 2) + if k % 2 == 0 { 20 } else { 70 }).collect()
}

/// The boundary of each look by the looks that were recorded before it.
fn recorded_boundaries(units: &[u64], schedule: &Schedule) -> Vec<f64> {
    let looks = looks(schedule.spending);
    let mut looked = Looked {
        as_of_us: 0,
        definitions: vec!["mean".to_owned()],
        taken: Vec::new(),
        by_another: Vec::new(),
    };
    let mut found = Vec::new();
    for (look, units) in (1_i64..).zip(units) {
        looked.as_of_us = look;
        let seen =
            Seen { place: 0, metric: "revenue", arm: "B", units: *units, n: [0, 0], means: [None, None] };
        let place = looked.place(&seen, (&looks, schedule.level.alternative));
        assert_eq!((place.fractions.len(), place.closed), (found.len() + 1, None));
        let boundary = boundaries(&place.fractions, schedule).unwrap().pop().unwrap().boundary;
        looked.taken.push(LookTaken { boundary, ..at_units(look, *units) });
        found.push(boundary.unwrap());
    }
    found
}

// By 980 of the planned 1000 units not all of alpha is spent: .0471 by O'Brien and Fleming's spending, .0494 by Pocock's. Where the
// planned looks alone count, each one that was not planned gives chance another try. Oracle: the same recursion by NumPy 2 with 200,000 walks:
// .0469 and .0488 where they count, .0581 and .0822 where they do not.
#[test]
fn looks_that_were_not_planned_cost_no_more_than_alpha() {
    const RUNS: u32 = 20_000;
    let level = Level::two_sided(0.05);
    let bound = level.alpha + 2.0 * (level.alpha * (1.0 - level.alpha) / f64::from(RUNS)).sqrt();
    let units = schedule_of_units();
    for spending in [Spending::ObrienFleming, Spending::Pocock] {
        let schedule = Schedule { planned: 1.0, spending, level };
        let recorded = recorded_boundaries(&units, &schedule);
        let as_planned: Vec<f64> = units
            .iter()
            .map(|units| {
                let fractions = looks(spending).fractions(*units);
                boundaries(&fractions, &schedule).unwrap().pop().unwrap().boundary.unwrap()
            })
            .collect();
        let mut rng = ChaCha8Rng::seed_from_u64(28);
        let mut significant = [0_u32; 2];
        for _ in 0..RUNS {
            let (mut sum, mut before, mut crossed) = (0.0_f64, 0, [false; 2]);
            for (look, units) in units.iter().enumerate() {
                let step: f64 = StandardNormal.sample(&mut rng);
                sum += step * ((units - before) as f64).sqrt();
                before = *units;
                let z = (sum / (*units as f64).sqrt()).abs();
                crossed[0] |= z >= recorded[look];
                crossed[1] |= z >= as_planned[look];
            }
            for (count, crossed) in significant.iter_mut().zip(crossed) {
                *count += u32::from(crossed);
            }
        }
        let [held, lost] = significant.map(|count| f64::from(count) / f64::from(RUNS));
        assert!(held <= bound && held > 0.04, "{spending:?}: {held}, at most {bound}");
        assert!(lost > bound, "{spending:?}: {lost}");
    }
}
