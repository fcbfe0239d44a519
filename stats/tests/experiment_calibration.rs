//! How often the statistics of experiments are wrong: false alarms without a difference, intervals that miss the true one. So are those of
//! an area under a ROC curve.
//!
//! `make calibrate` runs it and prints a table. A cell holds where its share of errors is at most alpha + 2 standard errors; the
//! cells called naive are there to show what goes wrong without the method beside them, and must not hold.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "helpers of a test whose output is the table")]

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, LogNormal, Normal, StandardNormal, Uniform};
use windvane_stats::experiment::{
    clustered::clustered_means,
    cuped::{Laws, adjusted, adjusted_ratio},
    effect::{Alternative, Contrast, Estimate, Level},
    group_sequential::{Look, Schedule, Spending, boundaries},
    hypothesis::Mode,
    mean::welch,
    mixture::NormalMixture,
    post_stratified::{Stratum, post_stratified},
    proportion::{Proportion, proportions},
    quantile::{QuantileArm, quantiles},
    quantile_sequence::{Passed, QuantilePlan, Step, quantile_p_value},
    ratio::ratios,
    sequence::confidence_sequence,
    srm::{Assigned, srm},
    sums::{Joint, PairSums, RatioSums, Sums},
};
use windvane_stats::paired::delong::{self, Scores};

const ALPHA: f64 = 0.05;
const BOTH: Level = Level { alpha: ALPHA, alternative: Alternative::TwoSided };
const RUNS: u32 = 4_000;
/// Runs of cells that look a hundred times and more.
const PEEKING_RUNS: u32 = 1_000;
/// Units an arm between two looks, and how many looks.
const STEP: u64 = 25;
const LOOKS: u64 = 200;

type Rng = ChaCha8Rng;

struct Table {
    failures: Vec<String>,
}

impl Table {
    /// Runs one cell; `wrong` says whether a run erred.
    fn cell(&mut self, name: &str, runs: u32, mut wrong: impl FnMut(&mut Rng) -> bool) {
        let mut rng =
            Rng::seed_from_u64(name.bytes().fold(7, |seed, byte| seed * 31 % 1_000_003 + u64::from(byte)));
        let errors = (0..runs).filter(|_| wrong(&mut rng)).count();
        let share = errors as f64 / f64::from(runs);
        let bound = ALPHA + 2.0 * (ALPHA * (1.0 - ALPHA) / f64::from(runs)).sqrt();
        let holds = share <= bound;
        println!("{name},{runs},{errors},{share:.4},{bound:.4},{holds}");
        if holds == name.contains("naive") {
            self.failures.push(format!("{name}: {share}"));
        }
    }

    fn contrast(&mut self, name: &str, truth: (f64, f64), draw: impl Fn(&mut Rng) -> Contrast) {
        let misses = |estimate: Option<Estimate>, df, truth: f64| {
            estimate.unwrap().test(df, BOTH).ci.is_none_or(|ci| !ci.contains(truth))
        };
        self.cell(&format!("{name} absolute"), RUNS, |rng| {
            let contrast = draw(rng);
            misses(contrast.absolute, contrast.df, truth.0)
        });
        self.cell(&format!("{name} relative"), RUNS, |rng| {
            let contrast = draw(rng);
            misses(contrast.relative, contrast.df, truth.1)
        });
    }
}

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn uniform(rng: &mut Rng) -> f64 {
    Uniform::new(0.0, 1.0).unwrap().sample(rng)
}

fn filled<const K: usize>(n: u32, mut unit: impl FnMut() -> [f64; K]) -> Joint<K> {
    let mut sums = Joint::default();
    (0..n).for_each(|_| sums.push(unit()));
    sums
}

