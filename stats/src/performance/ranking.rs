//! Metrics of rankings: what a person finds among the first k.
//!
//! Question: are the relevant items of a group ranked first?
//! Input: one group at a time, its items with score and relevance; relevance 0 or less is none. Groups without a relevant item
//! are counted and left out, unless they are to count as 0.
//! Formula: NDCG@k = DCG/ideal DCG, gains relevance, discounts 1/log₂(1 + rank), tied scores sharing their discounts;
//! AP@k = Σ precision at each relevant item of the first k, over min(relevant, k); MRR 1/rank of the first relevant item within k;
//! hit rate whether there is one; precision relevant/k; recall relevant/all relevant. For all but NDCG, of tied items the less
//! relevant come first, so that a constant score does not look good.
//! Intervals: of the hit rate, a share of groups, Wilson's. Of the others the farther ends of Student's over groups and of Wilson's by Student's t
//! of as many groups as the variance s² over n groups tells, n/v with v = s²/(m(1 - m)): near an end means scatter to the side away from it. v is
//! no less than (e·v + 1/3)/(e + 1), e = n·min(m, 1 - m), as of an area under the ROC curve: of a few groups that are not all right it is mostly
//! too small. Of 1 or 0 it would be that point: there (α/2)^(1/n) from it, each group being all right with a chance of at most the true mean.
//! Valid when: groups are independent. Of means from 0.007 to 0.9996 intervals of 95 % from 30, 100 and 1,000 groups covered the true one in 93 % of
//! samples and more, those of Student alone in 84 % and more.
//! Reference: Wilson 1927, doi:10.1080/01621459.1927.10502953; Järvelin, Kekäläinen 2002, doi:10.1145/582415.582418; McSherry, Najork 2008,
//! doi:10.1007/978-3-540-78646-7_38 (ties).
//! Oracle: scikit-learn 1.7 `ndcg_score(k=k)`; Evidently's published examples for the others (field case C31).
//! Cost: a sort a group.

use super::{Measured, Undefined, confusion::wilson, mean::WeightedMean};
use crate::{binomial::wilson::within, experiment::effect::Interval, survival};

/// What rounding leaves of a mean of groups that are all right.
const ROUNDING: f64 = 1e-12;
/// The variance of a group of a ranking without any skill, over the largest there can be.
const NO_SKILL: f64 = 1.0 / 3.0;

/// An item of a group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item {
    /// Not NaN.
    pub score: f64,
    /// How relevant it is.
    pub relevance: f64,
}

/// What groups without a relevant item count as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WithoutRelevant {
    /// They are left out.
    #[default]
    LeftOut,
    /// They count as 0.
    Zero,
}

/// A metric over groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RankingMetric {
    /// Normalised discounted cumulative gain.
    Ndcg,
    /// Mean average precision.
    Map,
    /// Mean reciprocal rank.
    Mrr,
    /// The share of groups with a relevant item.
    HitRate,
    /// The share of the first k that is relevant.
    Precision,
    /// The share of the relevant items that are among the first k.
    Recall,
}

impl RankingMetric {
    /// Every metric, in the order of the output.
    pub const ALL: [Self; 6] =
        [Self::Ndcg, Self::Map, Self::Mrr, Self::HitRate, Self::Precision, Self::Recall];
}

/// Mergeable means over groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranking {
    k: usize,
    without: WithoutRelevant,
    means: [WeightedMean; 6],
    groups: u64,
    groups_without: u64,
}

impl Ranking {
    /// No groups yet; `k` is 1 or more.
    #[must_use]
    pub fn new(k: usize, without: WithoutRelevant) -> Self {
        Self { k: k.max(1), without, means: Default::default(), groups: 0, groups_without: 0 }
    }

    /// Adds a group.
    pub fn push(&mut self, items: &mut [Item]) {
        self.groups += 1;
        for item in items.iter_mut() {
            item.relevance = item.relevance.max(0.0);
            // -0 becomes 0: they are one score, and `total_cmp` has them apart.
            item.score += 0.0;
        }
        let relevant = items.iter().filter(|item| item.relevance > 0.0).count();
        if relevant == 0 {
            self.groups_without += 1;
            if self.without == WithoutRelevant::Zero {
                self.means.iter_mut().for_each(|mean| mean.push(0.0, 1.0));
            }
            return;
        }
        let values = [self.ndcg(items)].into_iter().chain(self.first_k(items, relevant));
        self.means.iter_mut().zip(values).for_each(|(mean, value)| mean.push(value, 1.0));
    }

