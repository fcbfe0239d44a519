//! Walks over the scores of all segments of a chunk at once: one stream, a walk a segment and class.
//!
//! Rows come by chunk and then by score. A row goes to the walk of the whole and to that of its segment; when the chunk changes,
//! walks end and only their answers are kept.

use std::collections::BTreeMap;
use std::sync::Arc;

use windvane_stats::experiment::effect::Interval;
use windvane_stats::performance::calibration::CurveBin;
use windvane_stats::performance::estimate::{Estimates, Expected, Supposed};
use windvane_stats::performance::isotonic::Isotonic;
use windvane_stats::performance::mean::WeightedMean;
use windvane_stats::performance::ranked::{Gain, Ranked, Scored, Walked};
use windvane_stats::performance::{Measured, Undefined};
use windvane_store::performance::{ScoreRow, ScoreSink};

use super::part::Place;

/// What makes a score a probability.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Probability {
    /// The score is one.
    AsIs,
    /// These lines.
    Lines(Arc<Isotonic>),
    /// The statement has done it.
    InRow,
}

/// How walks go.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    /// Segments that are looked at.
    pub(super) segments: usize,
    /// Scores a row: 1 of two classes, as many as there are of several.
    pub(super) classes: usize,
    pub(super) confidence: f64,
    /// Whether rows are taken for what their probabilities say.
    pub(super) estimate: Option<Probability>,
}

impl Plan {
    /// Whether losses are counted by segment, and those of the whole gathered.
    fn gathers_losses(&self) -> bool {
        self.segments > 0 && self.classes == 1
    }
}

/// What the walks of one part have found.
#[derive(Debug, Clone)]
pub(super) struct Found {
    /// One a class, then, of several classes, that of all classes together.
    pub(super) walked: Vec<ClassFound>,
    /// Of several classes: minus the logarithm of what was given to the true one.
    pub(super) log_loss: Measured,
    /// Of several classes: Σ(p - y)² over all classes, per row.
    pub(super) brier: Measured,
    /// One a class, where it was asked for.
    pub(super) expected: Vec<Estimates>,
}

/// What the walk of one class has found.
#[derive(Debug, Clone)]
pub(super) struct ClassFound {
    pub(super) weight: f64,
    pub(super) positives: f64,
    pub(super) roc_auc: Measured,
    pub(super) pr_auc: Measured,
    pub(super) log_loss: Measured,
    pub(super) brier: Measured,
    pub(super) ece: Measured,
    pub(super) curve: Vec<CurveBin>,
    pub(super) gains: Vec<Gain>,
}

impl ClassFound {
    fn of(walked: &Walked, confidence: f64) -> Self {
        Self {
            weight: walked.weight(),
            positives: walked.positives(),
            roc_auc: walked.roc_auc(confidence),
            pr_auc: walked.pr_auc(confidence),
            log_loss: walked.log_loss(confidence),
            brier: walked.brier(confidence),
            ece: walked.calibration().ece(confidence),
            curve: walked.calibration().curve(confidence),
            gains: walked.gains(confidence),
        }
    }
}

/// The walks of one part while they go.
#[derive(Debug, Clone)]
struct Going {
    ranked: Vec<Ranked>,
    expected: Vec<Expected>,
    log_loss: WeightedMean,
    square: f64,
    outside: bool,
}

/// The sink of the stream.
#[derive(Debug, Clone)]
pub(super) struct Walks {
    plan: Plan,
    /// That of the whole, then one a segment that was met; `None` without a row in this chunk.
    going: Vec<Option<Going>>,
    chunk: Option<i32>,
    found: BTreeMap<Place, Found>,
}

impl Walks {
    pub(super) fn new(plan: Plan) -> Self {
        Self { plan, going: Vec::new(), chunk: None, found: BTreeMap::new() }
    }

    /// Adds what others have found in other chunks.
    pub(super) fn absorb(&mut self, mut other: Self) {
        self.end_chunk();
        other.end_chunk();
        self.found.append(&mut other.found);
    }

    /// What was found, by place.
    pub(super) fn finish(mut self) -> BTreeMap<Place, Found> {
        self.end_chunk();
        self.found
    }

    /// A walk of the whole takes the losses of two classes from those of segments, so that each row's are counted once.
    fn begin(plan: &Plan, at: usize) -> Going {
        let walks = if plan.classes > 1 { plan.classes + 1 } else { 1 };
        let expected = if plan.estimate.is_some() { plan.classes } else { 0 };
        let ranked = match at == 0 && plan.gathers_losses() {
            true => Ranked::with_losses_apart(),
            false => Ranked::default(),
        };
        Going {
            ranked: vec![ranked; walks],
            expected: vec![Expected::default(); expected],
            log_loss: WeightedMean::default(),
            square: 0.0,
            outside: false,
        }
    }

