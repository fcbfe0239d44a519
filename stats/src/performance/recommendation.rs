//! Metrics of recommendations beyond whether they are right: how new, how different, how popular what is recommended is.
//!
//! Question: does the list surprise, differ from user to user and from item to item, and reach beyond what is popular?
//! Input: one list a user, of at most k items, each by its number, none twice; how many users had to do with each item before; vectors
//! of items, not all zero. Items that nobody had to do with before are left out of novelty and popularity; so are lists that
//! have no other.
//! Formula: novelty = mean over lists of the mean -log₂(users of the item/users); popularity = mean over lists of the mean number of
//! users; coverage = known items recommended/known items; Gini = Σ(2i-n-1)·x₍ᵢ₎/((n-1)·Σx) of how often each of the n items is
//! recommended, ascending; personalisation = 1 - mean over pairs of lists of items in common/k; diversity = mean over lists of the
//! mean cosine distance of two items; serendipity = mean over lists of the mean cosine distance of their relevant items from the items that
//! the user knows.
//! Valid when: there are users, and of Gini two items, of personalisation two lists, of diversity a list of two items; else `None`.
//! Reference: Castells, Hurley, Vargas 2015, doi:10.1007/978-1-4899-7637-6_26; Zhou et al. 2010, doi:10.1073/pnas.1000488107 (overlap of lists).
//! Oracle: Evidently's published examples (field case C31).
//! Cost: novelty, popularity, coverage linear in what is recommended; personalisation and diversity quadratic in lists and in k.
//!
//! These are kernels for who calls this crate: no command has what users knew, nor vectors of items.

use std::collections::BTreeSet;

/// How many users had to do with each item before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// All users.
    pub users: u64,
    /// Users of each item, by its number; 0 where nobody had to do with it.
    pub of_item: Vec<u64>,
}

impl Known {
    fn of(&self, item: usize) -> Option<f64> {
        self.of_item.get(item).filter(|users| **users > 0).map(|users| *users as f64)
    }
}

/// How surprising the items are by themselves, in bits.
#[must_use]
pub fn novelty(lists: &[Vec<usize>], known: &Known) -> Option<f64> {
    let users = known.users as f64;
    mean(lists.iter().filter_map(|list| {
        mean(list.iter().filter_map(|item| known.of(*item)).map(|of_item| (users / of_item).log2()))
    }))
}

/// How many users had to do with the items before.
#[must_use]
pub fn popularity(lists: &[Vec<usize>], known: &Known) -> Option<f64> {
    mean(lists.iter().filter_map(|list| mean(list.iter().filter_map(|item| known.of(*item)))))
}

/// The share of the known items that is recommended to anybody.
#[must_use]
pub fn coverage(lists: &[Vec<usize>], known: &Known) -> Option<f64> {
    let recommended: BTreeSet<usize> =
        lists.iter().flatten().copied().filter(|item| known.of(*item).is_some()).collect();
    let all = known.of_item.iter().filter(|users| **users > 0).count();
    (all > 0).then(|| recommended.len() as f64 / all as f64)
}

/// How unequally often items are recommended: 0 where all are equally often, 1 where one is always.
#[must_use]
pub fn gini(lists: &[Vec<usize>]) -> Option<f64> {
    let mut items: Vec<usize> = lists.iter().flatten().copied().collect();
    items.sort_unstable();
    let mut times: Vec<f64> = items.chunk_by(|a, b| a == b).map(|same| same.len() as f64).collect();
    times.sort_by(f64::total_cmp);
    let n = times.len() as f64;
    let weighted: f64 = times.iter().zip(1_u32..).map(|(x, i)| (2.0 * f64::from(i) - n - 1.0) * x).sum();
    (times.len() > 1).then(|| weighted / ((n - 1.0) * times.iter().sum::<f64>()))
}

/// How different the lists of two users are; `k` is how long lists may be.
#[must_use]
pub fn personalisation(lists: &[Vec<usize>], k: usize) -> Option<f64> {
    let sets: Vec<BTreeSet<usize>> = lists.iter().map(|list| list.iter().copied().collect()).collect();
    let common = pairs(&sets).map(|(a, b)| a.intersection(b).count() as f64 / k.max(1) as f64);
    mean(common).map(|common| 1.0 - common)
}

/// How different two items of a list are; `vectors` has that of each item, by its number.
#[must_use]
pub fn diversity(lists: &[Vec<usize>], vectors: &[Vec<f64>]) -> Option<f64> {
    mean(lists.iter().filter_map(|list| {
        mean(pairs(list).filter_map(|(a, b)| cosine_distance(vectors.get(*a)?, vectors.get(*b)?)))
    }))
}

/// What was relevant of a user's list, and what the user knew.
#[derive(Debug, Clone, Copy)]
pub struct Served<'a> {
    /// The relevant items of the list.
    pub relevant: &'a [usize],
    /// The items that the user had to do with before.
    pub before: &'a [usize],
}