    fn ndcg(&self, items: &mut [Item]) -> f64 {
        let discount = |rank: usize| if rank < self.k { 1.0 / (rank as f64 + 2.0).log2() } else { 0.0 };
        items.sort_by(|a, b| b.relevance.total_cmp(&a.relevance));
        let ideal: f64 =
            items.iter().take(self.k).enumerate().map(|(i, item)| item.relevance * discount(i)).sum();
        items.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.relevance.total_cmp(&b.relevance)));
        let (mut found, mut rank) = (0.0, 0);
        for tied in items.chunk_by(|a, b| a.score == b.score) {
            if rank >= self.k {
                break;
            }
            let gain = tied.iter().map(|item| item.relevance).sum::<f64>() / tied.len() as f64;
            found += gain * (rank..rank + tied.len()).map(discount).sum::<f64>();
            rank += tied.len();
        }
        found / ideal
    }

    /// The other metrics, of items in their order.
    fn first_k(&self, items: &[Item], relevant: usize) -> [f64; 5] {
        let (mut hits, mut precisions, mut first) = (0_usize, 0.0, None);
        for (i, item) in items.iter().take(self.k).enumerate() {
            if item.relevance > 0.0 {
                hits += 1;
                precisions += hits as f64 / (i + 1) as f64;
                first = first.or(Some(i + 1));
            }
        }
        [
            precisions / relevant.min(self.k) as f64,
            first.map_or(0.0, |rank| 1.0 / rank as f64),
            if hits > 0 { 1.0 } else { 0.0 },
            hits as f64 / self.k as f64,
            hits as f64 / relevant as f64,
        ]
    }

    /// Groups, and those of them without a relevant item.
    #[must_use]
    pub fn groups(&self) -> [u64; 2] {
        [self.groups, self.groups_without]
    }

    /// A metric.
    #[must_use]
    pub fn measured(&self, metric: RankingMetric, confidence: f64) -> Measured {
        let place = RankingMetric::ALL.iter().position(|other| *other == metric).unwrap_or(0);
        let mean = &self.means[place];
        let found = mean.measured(confidence).within(0.0, 1.0);
        let Some(value) = found.value else {
            return match found.reason {
                Some(Undefined::NoRows) if self.groups > 0 => Measured::undefined(Undefined::NoRelevantItems),
                _ => found,
            };
        };
        let groups = mean.effective();
        let away = 1.0 - ((1.0 - confidence) / 2.0).powf(1.0 / groups);
        if metric == RankingMetric::HitRate {
            Measured::new(value, wilson(value, groups, confidence), "wilson")
        } else if value >= 1.0 - ROUNDING {
            Measured::new(value, Some(Interval { lo: 1.0 - away, hi: 1.0 }), "disjoint_groups")
        } else if value <= 0.0 {
            Measured::new(value, Some(Interval { lo: 0.0, hi: away }), "disjoint_groups")
        } else {
            let both = found.interval.zip(of_groups(mean, confidence));
            let farther = both.map(|(a, b)| Interval { lo: a.lo.min(b.lo), hi: a.hi.max(b.hi) });
            Measured::new(value, farther, "student_wilson")
        }
    }

    /// The standard deviation of a metric over groups.
    #[must_use]
    pub fn deviation(&self, metric: RankingMetric) -> Option<f64> {
        let place = RankingMetric::ALL.iter().position(|other| *other == metric)?;
        self.means[place].variance().map(f64::sqrt)
    }
}

/// Wilson's interval of a mean above 0 and below 1; `None` below two groups.
fn of_groups(mean: &WeightedMean, confidence: f64) -> Option<Interval> {
    let (value, groups) = (mean.mean()?, mean.effective());
    let own = mean.variance_of_mean()? * groups / (value * (1.0 - value));
    let lost = groups * value.min(1.0 - value);
    let share = own.max((lost * own + NO_SKILL) / (lost + 1.0));
    let errors = survival::student_exceeded((1.0 - confidence) / 2.0, groups - 1.0);
    Some(within(value, (groups / share, errors)))
}

#[cfg(test)]
mod tests {
    use super::{Item, Ranking, RankingMetric, WithoutRelevant};

