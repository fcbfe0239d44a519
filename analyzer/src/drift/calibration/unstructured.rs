//! The same questions for embeddings and texts: false alarms without change, and changes that are found.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal, StudentT};
use windvane_stats::{ngrams, vectors::Vectors};
use windvane_types::drift::Kind;

use super::{bound, rows, share_of_runs};
use crate::drift::{
    Method, Part,
    measure::{Embeddings, MeasuredColumn, Rows, Texts},
};

/// What a column's vectors or texts are like.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Law {
    /// Independent normal components.
    Normal { width: usize, shift: f64, scale: f64 },
    /// Components that share one factor, as those of real embeddings do.
    Correlated { width: usize, shift: f64 },
    /// Student's t with three degrees of freedom.
    HeavyTails { width: usize },
    /// Points of length 1 around five centres, and a share of them around a sixth.
    Clusters { width: usize, new: f64 },
    /// The same two vectors over and over.
    Repeated,
    /// Words with shares as 1/rank, and a share of them from another list.
    Words { length: usize, new: f64 },
    /// Short codes.
    Codes,
}

const UNCHANGED: [Law; 8] = [
    Law::Normal { width: 8, shift: 0.0, scale: 1.0 },
    Law::Words { length: 8, new: 0.0 },
    Law::Correlated { width: 32, shift: 0.0 },
    Law::Clusters { width: 16, new: 0.0 },
    Law::Codes,
    Law::HeavyTails { width: 4 },
    Law::Words { length: 40, new: 0.0 },
    Law::Repeated,
];

impl Law {
    fn kind(self) -> Kind {
        match self {
            Self::Words { .. } | Self::Codes => Kind::Text,
            _ => Kind::Embedding,
        }
    }

    fn vector(self, rng: &mut ChaCha8Rng) -> Vec<f32> {
        let normal = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
        let components: Vec<f64> = match self {
            Self::Normal { width, shift, scale } => (0..width).map(|_| shift + scale * normal(rng)).collect(),
            Self::Correlated { width, shift } => {
                let factor = normal(rng);
                (0..width).map(|_| shift + 0.8 * factor + 0.6 * normal(rng)).collect()
            }
            Self::HeavyTails { width } => {
                (0..width).map(|_| StudentT::new(3.0).unwrap().sample(rng)).collect()
            }
            Self::Clusters { width, new } => {
                let centre = if rng.random::<f64>() < new { 5 } else { rng.random_range(0..5) };
                let row: Vec<f64> =
                    (0..width).map(|i| f64::from(u8::from(i % 6 == centre)) + 0.1 * normal(rng)).collect();
                let norm = row.iter().map(|x| x * x).sum::<f64>().sqrt();
                row.into_iter().map(|x| x / norm).collect()
            }
            Self::Repeated => vec![f64::from(u8::from(rng.random::<f64>() < 0.3)), 1.0],
            Self::Words { .. } | Self::Codes => Vec::new(),
        };
        components.into_iter().map(|x| x as f32).collect()
    }

    #[expect(clippy::cast_sign_loss, reason = "a rank is not below 1")]
    fn text(self, rng: &mut ChaCha8Rng) -> String {
        let Self::Words { length, new } = self else {
            return format!("{:04x}", rng.random_range(0..4096_u32));
        };
        let words = rng.random_range(length / 2..=length);
        let word = |rng: &mut ChaCha8Rng| {
            let rank = 500_f64.powf(rng.random::<f64>()).floor();
            let other = if rng.random::<f64>() < new { "zq" } else { "" };
            // A word that has nothing to do with its neighbours in rank.
            format!("{other}{:x}", (rank as u32).wrapping_mul(2_654_435_769) % 1_048_573)
        };
        (0..words).map(|_| word(rng)).collect::<Vec<_>>().join(" ")
    }
}

