//! How often detectors of change are wrong by default, and how late they are right. `make calibrate` prints the tables.

use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use windvane_stats::detectors::adwin::{self, Adwin, Semantics};
use windvane_stats::detectors::cusum::Cusum;
use windvane_stats::detectors::ddm::Ddm;
use windvane_stats::detectors::eddm::Eddm;
use windvane_stats::detectors::hddm::{HddmA, HddmW};
use windvane_stats::detectors::kswin::Kswin;
use windvane_stats::detectors::page_hinkley::PageHinkley;
use windvane_stats::detectors::{Detector, Signal};

/// Streams of each kind, and values before and after the change.
const STREAMS: u32 = 100;
const BEFORE: u32 = 5_000;
const AFTER: u32 = 2_000;
/// Streams that go on without a change, and their values.
const LONG_STREAMS: u32 = 5;
const LONG: u32 = 500_000;

type Make = fn() -> Box<dyn Detector>;

fn adwin(semantics: Semantics) -> Box<dyn Detector> {
    Box::new(Adwin::new(adwin::Settings { semantics, ..adwin::Settings::default() }))
}

const FOR_ERRORS: [(&str, Make); 10] = [
    ("adwin", || adwin(Semantics::Moa)),
    ("adwin_river", || adwin(Semantics::River)),
    ("adwin_river21", || adwin(Semantics::River21)),
    ("page_hinkley", || Box::<PageHinkley>::default()),
    ("ddm", || Box::<Ddm>::default()),
    ("eddm", || Box::<Eddm>::default()),
    ("hddm_a", || Box::<HddmA>::default()),
    ("hddm_w", || Box::<HddmW>::default()),
    ("kswin", || Box::<Kswin>::default()),
    ("cusum", || Box::<Cusum>::default()),
];

fn has_values(name: &str) -> bool {
    !name.starts_with("ddm") && !name.starts_with("eddm") && !name.starts_with("hddm")
}

/// False alarms per 1,000 values without change, and the delay to the first signal after a change.
fn measure(make: Make, draw: impl Fn(&mut dyn Rng, bool) -> f64) -> String {
    let (mut alarms, mut delays) = (0_u32, Vec::new());
    for stream in 0..STREAMS {
        let mut rng = ChaCha8Rng::seed_from_u64(u64::from(stream));
        let mut detector = make();
        alarms += (0..BEFORE)
            .map(|_| u32::from(detector.push(draw(&mut rng, false)) == Signal::Change))
            .sum::<u32>();
        delays.extend((0..AFTER).find(|_| detector.push(draw(&mut rng, true)) == Signal::Change));
    }
    delays.sort_unstable();
    let rate = f64::from(alarms) * 1_000.0 / f64::from(STREAMS * BEFORE);
    let found = delays.len();
    let median = delays.get(found / 2).map_or("never".to_owned(), ToString::to_string);
    format!("{rate:.3} | {found} % | {median}")
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn average_run_lengths() {
    println!("{STREAMS} streams of {BEFORE} values without and {AFTER} after a change");
    println!("| detector | stream | false alarms per 1,000 | found | median delay |\n|---|---|---|---|---|");
    for (name, make) in FOR_ERRORS {
        for (what, from, to) in [("errors .1 to .2", 0.1, 0.2), ("errors .1 to .4", 0.1, 0.4)] {
            let told = measure(make, |rng, changed| {
                f64::from(u8::from(rng.random_bool(if changed { to } else { from })))
            });
            println!("| {name} | {what} | {told} |");
        }
        for shift in [0.5, 2.0] {
            if has_values(name) {
                let told = measure(make, |rng, changed| {
                    let x: f64 = StandardNormal.sample(rng);
                    x + if changed { shift } else { 0.0 }
                });
                println!("| {name} | normal, shift {shift} σ | {told} |");
            }
        }
    }
}

/// False alarms of all long streams together.
fn alarms(make: Make, draw: &dyn Fn(&mut dyn Rng) -> f64) -> u32 {
    let of_stream = |stream: u32| -> u32 {
        let mut rng = ChaCha8Rng::seed_from_u64(1_000 + u64::from(stream));
        let mut detector = make();
        (0..LONG).map(|_| u32::from(detector.push(draw(&mut rng)) == Signal::Change)).sum()
    };
    (0..LONG_STREAMS).map(of_stream).sum()
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn false_alarms_of_streams_that_go_on() {
    println!("{LONG_STREAMS} streams of {LONG} values without a change");
    println!("| detector | false alarms, errors .1 | false alarms, normal |\n|---|---|---|");
    for (name, make) in FOR_ERRORS {
        let of_errors = alarms(make, &|rng| f64::from(u8::from(rng.random_bool(0.1))));
        let of_values = match has_values(name) {
            true => alarms(make, &|rng| StandardNormal.sample(rng)).to_string(),
            false => "–".to_owned(),
        };
        println!("| {name} | {of_errors} | {of_values} |");
    }
}