    fn measured(k: usize, without: WithoutRelevant) -> Vec<f64> {
        let mut ranking = Ranking::new(k, without);
        for relevances in [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]] {
            let scores = [3.0, 2.0, 1.0];
            let items = scores.into_iter().zip(relevances);
            let mut items: Vec<Item> = items.map(|(score, relevance)| Item { score, relevance }).collect();
            ranking.push(&mut items);
        }
        assert_eq!(ranking.groups(), [3, 1]);
        RankingMetric::ALL.iter().map(|metric| ranking.measured(*metric, 0.95).value.unwrap()).collect()
    }

    // Field case C31: NDCG, MAP, MRR, hit rate, precision, recall, without and with the user who gave no feedback.
    #[test]
    fn c31_the_field_case_has_its_numbers() {
        for (k, without, expected) in [
            (1, WithoutRelevant::LeftOut, [0.5, 0.5, 0.5, 0.5, 0.5, 0.5]),
            (2, WithoutRelevant::LeftOut, [0.5, 0.5, 0.5, 0.5, 0.25, 0.5]),
            (3, WithoutRelevant::LeftOut, [0.75, 2.0 / 3.0, 2.0 / 3.0, 1.0, 1.0 / 3.0, 1.0]),
            (1, WithoutRelevant::Zero, [1.0 / 3.0; 6]),
            (2, WithoutRelevant::Zero, [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0, 1.0 / 6.0, 1.0 / 3.0]),
            (3, WithoutRelevant::Zero, [0.5, 4.0 / 9.0, 4.0 / 9.0, 2.0 / 3.0, 2.0 / 9.0, 2.0 / 3.0]),
        ] {
            for (found, expected) in measured(k, without).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "k {k}: {found} instead of {expected}");
            }
        }
    }

    // Field case C31: the published F1 is of the mean precision and the mean recall, which no metric of ours is.
    #[test]
    fn c31_precision_and_recall_of_the_field_case_have_its_f1() {
        for (k, f1) in [(1, 0.5), (2, 1.0 / 3.0), (3, 0.5)] {
            let [.., precision, recall] = measured(k, WithoutRelevant::LeftOut)[..] else {
                panic!("precision and recall come last")
            };
            let found = 2.0 * precision * recall / (precision + recall);
            assert!((found - f1).abs() < 1e-12, "k {k}: {found} instead of {f1}");
        }
    }

    #[test]
    fn a_constant_score_does_not_look_good() {
        let mut ranking = Ranking::new(1, WithoutRelevant::LeftOut);
        let mut items = [1.0, 0.0, 0.0, 0.0].map(|relevance| Item { score: 0.5, relevance });
        ranking.push(&mut items);
        assert_eq!(ranking.measured(RankingMetric::HitRate, 0.95).value, Some(0.0));
        assert_eq!(ranking.measured(RankingMetric::Ndcg, 0.95).value, Some(0.25));
    }

    // What was rounded to -0 came after what was rounded to 0, so that ties of the two were broken by their signs.
    #[test]
    fn scores_of_either_zero_are_tied() {
        let mut ranking = Ranking::new(1, WithoutRelevant::LeftOut);
        let items = [(0.0, 1.0), (-0.0, 0.0)];
        ranking.push(&mut items.map(|(score, relevance)| Item { score, relevance }));
        assert_eq!(ranking.measured(RankingMetric::HitRate, 0.95).value, Some(0.0));
        assert_eq!(ranking.measured(RankingMetric::Ndcg, 0.95).value, Some(0.5));
    }

    // Student's interval of a hit rate of 1 was that point: of 30 groups it missed the true one in 97 of 100 samples where it was 0.999.
    // SciPy 1.17: `binomtest(30, 30).proportion_ci(method='wilson')`, the same of (27, 30), and `.025 ** (1 / 30)`. Of 27
    // reciprocal ranks of 1 and 3 of 0, and of 29 and 1, the lower end is Wilson's of 29 groups (30 over 30/29) with `stats.t.ppf(.975, 29)` in place of
    // 1.96; the upper one is Student's, cut to 1.
    #[test]
    fn groups_that_are_all_alike_are_not_sure() {
        let ranking = |hits: usize| {
            let mut ranking = Ranking::new(2, WithoutRelevant::LeftOut);
            for group in 0..30 {
                let first = if group < hits { 3.0 } else { 0.0 };
                let items = [(first, 1.0), (2.0, 0.0), (1.0, 0.0)];
                ranking.push(&mut items.map(|(score, relevance)| Item { score, relevance }));
            }
            ranking
        };
        for (hits, metric, value, [lo, hi], method) in [
            (30, RankingMetric::HitRate, 1.0, [0.886_486_606_826_031_2, 1.0], "wilson"),
            (27, RankingMetric::HitRate, 0.9, [0.743_789_174_208_159_2, 0.965_400_111_252_665_7], "wilson"),
            (27, RankingMetric::Mrr, 0.9, [0.731_731_029_908_297_9, 1.0], "student_wilson"),
            (29, RankingMetric::Mrr, 29.0 / 30.0, [0.821_107_699_039_566_8, 1.0], "student_wilson"),
            (30, RankingMetric::Mrr, 1.0, [0.884_296_691_777_972_2, 1.0], "disjoint_groups"),
            (30, RankingMetric::Ndcg, 1.0, [0.884_296_691_777_972_2, 1.0], "disjoint_groups"),
            (0, RankingMetric::Map, 0.0, [0.0, 0.115_703_308_222_027_79], "disjoint_groups"),
        ] {
            let found = ranking(hits).measured(metric, 0.95);
            let interval = found.interval.unwrap();
            assert!((found.value.unwrap() - value).abs() < 1e-12 && found.method == method, "{found:?}");
            assert!((interval.lo - lo).abs() < 1e-9 && (interval.hi - hi).abs() < 1e-9, "{found:?}");
        }
    }
}
