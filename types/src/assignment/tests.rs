//! The vectors of every implementation, and what the rule promises.

use std::collections::HashMap;

use serde::Deserialize;

use super::{Assigner, Assignment, AssignmentError, Definition, Holdout, Slot, WeightedArm};

#[derive(Deserialize)]
struct Vectors {
    rule: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    name: String,
    definition: Definition,
    unit: String,
    points: Expected,
    outcome: String,
    arm: Option<String>,
}

#[derive(Deserialize)]
struct Expected {
    holdout: Option<u64>,
    layer: Option<u64>,
    ramp: u64,
    arm: u64,
}

/// Units of the tests below.
const UNITS: u32 = 40_000;
/// Standard deviations that a fair coin exceeds once in 10⁶ counts; the counts are fixed, so they stay where they are.
const DEVIATIONS: f64 = 4.9;

fn definition(arms: &[(&str, f64)]) -> Definition {
    let arms =
        arms.iter().map(|(arm, weight)| WeightedArm { arm: (*arm).to_owned(), weight: *weight }).collect();
    Definition { salt: "checkout-test".into(), layer: None, holdout: None, ramp: 1.0, arms }
}

fn halves() -> Definition {
    definition(&[("A", 0.5), ("B", 0.5)])
}

fn assigner(definition: Definition) -> Assigner {
    Assigner::new(definition).unwrap()
}

fn units() -> impl Iterator<Item = String> {
    (0..UNITS).map(|i| format!("user-{i}"))
}

/// Whether a count of `n` fits the chance `p`.
fn fits(count: u32, n: u32, p: f64) -> bool {
    let deviation = (f64::from(n) * p * (1.0 - p)).sqrt();
    (f64::from(count) - f64::from(n) * p).abs() <= DEVIATIONS * deviation
}

// sdk/vectors/assignment.json, written by sdk/vectors/assignment.py.
#[test]
fn every_vector_is_answered() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/vectors/assignment.json");
    let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    assert_eq!(vectors.rule, super::RULE);
    assert!(vectors.vectors.len() >= 60);
    for vector in vectors.vectors {
        let assigner = assigner(vector.definition);
        let points = assigner.points(&vector.unit);
        let Expected { holdout, layer, ramp, arm } = vector.points;
        assert_eq!(
            (points.holdout, points.layer, points.ramp, points.arm),
            (holdout, layer, ramp, arm),
            "{}",
            vector.name
        );
        let (outcome, arm) = match assigner.assign(&vector.unit) {
            Assignment::Arm(arm) => ("arm", Some(arm)),
            Assignment::HeldOut => ("holdout", None),
            Assignment::OtherSlot => ("layer", None),
            Assignment::NotRamped => ("ramp", None),
        };
        assert_eq!((outcome, arm), (vector.outcome.as_str(), vector.arm.as_deref()), "{}", vector.name);
    }
}

#[test]
fn arms_get_what_their_weights_say() {
    let assigner = assigner(definition(&[("A", 5.0), ("off", 0.0), ("B", 3.0), ("C", 2.0)]));
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for unit in units() {
        let Assignment::Arm(arm) = assigner.assign(&unit) else { panic!("everybody is let in") };
        *counts.entry(arm).or_default() += 1;
    }
    assert!(!counts.contains_key("off"));
    for (arm, share) in [("A", 0.5), ("B", 0.3), ("C", 0.2)] {
        assert!(fits(counts[arm], UNITS, share), "{arm}: {}", counts[arm]);
    }
}

#[test]
fn a_wider_ramp_lets_in_and_moves_nobody() {
    let at = |ramp| assigner(Definition { ramp, ..halves() });
    let ramps: Vec<Assigner> = [0.0, 0.01, 0.05, 0.5, 1.0].into_iter().map(at).collect();
    let mut inside = [0_u32; 5];
    for unit in units() {
        let mut before = Assignment::NotRamped;
        for (assigner, inside) in ramps.iter().zip(&mut inside) {
            let now = assigner.assign(&unit);
            assert!(before == Assignment::NotRamped || now == before, "{unit} moved");
            *inside += u32::from(now != Assignment::NotRamped);
            before = now;
        }
    }
    assert_eq!((inside[0], inside[4]), (0, UNITS));
    assert!(fits(inside[1], UNITS, 0.01) && fits(inside[2], UNITS, 0.05) && fits(inside[3], UNITS, 0.5));
}

