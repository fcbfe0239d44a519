//! Texts as runs of characters and as words, without knowing the language.
//!
//! Question: which features of texts can be compared in any language, and which of them changed?
//! Input: texts of both sides, each side in random order.
//! Formula: a text becomes its different runs of one to [`RUN_MAX`] characters, lower-cased, with blanks around and between words;
//! each run is a feature by its hash, weighted by ln((N+1)/(d+1)) with d of N texts of both sides having it, rows scaled to length 1;
//! one more feature says the length in steps of half an octave. Words are runs of letters and digits. The vocabulary is that of
//! one half of the reference; out-of-vocabulary shares are those of the other half and of the current texts. The most telling
//! runs have the largest |q-p|/√(r(1-r)(1/n+1/m)), p and q the shares of texts, r the pooled one.
//! Valid when: always; scripts without blanks have long words, so that their vocabulary says little and their runs say all.
//! Reference: Cavnar, Trenkle 1994, "N-gram-based text categorization"; Weinberger et al. 2009, doi:10.1145/1553374.1553516
//! (hashing); Spärck Jones 1972, doi:10.1108/eb026526 (the weight).
//! Oracle: none for the features; scikit-learn 1.9 `TfidfVectorizer(analyzer='char_wb', ngram_range=(1, 3))` is close.
//! Cost: linear in the characters.

use std::collections::{HashMap, HashSet};

use crate::{
    centroid::{Change, change},
    moments::Moments,
    vectors::Sparse,
};

/// Characters of a run at most.
pub const RUN_MAX: usize = 3;
/// Features that runs are hashed to. The last [`LENGTHS`] of them are lengths.
pub const WIDTH: usize = 1 << 16;
/// Steps of length: half an octave each, to 2³² characters.
const LENGTHS: usize = 64;
/// Texts that must have a run before it is shown.
const SHOWN_IN_MIN: u64 = 5;

/// Texts of both sides, the reference's first.
#[derive(Debug, Clone, Copy)]
pub struct Texts<'a> {
    /// Of the reference, in random order.
    pub a: &'a [String],
    /// Of the current sample, in random order.
    pub b: &'a [String],
}

/// A run of characters and the share of texts that have it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunChange {
    /// The characters.
    pub run: String,
    /// Share of the reference's texts.
    pub share_a: f64,
    /// Share of the current texts.
    pub share_b: f64,
}

/// What changed in the words.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vocabulary {
    /// Different words in one half of the reference.
    pub words: u64,
    /// The share of a text's words that are not among them.
    pub outside: Change,
}

/// The texts as rows of features.
#[must_use]
pub fn features(texts: Texts<'_>) -> Sparse {
    let mut rows = Sparse::new(WIDTH);
    let mut documents = vec![0_u32; WIDTH];
    let mut total = 0_u32;
    for text in texts.a.iter().chain(texts.b) {
        let clean = clean(text);
        let mut found: Vec<u32> = runs(&clean).map(bucket).collect();
        found.sort_unstable();
        found.dedup();
        found.iter().for_each(|feature| documents[*feature as usize] += 1);
        total += 1;
        let length = length_step(clean.len());
        rows.push(found.into_iter().map(|feature| (feature, 1.0)).chain([(length, 1.0)]));
    }
    let weight = |documents: &u32| (f64::from(total + 1) / f64::from(documents + 1)).ln() as f32;
    let mut weights: Vec<f32> = documents.iter().map(weight).collect();
    weights[WIDTH - LENGTHS..].fill(1.0);
    rows.scale(&weights);
    rows.normalise(WIDTH - LENGTHS);
    rows
}

/// The most telling runs of characters, the surest first.
#[must_use]
pub fn telling(texts: Texts<'_>, most: usize) -> Vec<RunChange> {
    let mut counts: HashMap<String, (u64, u64)> = HashMap::new();
    for (second, texts) in [(false, texts.a), (true, texts.b)] {
        for text in texts {
            let clean = clean(text);
            // Whole runs only: a shorter one is part of many of them.
            let found: HashSet<&[char]> = clean.windows(RUN_MAX).collect();
            for run in found {
                let count = counts.entry(run.iter().collect()).or_default();
                if second { count.1 += 1 } else { count.0 += 1 }
            }
        }
    }
    let (n, m) = (texts.a.len() as f64, texts.b.len() as f64);
    let mut changes: Vec<(f64, RunChange)> = counts
        .into_iter()
        .filter(|(_, (a, b))| a + b >= SHOWN_IN_MIN)
        .map(|(run, (a, b))| {
            let (p, q, pooled) = (a as f64 / n, b as f64 / m, (a + b) as f64 / (n + m));
            let error = (pooled * (1.0 - pooled) * (1.0 / n + 1.0 / m)).sqrt();
            (if error > 0.0 { (q - p).abs() / error } else { 0.0 }, RunChange { run, share_a: p, share_b: q })
        })
        .filter(|(sure, _)| *sure > 0.0)
        .collect();
    changes.sort_by(|x, y| y.0.total_cmp(&x.0).then_with(|| x.1.run.cmp(&y.1.run)));
    changes.into_iter().take(most).map(|(_, change)| change).collect()
}