    fn end_chunk(&mut self) {
        let Some(chunk) = self.chunk else { return };
        if self.plan.gathers_losses()
            && let Some((Some(whole), segments)) = self.going.split_first_mut()
        {
            segments.iter_mut().flatten().for_each(|segment| whole.absorb_losses(segment));
        }
        let segments = std::iter::once(None).chain((0..=u16::MAX).map(Some));
        for (segment, going) in segments.zip(&mut self.going) {
            if let Some(going) = going.take() {
                self.found.insert(Place { segment, chunk }, going.finish(self.plan.confidence));
            }
        }
    }
}

impl ScoreSink for Walks {
    fn push(&mut self, row: ScoreRow) {
        if self.chunk != Some(row.chunk) {
            self.end_chunk();
            self.chunk = Some(row.chunk);
        }
        let probability = match &self.plan.estimate {
            None => f64::NAN,
            Some(Probability::AsIs) => row.score.clamp(0.0, 1.0),
            Some(Probability::Lines(lines)) => lines.at(row.score),
            Some(Probability::InRow) => row.probability,
        };
        let segment = usize::from(row.segment) + 1;
        let is_of_none = segment > self.plan.segments;
        let last = if is_of_none { 0 } else { segment };
        if last >= self.going.len() {
            self.going.resize_with(last + 1, || None);
        }
        for at in [0, segment] {
            if let Some(going) = self.going.get_mut(at) {
                let going = going.get_or_insert_with(|| Self::begin(&self.plan, at));
                going.push(&row, probability);
                if is_of_none && self.plan.gathers_losses() {
                    going.push_loss(&row);
                }
            }
        }
    }
}

impl Going {
    fn absorb_losses(&mut self, segment: &mut Self) {
        for (ranked, other) in self.ranked.iter_mut().zip(&mut segment.ranked) {
            ranked.absorb_losses(other);
        }
    }

    /// Counts the losses of a row that is of no segment.
    fn push_loss(&mut self, row: &ScoreRow) {
        if let (Some(ranked), Some(positive)) = (self.ranked.first_mut(), row.truth) {
            ranked.push_loss(Scored { score: row.score, weight: row.weight, positive });
        }
    }

    fn push(&mut self, row: &ScoreRow, probability: f64) {
        let class = usize::from(row.class);
        if let Some(positive) = row.truth {
            let scored = Scored { score: row.score, weight: row.weight, positive };
            if let Some(ranked) = self.ranked.get_mut(class) {
                ranked.push(scored);
            }
            if self.ranked.len() > 1 {
                if let Some(all) = self.ranked.last_mut() {
                    all.push(scored);
                }
                let off = row.score - f64::from(u8::from(positive));
                self.square += row.weight * off * off;
                self.outside |= !(0.0..=1.0).contains(&row.score);
                if positive {
                    let p = row.score.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
                    self.log_loss.push(-p.ln(), row.weight);
                }
            }
        }
        if let Some(expected) = self.expected.get_mut(class) {
            let ScoreRow { score, weight, predicted, .. } = *row;
            expected.push(Supposed { score, probability, weight, predicted });
        }
    }

    fn finish(self, confidence: f64) -> Found {
        let weight = self.log_loss.weight();
        let of_probabilities = |measured: Measured| match self.outside {
            true => Measured::undefined(Undefined::ScoreOutsideUnit),
            false => measured,
        };
        let mut walked: Vec<Walked> = self.ranked.into_iter().map(Ranked::finish).collect();
        // The last one of several is that of all classes together.
        let all = if walked.len() > 1 { walked.pop() } else { None };
        let classes = walked.len();
        let of_all = |all: Walked| ClassFound {
            roc_auc: all.roc_auc_of_classes(classes, confidence),
            pr_auc: all.pr_auc_of_classes(confidence),
            ..ClassFound::of(&all, confidence)
        };
        let walked: Vec<ClassFound> =
            walked.iter().map(|walked| ClassFound::of(walked, confidence)).chain(all.map(of_all)).collect();
        let brier = match weight > 0.0 {
            true => {
                let value = self.square / weight;
                Measured::new(value, summed(&walked, value), "errors_added").within(0.0, 2.0)
            }
            false => Measured::undefined(Undefined::NoRows),
        };
        Found {
            walked,
            log_loss: of_probabilities(self.log_loss.measured(confidence).within(0.0, f64::INFINITY)),
            brier: of_probabilities(brier),
            expected: self.expected.into_iter().map(Expected::finish).collect(),
        }
    }
}

/// The interval of Brier's score over several classes, the last walk being that of all together. What a row adds for one class goes
/// with what it adds for the others, so errors of classes are added: the interval is too wide rather than too narrow.
fn summed(walked: &[ClassFound], value: f64) -> Option<Interval> {
    let (_, classes) = walked.split_last()?;
    classes.iter().try_fold(Interval { lo: value, hi: value }, |sum, class| {
        let (own, ends) = class.brier.value.zip(class.brier.interval)?;
        Some(Interval { lo: sum.lo + ends.lo - own, hi: sum.hi + ends.hi - own })
    })
}
