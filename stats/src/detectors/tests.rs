//! Detectors against River and MOA, and bounds on what they keep.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;

use super::adwin::{self, Adwin, Semantics};
use super::cusum::{self, Cusum};
use super::ddm::Ddm;
use super::eddm::Eddm;
use super::hddm::{self, HddmA, HddmW, Sides};
use super::kswin::{self, Kswin};
use super::page_hinkley::{self, PageHinkley};
use super::{Detector, Signal};

const LENGTH: u32 = 4_000;

/// The generator of tests/golden/detectors.py.
struct Uniforms(u32);

impl Uniforms {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from(self.0) / 4_294_967_296.0
    }
}

fn errors(seed: u32, rate: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut draws = Uniforms(seed);
    (0..LENGTH).map(|i| f64::from(u8::from(draws.next() < rate(f64::from(i))))).collect()
}

fn values(seed: u32, shift: impl Fn(f64) -> f64) -> Vec<f64> {
    let mut draws = Uniforms(seed);
    (0..LENGTH)
        .map(|i| {
            let sum = draws.next() + draws.next() + draws.next() + draws.next();
            (sum - 2.0) * 1.732_050_807_568_877_2 + shift(f64::from(i))
        })
        .collect()
}

fn stream(name: &str) -> Vec<f64> {
    match name {
        "steady_errors" => errors(1, |_| 0.2),
        "sudden_errors" => errors(2, |i| if i < 2_000.0 { 0.1 } else { 0.4 }),
        "gradual_errors" => errors(3, |i| 0.1 + 0.3 * i / f64::from(LENGTH)),
        "fewer_errors" => errors(4, |i| if i < 1_500.0 { 0.5 } else { 0.2 }),
        "steady_values" => values(5, |_| 0.0),
        "sudden_values" => values(6, |i| if i < 2_500.0 { 0.0 } else { 1.5 }),
        "falling_values" => values(7, |i| -0.001 * i),
        other => panic!("no stream {other}"),
    }
}

fn detector(name: &str) -> Box<dyn Detector> {
    let adwin = |semantics| Box::new(Adwin::new(adwin::Settings { semantics, ..Default::default() }));
    let both = hddm::Settings { sides: Sides::Both, ..Default::default() };
    match name {
        "adwin_moa" => adwin(Semantics::Moa),
        "adwin_river" => adwin(Semantics::River),
        "adwin_river21" => adwin(Semantics::River21),
        "page_hinkley" => {
            Box::new(PageHinkley::new(page_hinkley::Settings { threshold: 20.0, ..Default::default() }))
        }
        "ddm" => Box::new(Ddm::default()),
        "eddm" => Box::new(Eddm::default()),
        "hddm_a" => Box::new(HddmA::default()),
        "hddm_a_both" => Box::new(HddmA::new(both)),
        "hddm_w" => Box::new(HddmW::default()),
        "kswin_whole" => {
            let settings = kswin::Settings { alpha: 0.001, window: 60, recent: 30, ..Default::default() };
            Box::new(Kswin::new(settings))
        }
        other => panic!("no detector {other}"),
    }
}

#[derive(Debug, PartialEq, Deserialize)]
struct Signals {
    changes: Vec<usize>,
    warnings: usize,
}

// Oracle: tests/golden/detectors.py (river 0.22.0, river 0.21.2, MOA's loop written out).
#[test]
fn every_detector_signals_where_its_oracle_does() {
    let text = include_str!("../../../tests/golden/detectors.json");
    let golden: BTreeMap<String, BTreeMap<String, Signals>> = serde_json::from_str(text).unwrap();
    assert_eq!(golden.len(), 10);
    for (name, streams) in golden {
        for (about, expected) in streams {
            let mut detector = detector(&name);
            let mut actual = Signals { changes: Vec::new(), warnings: 0 };
            for (i, x) in stream(&about).into_iter().enumerate() {
                match detector.push(x) {
                    Signal::Change => actual.changes.push(i),
                    Signal::Warning => actual.warnings += 1,
                    Signal::None => {}
                }
            }
            assert_eq!(actual, expected, "{name} on {about}");
        }
    }
}

/// Mean of the number of values to the first alarm.
fn run_length(settings: cusum::Settings, runs: u32) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    let mut normal = || -> f64 { StandardNormal.sample(&mut rng) };
    let mut total = 0_u32;
    for _ in 0..runs {
        let mut detector = Cusum::new(settings);
        total += 1;
        while detector.push(normal()) != Signal::Change {
            total += 1;
        }
    }
    f64::from(total) / f64::from(runs)
}

// Oracle: Siegmund's approximation gives 465 for k = ½, h = 5, known mean and deviation; four standard errors of 800 runs.
#[test]
fn the_run_length_of_cusum_is_the_textbooks() {
    let settings = cusum::Settings { known: Some((0.0, 1.0)), threshold: 5.0, ..Default::default() };
    let mean = run_length(settings, 800);
    assert!((mean - 465.0).abs() < 4.0 * 465.0 / 800.0_f64.sqrt(), "{mean}");
}

#[test]
fn memory_does_not_grow_with_the_stream() {
    let mut adwin = Adwin::default();
    let mut draws = Uniforms(3);
    for _ in 0..200_000 {
        adwin.push(draws.next());
    }
    assert!(adwin.buckets() <= 6 * 18, "{}", adwin.buckets());
    assert!(adwin.width() > 100_000.0 && (adwin.mean().unwrap() - 0.5).abs() < 0.01);
}

#[test]
fn a_stream_of_one_value_never_alarms_and_its_first_other_value_does() {
    for name in ["adwin_moa", "page_hinkley", "ddm", "eddm", "hddm_a", "hddm_w", "kswin_whole"] {
        let mut detector = detector(name);
        assert!((0..2_000).all(|_| detector.push(0.0) != Signal::Change), "{name}");
    }
    let mut cusum = Cusum::default();
    assert!((0..500).all(|_| cusum.push(7.0) == Signal::None));
    assert_eq!(cusum.push(7.5), Signal::Change);
}
