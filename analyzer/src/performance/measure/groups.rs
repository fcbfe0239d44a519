//! Metrics of rankings: groups of items, one by one.

use std::collections::BTreeMap;

use windvane_stats::performance::ranking::{Item, Ranking, RankingMetric, WithoutRelevant};
use windvane_store::performance::{Frame, GroupRows, GroupSink, groups};

use crate::performance::PerformanceError;
use crate::performance::part::{Parts, Place};
use crate::performance::side::Side;

/// Every metric, in the order of the output.
const NAMES: [(&str, RankingMetric); 6] = [
    ("ndcg", RankingMetric::Ndcg),
    ("map", RankingMetric::Map),
    ("mrr", RankingMetric::Mrr),
    ("hit_rate", RankingMetric::HitRate),
    ("precision_at_k", RankingMetric::Precision),
    ("recall_at_k", RankingMetric::Recall),
];

/// Takes groups into the rankings of their places.
#[derive(Debug)]
struct Rankings {
    k: usize,
    without: WithoutRelevant,
    /// Segments that are looked at; none where groups are not cut.
    segments: Option<usize>,
    items: Vec<Item>,
    found: BTreeMap<Place, Ranking>,
}

impl GroupSink for Rankings {
    fn push(&mut self, chunk: i32, segment: u16, (scores, relevances): (&[f64], &[f64])) {
        let segment = match self.segments {
            None => None,
            Some(segments) if usize::from(segment) < segments => Some(segment),
            Some(_) => return,
        };
        self.items.clear();
        let items = scores.iter().zip(relevances);
        self.items.extend(items.map(|(score, relevance)| Item { score: *score, relevance: *relevance }));
        let place = Place { segment, chunk };
        self.found.entry(place).or_insert_with(|| Ranking::new(self.k, self.without)).push(&mut self.items);
    }
}

/// Measures all parts.
pub(super) async fn measure(
    side: &Side<'_>,
    frame: &Frame,
    parts: &mut Parts,
) -> Result<(), PerformanceError> {
    let (k, without) = (side.question.k, side.question.without_relevant);
    let mut found = BTreeMap::new();
    let cuts = [None, Some(side.segments.keys.len()).filter(|_| !side.segments.names.is_empty())];
    for segments in [Some(cuts[0]), cuts[1].map(Some)].into_iter().flatten() {
        let sink = Rankings { k, without, segments, items: Vec::new(), found: BTreeMap::new() };
        let statement = groups(frame, segments.is_some());
        let read = side.reader.fold(&statement, "JSONCompactEachRow", GroupRows::new(sink)).await?;
        if read.unreadable > 0 {
            return Err(PerformanceError::Groups { lines: read.unreadable });
        }
        found.extend(read.sink.found);
    }
    let confidence = side.question.rule.confidence;
    for (place, part) in parts.iter_mut() {
        let ranking = found.remove(place).unwrap_or_else(|| Ranking::new(k, without));
        for (name, metric) in NAMES {
            part.push(name, ranking.measured(metric, confidence));
        }
        part.groups = Some(ranking.groups());
    }
    Ok(())
}