fn measured([reference, current]: [Law; 2], sizes: [usize; 2], rng: &mut ChaCha8Rng) -> MeasuredColumn {
    let values = Rows { reference: sizes[0] as u64, current: sizes[1] as u64 };
    let missing = Rows::default();
    let kind = reference.kind();
    let methods = if kind == Kind::Text {
        let [a, b] = [(reference, sizes[0]), (current, sizes[1])]
            .map(|(law, size)| (0..size).map(|_| law.text(rng)).collect::<Vec<String>>());
        let texts = Texts { sample: ngrams::Texts { a: &a, b: &b }, values, missing };
        Method::defaults(kind).iter().map(|method| texts.measure(*method)).collect()
    } else {
        let [a, b] = [(reference, sizes[0]), (current, sizes[1])].map(|(law, size)| {
            let mut vectors = Vectors::new(law.vector(rng).len());
            (0..size).for_each(|_| assert!(vectors.push(&law.vector(rng))));
            vectors
        });
        let embeddings = Embeddings { sample: [&a, &b], values, missing, seed: rng.random() };
        Method::defaults(kind).iter().map(|method| embeddings.measure(*method)).collect()
    };
    MeasuredColumn {
        name: String::new(),
        kind,
        values,
        missing,
        methods,
        location: None,
        ks_error: None,
        largest_change: None,
        embedding: None,
        text: None,
        distribution: None,
    }
}

fn share_of_drift(columns: &[[Law; 2]], sizes: [usize; 2], runs: u32, seed: u64) -> f64 {
    share_of_runs(runs, seed, |rng| {
        let columns = columns.iter().map(|laws| measured(*laws, sizes, rng)).collect();
        vec![Part { rows: rows(sizes), columns }]
    })
}

fn unchanged(columns: usize) -> Vec<[Law; 2]> {
    UNCHANGED.iter().cycle().take(columns).map(|law| [*law, *law]).collect()
}

/// What should be found at 1,000 rows against 1,000, nine times in ten.
const CHANGES: [(&str, [Law; 2]); 6] = [
    (
        "8 dimensions shifted by 0.3 standard deviations",
        [UNCHANGED[0], Law::Normal { width: 8, shift: 0.3, scale: 1.0 }],
    ),
    ("spread of 8 dimensions up by 0.3", [UNCHANGED[0], Law::Normal { width: 8, shift: 0.0, scale: 1.3 }]),
    ("32 correlated dimensions shifted by 0.3", [UNCHANGED[2], Law::Correlated { width: 32, shift: 0.3 }]),
    ("15 % of points in a new cluster", [UNCHANGED[3], Law::Clusters { width: 16, new: 0.15 }]),
    ("5 % of words from another list", [UNCHANGED[1], Law::Words { length: 8, new: 0.05 }]),
    ("texts a third longer", [UNCHANGED[1], Law::Words { length: 11, new: 0.0 }]),
];

#[test]
fn unchanged_vectors_and_texts_seldom_drift() {
    for (sizes, runs) in [([30, 30], 40), ([200, 60], 30)] {
        let share = share_of_drift(&unchanged(8), sizes, runs, 21);
        assert!(share <= bound(runs), "{sizes:?}: {share}");
    }
}

#[test]
fn changed_vectors_and_texts_are_found() {
    for (name, laws) in CHANGES {
        let share = share_of_drift(&[laws], [1000, 1000], 5, 22);
        assert!(share >= 0.9, "{name}: found in {share} of runs");
    }
}

#[test]
#[ignore = "takes minutes: `make calibrate` runs it"]
fn table_of_vectors_and_texts() {
    let mut failures = Vec::new();
    println!(
        "no change, embeddings and texts: share of runs that say drift\nreference,current,columns,runs,share,bound"
    );
    for (sizes, runs) in
        [([30, 30], [1000, 200]), ([100, 100], [500, 100]), ([1000, 30], [200, 40]), ([1000, 1000], [60, 12])]
    {
        for (columns, runs) in [8, 40].into_iter().zip(runs) {
            let share = share_of_drift(&unchanged(columns), sizes, runs, 300 + columns as u64);
            println!("{},{},{columns},{runs},{share:.4},{:.4}", sizes[0], sizes[1], bound(runs));
            if share > bound(runs) {
                failures.push(format!("{sizes:?} {columns}: {share}"));
            }
        }
    }
    println!(
        "\nchange in one column, 1,000 rows against 1,000: share of runs that find it\nchange,columns,runs,share"
    );
    for (name, laws) in CHANGES {
        for (others, runs) in [(0, 40), (7, 20)] {
            let mut columns = unchanged(others);
            columns.push(laws);
            let share = share_of_drift(&columns, [1000, 1000], runs, 400 + others as u64);
            println!("{name},{},{runs},{share:.3}", others + 1);
            if share < 0.9 {
                failures.push(format!("{name} with {others} others: {share}"));
            }
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}