/// How far what was relevant is from what the user knew; lists with nothing relevant are left out.
#[must_use]
pub fn serendipity(lists: &[Served<'_>], vectors: &[Vec<f64>]) -> Option<f64> {
    mean(lists.iter().filter_map(|served| {
        mean(served.relevant.iter().filter_map(|item| {
            let from = |other: &usize| cosine_distance(vectors.get(*item)?, vectors.get(*other)?);
            mean(served.before.iter().filter_map(from))
        }))
    }))
}

/// Every two of them once.
fn pairs<T>(all: &[T]) -> impl Iterator<Item = (&T, &T)> {
    all.iter().enumerate().flat_map(move |(i, a)| all[i + 1..].iter().map(move |b| (a, b)))
}

/// 1 - cosine of the angle; `None` where a vector is zero or they differ in length.
fn cosine_distance(a: &[f64], b: &[f64]) -> Option<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    (a.len() == b.len() && lengths > 0.0).then(|| 1.0 - dot(a, b) / lengths)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (mut n, mut sum) = (0_u64, 0.0);
    for value in values {
        n += 1;
        sum += value;
    }
    (n > 0).then(|| sum / n as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, found: Option<f64>, expected: f64) {
        let found = found.unwrap_or_else(|| panic!("{name} is not defined"));
        assert!((found - expected).abs() < 1e-9, "{name}: {found} instead of {expected}");
    }

    /// Two users' first item is known to all of them, the second one to one; a third item is new.
    fn three_users() -> (Vec<Vec<usize>>, Known) {
        (vec![vec![3], vec![2, 3], vec![1, 2]], Known { users: 3, of_item: vec![0, 3, 1, 0] })
    }

    // Field case C31; Evidently, tests/metrics/recsys/test_novelty.py (printed to six digits; log₂3·3/4 in full) and
    // test_popularity_bias.py.
    #[test]
    fn c31_novelty_and_popularity() {
        let (lists, known) = three_users();
        check("novelty", novelty(&lists, &known), 0.75 * 3_f64.log2());
        assert!((novelty(&lists, &known).unwrap() - 1.188_722).abs() < 1e-6);
        check("popularity", popularity(&lists, &known), 1.5);
        check("coverage", coverage(&lists, &known), 1.0);
        check("gini", gini(&lists), 0.2);
    }

    // Field case C31; Evidently, tests/metrics/recsys/test_personalisation.py.
    #[test]
    fn c31_personalisation() {
        let lists = [vec![1, 2, 3, 4], vec![1, 2, 3, 4], vec![1, 3, 2, 5]];
        check("personalisation", personalisation(&lists, 4), 1.0 / 6.0);
    }

    /// Items 0 to 5, and two that users knew.
    fn vectors() -> Vec<Vec<f64>> {
        let known = [[-1.0, 0.0], [1.0, 0.2]];
        let items = [[1.0, 0.0], [1.0, 0.1], [1.0, 1.0], [-0.1, 0.9], [1.0, 0.9], [-1.0, -1.0]];
        items.iter().chain(&known).map(|vector| vector.to_vec()).collect()
    }

    // Field case C31; Evidently, tests/metrics/recsys/test_diversity.py, which divides the sum over pairs by the items of a list
    // instead of by its pairs: of four items (4 - 1)/2 times as much.
    #[test]
    fn c31_diversity() {
        let lists = [vec![0, 1, 2, 3], vec![0, 1, 2, 3], vec![0, 4, 3, 5]];
        check("diversity", diversity(&lists, &vectors()).map(|mean| 1.5 * mean), 1.096_334_507_490_686_3);
    }

    // Field case C31; Evidently, tests/metrics/recsys/test_serendipity.py: the third user found nothing relevant.
    #[test]
    fn c31_serendipity() {
        let lists = [
            Served { relevant: &[2], before: &[6] },
            Served { relevant: &[0], before: &[7] },
            Served { relevant: &[], before: &[2] },
        ];
        check("serendipity", serendipity(&lists, &vectors()), 0.863_263_052_747_813_7);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        let (none, known) = (Vec::new(), Known { users: 0, of_item: vec![0, 0] });
        assert_eq!(
            (novelty(&none, &known), popularity(&none, &known), coverage(&none, &known)),
            (None, None, None)
        );
        assert_eq!((gini(&none), personalisation(&none, 3), diversity(&none, &[])), (None, None, None));
        assert_eq!(novelty(&[vec![0, 7]], &known), None, "nobody knew any of them");
        assert_eq!((gini(&[vec![1, 1]]), personalisation(&[vec![1]], 1)), (None, None));
        let same = [vec![0.0, 0.0], vec![1.0, 2.0], vec![2.0, 4.0]];
        assert_eq!(diversity(&[vec![0, 1]], &same), None, "a vector of zeros has no direction");
        check("the same direction", diversity(&[vec![1, 2]], &same), 0.0);
        assert_eq!(serendipity(&[], &same), None);
    }

    #[test]
    fn what_all_get_alike_is_neither_personal_nor_unequal() {
        let lists = [vec![1, 2], vec![2, 1]];
        assert_eq!((personalisation(&lists, 2), gini(&lists)), (Some(0.0), Some(0.0)));
        assert_eq!(gini(&[vec![1, 2, 3], vec![1], vec![1]]).map(|g| (g * 1e9).round()), Some(4e8));
    }
}