/// How much of the words is new.
#[must_use]
pub fn vocabulary(texts: Texts<'_>) -> Vocabulary {
    let known: HashSet<String> = texts.a.iter().step_by(2).flat_map(|text| words(text)).collect();
    let outside = |texts: &mut dyn Iterator<Item = &String>| {
        let mut shares = Moments::default();
        for text in texts {
            let (mut all, mut new) = (0_u32, 0_u32);
            for word in words(text) {
                all += 1;
                new += u32::from(!known.contains(&word));
            }
            if all > 0 {
                shares.push(f64::from(new) / f64::from(all), 1);
            }
        }
        (shares.n(), shares.mean().unwrap_or(f64::NAN), shares.variance(1).unwrap_or(f64::NAN))
    };
    let reference = outside(&mut texts.a.iter().skip(1).step_by(2));
    Vocabulary { words: known.len() as u64, outside: change(reference, outside(&mut texts.b.iter())) }
}

/// Lower case, one blank for each run of blanks and control characters, and one at each end.
fn clean(text: &str) -> Vec<char> {
    let mut clean = vec![' '];
    for c in text.chars().flat_map(char::to_lowercase) {
        let c = if c.is_whitespace() || c.is_control() { ' ' } else { c };
        if c != ' ' || clean.last() != Some(&' ') {
            clean.push(c);
        }
    }
    if clean.last() != Some(&' ') {
        clean.push(' ');
    }
    clean
}

fn runs(clean: &[char]) -> impl Iterator<Item = &[char]> {
    (1..=RUN_MAX).flat_map(|size| clean.windows(size))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// FNV-1a, which is the same on every machine.
fn bucket(run: &[char]) -> u32 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for c in run {
        for byte in u32::from(*c).to_le_bytes() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash ^= hash >> 32;
    let buckets = (WIDTH - LENGTHS) as u64;
    u32::try_from(hash % buckets).expect("below the width")
}

fn length_step(characters: usize) -> u32 {
    // Twice the logarithm to base 2, rounded down: of c² in whole numbers.
    let step = (characters as u128).pow(2).max(1).ilog2().min(LENGTHS as u32 - 1);
    (WIDTH - LENGTHS) as u32 + step
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{Texts, features, telling, vocabulary};
    use crate::domain_classifier::cross_fitted;

    const PLAIN: [&str; 8] = ["wind", "north", "gate", "runway", "delay", "flight", "storm", "late"];
    const OTHER: [&str; 8] = ["wind", "north", "gate", "runway", "delay", "flight", "refund", "voucher"];

    fn texts(count: usize, words: &[&str], length: usize, rng: &mut ChaCha8Rng) -> Vec<String> {
        (0..count)
            .map(|_| {
                (0..length).map(|_| words[rng.random_range(0..words.len())]).collect::<Vec<_>>().join(" ")
            })
            .collect()
    }

    #[test]
    fn without_change_small_p_values_are_no_more_frequent_than_they_say() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let small = (0..200)
            .filter(|_| {
                let (a, b) = (texts(60, &PLAIN, 6, &mut rng), texts(40, &PLAIN, 6, &mut rng));
                cross_fitted(&features(Texts { a: &a, b: &b }), a.len()).p_value.unwrap() < 0.1
            })
            .count();
        // At most 20 are expected, with a standard error of 4.2.
        assert!(small < 34, "{small} of 200");
    }

    #[test]
    fn other_words_and_other_lengths_are_told_apart() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let a = texts(300, &PLAIN, 6, &mut rng);
        for b in [texts(300, &OTHER, 6, &mut rng), texts(300, &PLAIN, 10, &mut rng)] {
            let said = cross_fitted(&features(Texts { a: &a, b: &b }), a.len());
            assert!(said.statistic.unwrap() > 0.7 && said.p_value.unwrap() < 1e-9, "{said:?}");
        }
    }

    #[test]
    fn what_changed_is_named() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        let (a, b) = (texts(200, &PLAIN, 6, &mut rng), texts(200, &OTHER, 6, &mut rng));
        let told = telling(Texts { a: &a, b: &b }, 5);
        assert_eq!(told.len(), 5);
        for change in &told {
            let new = OTHER[6..].iter().any(|word| format!(" {word} ").contains(&change.run));
            let gone = PLAIN[6..].iter().any(|word| format!(" {word} ").contains(&change.run));
            assert!(
                (new && change.share_b > change.share_a) || (gone && change.share_a > change.share_b),
                "{change:?}"
            );
        }
        let words = vocabulary(Texts { a: &a, b: &b });
        assert_eq!((words.words, words.outside.mean_a), (8, 0.0));
        assert!((words.outside.mean_b - 0.25).abs() < 0.05, "{words:?}");
    }

    #[test]
    fn any_script_and_no_text_at_all_are_features() {
        let a = ["風が北から吹く", "", " \u{0}\t", "ΑΒΓ αβγ", "🌬️"].map(str::to_owned);
        let rows = features(Texts { a: &a, b: &[] });
        assert!(rows.row(0).len() > 10);
        // Nothing but blanks has a length and one blank.
        assert_eq!(rows.row(1).len(), 2);
        assert_eq!(rows.row(1), rows.row(2));
        assert!(telling(Texts { a: &[], b: &[] }, 5).is_empty());
        let words = vocabulary(Texts { a: &[], b: &a });
        assert_eq!((words.words, words.outside.p_value), (0, None));
    }
}