#[test]
fn arms_do_not_depend_on_ramp_layer_or_another_experiment() {
    let full = assigner(halves());
    let slot = Slot { name: "ranking".into(), from: 0.2, to: 0.6 };
    let part = assigner(Definition { ramp: 0.3, layer: Some(slot), ..halves() });
    let other = assigner(Definition { salt: "another".into(), ..halves() });
    let (mut inside, mut inside_a, mut both, mut a, mut b) = (0, 0, 0, 0, 0);
    for unit in units() {
        let is_a = full.assign(&unit) == Assignment::Arm("A");
        if let Assignment::Arm(arm) = part.assign(&unit) {
            assert_eq!(arm == "A", is_a);
            inside += 1;
            inside_a += u32::from(is_a);
        }
        let other_a = other.assign(&unit) == Assignment::Arm("A");
        (a, b) = (a + u32::from(is_a), b + u32::from(other_a));
        both += u32::from(is_a && other_a);
    }
    assert!(fits(inside, UNITS, 0.12) && fits(inside_a, inside, 0.5), "{inside_a} of {inside}");
    assert!(fits(both, UNITS, 0.25) && fits(a, UNITS, 0.5) && fits(b, UNITS, 0.5), "{both} {a} {b}");
}

#[test]
fn slots_of_a_layer_share_nobody_and_leave_nobody_out() {
    let slots = [(0.0, 0.3), (0.3, 0.31), (0.31, 1.0)].map(|(from, to)| {
        let layer = Some(Slot { name: "ranking".into(), from, to });
        assigner(Definition { salt: format!("experiment from {from}"), layer, ..halves() })
    });
    for unit in units() {
        let inside = slots.iter().filter(|slot| slot.assign(&unit) != Assignment::OtherSlot).count();
        assert_eq!(inside, 1, "{unit}");
    }
}

#[test]
fn a_holdout_keeps_the_same_units_out_of_every_experiment() {
    let with = |salt: &str| {
        let holdout = Some(Holdout { name: "2026".into(), share: 0.05 });
        assigner(Definition { salt: salt.into(), holdout, ..halves() })
    };
    let (one, two) = (with("one"), with("two"));
    let mut held = 0;
    for unit in units() {
        let out = one.assign(&unit) == Assignment::HeldOut;
        assert_eq!(out, two.assign(&unit) == Assignment::HeldOut);
        held += u32::from(out);
    }
    assert!(fits(held, UNITS, 0.05), "{held}");
}

// The length before each field: without it `ab` + `c` and `a` + `bc` would be one.
#[test]
fn fields_do_not_run_into_each_other() {
    assert_ne!(super::hash("arm", "ab", "c"), super::hash("arm", "a", "bc"));
    assert_ne!(super::hash("arm", "", "abc"), super::hash("arm", "abc", ""));
}

#[test]
fn definitions_that_are_none_are_refused() {
    let refused = |definition: Definition| Assigner::new(definition).unwrap_err();
    assert_eq!(refused(definition(&[])), AssignmentError::NoArms);
    assert_eq!(refused(definition(&[("A", 0.0)])), AssignmentError::NoArms);
    assert_eq!(refused(definition(&[("A", 1.0), ("A", 1.0)])), AssignmentError::TwiceTheSameArm("A".into()));
    assert!(matches!(refused(definition(&[("A", -1.0), ("B", 2.0)])), AssignmentError::Weight { .. }));
    assert!(matches!(refused(definition(&[("A", f64::NAN)])), AssignmentError::Weight { .. }));
    assert!(matches!(refused(definition(&[("A", f64::INFINITY)])), AssignmentError::Weight { .. }));
    assert!(matches!(
        refused(Definition { ramp: 1.5, ..halves() }),
        AssignmentError::Share { what: "ramp", .. }
    ));
    assert_eq!(refused(Definition { salt: String::new(), ..halves() }), AssignmentError::Empty("salt"));
    let layer = Some(Slot { name: "l".into(), from: 0.5, to: 0.5 });
    assert_eq!(refused(Definition { layer, ..halves() }), AssignmentError::EmptySlot { from: 0.5, to: 0.5 });
    let holdout = Some(Holdout { name: "h".into(), share: f64::NAN });
    assert!(matches!(refused(Definition { holdout, ..halves() }), AssignmentError::Share { .. }));
}