/// A user's rows: their number and their values, which have the user's own level in common.
fn user(rng: &mut Rng, scale: f64) -> Vec<f64> {
    let level = Normal::new(0.0, 0.7).unwrap().sample(rng);
    let rows = 1 + (uniform(rng) * 20.0).floor() as i32;
    (0..rows).map(|_| scale * LogNormal::new(level, 0.5).unwrap().sample(rng)).collect()
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn table() {
    println!("cell,runs,errors,share,bound,holds");
    let mut table = Table { failures: Vec::new() };
    fixed_horizon(&mut table);
    adjustments(&mut table);
    clusters(&mut table);
    peeking(&mut table);
    peeking_early(&mut table);
    peeking_elsewhere(&mut table);
    other_peeking(&mut table);
    areas(&mut table);
    assert!(table.failures.is_empty(), "{}", table.failures.join("\n"));
}

fn fixed_horizon(table: &mut Table) {
    // Both arms log-normal, the arm ten per cent higher: the mean is exp(1/8).
    let mean = 0.125_f64.exp();
    table.contrast("welch", (0.1 * mean, 0.1), |rng| {
        let law = LogNormal::new(0.0, 0.5).unwrap();
        let arm = |rng: &mut Rng, scale: f64| filled(400, || [scale * law.sample(rng)]);
        welch(&arm(rng, 1.0), &arm(rng, 1.1))
    });
    table.contrast("proportion", (0.02, 0.1), |rng| {
        let arm = |rng: &mut Rng, p: f64| {
            Proportion::of(1000, f64::from((0..1000).map(|_| u32::from(uniform(rng) < p)).sum::<u32>()))
                .unwrap()
        };
        proportions(&arm(rng, 0.2), &arm(rng, 0.22))
    });
    table.contrast("ratio", (0.03, 0.1), |rng| {
        let arm = |rng: &mut Rng, rate: f64| {
            filled(500, || {
                let views = 1.0 + (uniform(rng) * 12.0).floor();
                [rate * views + 0.2 * views.sqrt() * normal(rng), views]
            })
        };
        ratios(&arm(rng, 0.3), &arm(rng, 0.33))
    });
    table.contrast("cuped", (0.5, 0.1), |rng| {
        let arm = |rng: &mut Rng, shift: f64| {
            filled(300, || {
                let before = normal(rng);
                [5.0 + shift + 1.5 * before + normal(rng), before]
            })
        };
        adjusted(&arm(rng, 0.0), &arm(rng, 0.5), Laws::default()).contrast
    });
}

/// Adjusted estimates beside `cuped`: of a ratio, and within strata.
fn adjustments(table: &mut Table) {
    table.contrast("cuped of a ratio", (0.03, 0.1), |rng| {
        let arm = |rng: &mut Rng, rate: f64| -> RatioSums {
            filled(500, || {
                let (level, mut both) = (normal(rng), [0.0; 4]);
                for (at, rate) in [(0, rate), (2, 0.3)] {
                    let views = 1.0 + (uniform(rng) * 12.0).floor();
                    let noise = 0.1 * views * level + 0.2 * views.sqrt() * normal(rng);
                    (both[at], both[at + 1]) = (rate * views + noise, views);
                }
                both
            })
        };
        adjusted_ratio(&arm(rng, 0.3), &arm(rng, 0.33)).contrast
    });
    table.contrast("post-stratified", (0.65, 0.1), |rng| {
        let mut strata = [Stratum::default(); 4];
        for _ in 0..400 {
            for (shift, of_arm) in [(0.0, false), (0.65, true)] {
                let place = uniform(rng);
                let at = [0.25, 0.5, 0.75].into_iter().filter(|end| place >= *end).count();
                let value = 5.0 + shift + at as f64 + normal(rng);
                let stratum = &mut strata[at];
                if of_arm { stratum.arm.push([value]) } else { stratum.control.push([value]) }
            }
        }
        post_stratified(&strata).contrast
    });
}

fn clusters(table: &mut Table) {
    let users = |rng: &mut Rng| -> Vec<Vec<f64>> { (0..200).map(|_| user(rng, 1.0)).collect() };
    table.cell("rows as if independent (naive)", RUNS, |rng| {
        rejects(welch(&all_rows(&users(rng)), &all_rows(&users(rng))))
    });
    table.cell("rows clustered by user", RUNS, |rng| {
        let side = |users: Vec<Vec<f64>>| {
            let mut sums = PairSums::default();
            users.iter().for_each(|rows| sums.push([rows.iter().sum(), rows.len() as f64]));
            sums
        };
        rejects(clustered_means(&side(users(rng)), &side(users(rng))))
    });
    for q in [0.5, 0.9] {
        let single = |users: &[Vec<f64>]| {
            let rows: Vec<f64> = users.concat();
            QuantileArm::of_units(rows.chunks(1), q).unwrap()
        };
        let by_user = |users: &[Vec<f64>]| QuantileArm::of_units(users.iter().map(Vec::as_slice), q).unwrap();
        table.cell(&format!("quantile {q} as if independent (naive)"), RUNS / 4, |rng| {
            rejects(quantiles(Some(&single(&users(rng))), Some(&single(&users(rng)))))
        });
        table.cell(&format!("quantile {q} clustered by user"), RUNS / 4, |rng| {
            rejects(quantiles(Some(&by_user(&users(rng))), Some(&by_user(&users(rng)))))
        });
    }
}

fn all_rows(users: &[Vec<f64>]) -> Sums {
    let mut sums = Sums::default();
    users.iter().flatten().for_each(|row| sums.push([*row]));
    sums
}

fn rejects(contrast: Contrast) -> bool {
    contrast.absolute(BOTH).unwrap().p_value.is_some_and(|p| p < ALPHA)
}

/// Looks every [`STEP`] units an arm; whether any look found a difference where there is none.
fn any_look(rng: &mut Rng, mut found: impl FnMut(&Contrast) -> bool) -> bool {
    let law = LogNormal::new(0.0, 0.7).unwrap();
    let (mut control, mut arm) = (Sums::default(), Sums::default());
    (1..=LOOKS).any(|look| {
        (0..STEP).for_each(|_| {
            control.push([law.sample(rng)]);
            arm.push([law.sample(rng)]);
        });
        // The first look has a hundred units an arm.
        look >= 4 && found(&welch(&control, &arm))
    })
}

fn peeking(table: &mut Table) {
    table
        .cell("welch at 197 looks (naive)", PEEKING_RUNS, |rng| any_look(rng, |contrast| rejects(*contrast)));
    for (word, alternative) in [("two-sided", Alternative::TwoSided), ("one-sided", Alternative::Greater)] {
        let level = Level { alpha: ALPHA, alternative };
        table.cell(&format!("confidence sequence {word} at 197 looks"), PEEKING_RUNS, |rng| {
            any_look(rng, |contrast| {
                let look = confidence_sequence(contrast.absolute.unwrap(), contrast.n_total(), 5000.0, level);
                look.p_value.is_some_and(|p| p < ALPHA)
            })
        });
        let mixture = NormalMixture::best_at(0.03, level);
        table.cell(&format!("normal mixture {word} at 197 looks"), PEEKING_RUNS, |rng| {
            any_look(rng, |contrast| {
                mixture.test(contrast.beyond(0.0).unwrap(), level).p_value.is_some_and(|p| p < ALPHA)
            })
        });
    }
}

/// Looks at each unit from the second on, where an error is small by chance, by a sequence that weighs early looks most.
fn peeking_early(table: &mut Table) {
    for (name, student) in
        [("sequence from two units on", true), ("sequence from two units on by normal tails (naive)", false)]
    {
        table.cell(name, PEEKING_RUNS, |rng| {
            let (mut control, mut arm) = (Sums::default(), Sums::default());
            (1..=250).any(|n| {
                control.push([normal(rng)]);
                arm.push([normal(rng)]);
                let contrast = welch(&control, &arm);
                let mode = Mode::Sequence { n_total: contrast.n_total(), tuning: 20.0 };
                let df = contrast.df.filter(|_| student);
                n > 1
                    && mode.test_with(contrast.absolute.unwrap(), df, BOTH).p_value.is_some_and(|p| p < ALPHA)
            })
        });
    }
}

/// The same looks at other metrics and by the test of a fixed prior.
fn peeking_elsewhere(table: &mut Table) {
    let prior = NormalMixture::of_variance(0.05 * 0.05);
    table.cell("msprt two-sided at 197 looks", PEEKING_RUNS, |rng| {
        any_look(rng, |contrast| {
            prior.test(contrast.beyond(0.0).unwrap(), BOTH).p_value.is_some_and(|p| p < ALPHA)
        })
    });
    let sequence = |contrast: &Contrast| found_at(contrast.absolute, contrast, BOTH);
    table.cell("confidence sequence of a ratio at 197 looks", PEEKING_RUNS, |rng| {
        let (mut control, mut arm) = (PairSums::default(), PairSums::default());
        (1..=LOOKS).any(|look| {
            for side in [&mut control, &mut arm] {
                for _ in 0..STEP {
                    let views = 1.0 + (uniform(rng) * 12.0).floor();
                    side.push([0.3 * views + 0.2 * views.sqrt() * normal(rng), views]);
                }
            }
            look >= 4 && sequence(&ratios(&control, &arm))
        })
    });
    table.cell("confidence sequence of a share at 197 looks", PEEKING_RUNS, |rng| {
        any_look_at_shares(rng, [0.2, 0.2], sequence)
    });
    table.cell("confidence sequence of a rare share at 197 looks", PEEKING_RUNS, |rng| {
        any_look_at_shares(rng, [0.02, 0.02], sequence)
    });
    table.cell("relative difference of a rare share at 197 looks (naive)", PEEKING_RUNS, |rng| {
        any_look_at_shares(rng, [0.02, 0.02], |contrast| found_at(contrast.relative, contrast, BOTH))
    });
    // The arm has 30 % more errors, and is not to be found to have fewer than that.
    let less = Level { alpha: ALPHA, alternative: Alternative::Less };
    table.cell("margin of a rare share at 197 looks", PEEKING_RUNS, |rng| {
        any_look_at_shares(rng, [0.02, 0.026], |contrast| found_at(contrast.beyond(0.3), contrast, less))
    });
}

/// Whether the confidence sequence of an estimate finds a difference; it finds none where there is no standard error.
fn found_at(estimate: Option<Estimate>, contrast: &Contrast, level: Level) -> bool {
    let look = |estimate| confidence_sequence(estimate, contrast.n_total(), 5000.0, level);
    estimate.and_then(|estimate| look(estimate).p_value).is_some_and(|p| p < ALPHA)
}

/// Looks at two shares as [`any_look`] does at means: that of the control, then that of the arm.
fn any_look_at_shares(rng: &mut Rng, shares: [f64; 2], found: impl Fn(&Contrast) -> bool) -> bool {
    let mut ones = [0_u32; 2];
    (1..=LOOKS).any(|look| {
        for (ones, share) in ones.iter_mut().zip(shares) {
            *ones += (0..STEP).map(|_| u32::from(uniform(rng) < share)).sum::<u32>();
        }
        let [control, arm] = ones.map(|ones| Proportion::of(look * STEP, f64::from(ones)).unwrap());
        look >= 4 && found(&proportions(&control, &arm))
    })
}

fn other_peeking(table: &mut Table) {
    let deal = |rng: &mut Rng, test: fn(&[Assigned]) -> Option<f64>| {
        let mut counts = [0_u64; 3];
        (0..400).any(|_| {
            (0..25).for_each(|_| {
                let share = uniform(rng);
                counts[usize::from(share >= 0.25) + usize::from(share >= 0.5)] += 1;
            });
            let arms = [(0, 0.25), (1, 0.25), (2, 0.5)].map(|(i, weight)| Assigned { n: counts[i], weight });
            test(&arms).is_some_and(|p| p < ALPHA)
        })
    };
    table.cell("sample ratio by chi-square at 400 looks (naive)", PEEKING_RUNS, |rng| {
        deal(rng, |arms| srm(arms).unwrap().p_value)
    });
    table.cell("sample ratio sequential at 400 looks", PEEKING_RUNS, |rng| {
        deal(rng, |arms| srm(arms).unwrap().sequential_p_value)
    });
    for (word, spending) in [
        ("O'Brien-Fleming", Spending::ObrienFleming),
        ("Pocock", Spending::Pocock),
        ("power 2", Spending::Power { rho: 2.0 }),
    ] {
        let information: Vec<f64> = (1..=10).map(|k| f64::from(k) * 20.0 * STEP as f64).collect();
        let plan = Schedule { planned: information[9], spending, level: BOTH };
        let looks: Vec<Look> = boundaries(&information, &plan).unwrap();
        table.cell(&format!("group sequential {word} at 10 looks"), RUNS, |rng| {
            let mut next = looks.iter();
            any_look(rng, |contrast| {
                contrast.n.is_multiple_of(20 * STEP)
                    && next.next().unwrap().crossed(contrast.absolute.unwrap(), Alternative::TwoSided)
            })
        });
    }
    table.cell("p90 sequence at 20 looks", PEEKING_RUNS / 2, |rng| {
        let (mut control, mut arm) = (Vec::new(), Vec::new());
        (0..20).any(|_| {
            (0..50).for_each(|_| {
                control.push(normal(rng));
                arm.push(normal(rng));
            });
            p90(&mut control, &mut arm) < ALPHA
        })
    });
}

fn p90(control: &mut [f64], arm: &mut [f64]) -> f64 {
    control.sort_by(f64::total_cmp);
    arm.sort_by(f64::total_cmp);
    let passed = |rows: &[f64], x: f64| Passed {
        below: rows.partition_point(|row| *row < x) as u64,
        upto: rows.partition_point(|row| *row <= x) as u64,
    };
    let mut values: Vec<f64> = control.iter().chain(arm.iter()).copied().collect();
    values.sort_by(f64::total_cmp);
    let steps: Vec<Step> =
        values.iter().map(|x| Step { control: passed(control, *x), arm: passed(arm, *x) }).collect();
    let n = control.len() as u64;
    let plan = QuantilePlan { q: 0.9, n_control: n, n: arm.len() as u64, tuning: 500.0, level: BOTH };
    quantile_p_value(&steps, &plan).unwrap()
}

/// Normal scores, and exponential ones, whose few great values are those of positives, at areas of .8, .95 and .99.
fn areas(table: &mut Table) {
    let exponential = |rng: &mut Rng, mean: f64| -mean * (1.0 - uniform(rng)).ln();
    // √2 times the normal quantile of the area.
    for (area, apart) in [(0.8, 1.190_232_188), (0.95, 2.326_174_307), (0.99, 3.289_952_714)] {
        for (m, n) in [(20, 2_000), (30, 300), (200, 200)] {
            table.cell(&format!("area {area} of {m} and {n} normal scores"), RUNS, |rng| {
                let positives: Vec<f64> = (0..m).map(|_| normal(rng) + apart).collect();
                let negatives: Vec<f64> = (0..n).map(|_| normal(rng)).collect();
                misses_area((&positives, &negatives), area)
            });
            table.cell(&format!("area {area} of {m} and {n} exponential scores"), RUNS, |rng| {
                let positives: Vec<f64> = (0..m).map(|_| exponential(rng, area / (1.0 - area))).collect();
                let negatives: Vec<f64> = (0..n).map(|_| exponential(rng, 1.0)).collect();
                misses_area((&positives, &negatives), area)
            });
        }
    }
}

fn misses_area((positives, negatives): (&[f64], &[f64]), area: f64) -> bool {
    let found = delong::auc(Scores { positives, negatives }, 1.0 - ALPHA).unwrap();
    found.ci.is_none_or(|ci| !ci.contains(area))
}
