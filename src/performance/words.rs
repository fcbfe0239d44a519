//! A performance document in words that a person reads: what alerts, what is usual, where it is weakest.

use windvane_types::performance::{
    Change, Chunk, Document, Metric, Segment, Task, TrustVerdict, Verdict, deciding,
};

use crate::drift::words::{counted, grouped, number, segment};

/// Alerts of metrics that a table does not show which are told one by one.
const ALERTS_BESIDE_MAX: usize = 20;
/// Segments in which estimates are muted that are told.
const MUTED_SHOWN: usize = 10;

/// Metrics that a table shows of each task.
pub fn shown(task: Task) -> &'static [&'static str] {
    match task {
        Task::Binary => &["roc_auc", "pr_auc", "accuracy", "f1", "log_loss", "ece"],
        Task::Multiclass => &["roc_auc_macro", "accuracy", "f1_macro", "log_loss"],
        Task::Regression => &["mae", "rmse", "r2", "mean_error"],
        Task::Ranking => &["ndcg", "map", "mrr", "hit_rate"],
    }
}

/// The headline of a document.
pub fn headline(document: &Document) -> String {
    let alerting = |chunks: &[Chunk]| chunks.iter().filter(|chunk| alerts(chunk)).count();
    let chunks = alerting(&document.chunks);
    let segments = document.segments.iter().filter(|segment| segment.verdict == Verdict::Alert).count();
    let mut words = match document.verdict {
        Verdict::Alert if chunks == 0 => "alert within segments only".to_owned(),
        Verdict::Alert => {
            format!("alert in {chunks} of {}", counted(document.chunks.len() as u64, "chunk", "chunks"))
        }
        Verdict::NoAlert => {
            format!("no alert in {}", counted(document.chunks.len() as u64, "chunk", "chunks"))
        }
        Verdict::InsufficientData => "not enough data to tell".to_owned(),
    };
    if !document.segments.is_empty() {
        words += &format!(
            ", and in {segments} of {}",
            counted(document.segments.len() as u64, "segment", "segments")
        );
    }
    words
}

/// Whether any metric of a chunk alerts.
pub fn alerts(chunk: &Chunk) -> bool {
    chunk.metrics.iter().any(|metric| metric.alert)
}

/// What a chunk is called: its start where it has one, else its number.
pub fn name(chunk: &Chunk) -> String {
    match &chunk.start {
        Some(start) => start.trim_end_matches("T00:00:00Z").to_owned(),
        None => chunk.chunk.to_string(),
    }
}

/// A metric in a cell: `0.912 ↓`, `~0.905` where it is estimated.
pub fn value(metric: &Metric) -> String {
    let arrow = match metric.change {
        Some(Change::Worse) => " worse",
        Some(Change::Better) => " better",
        None => "",
    };
    match (metric.realised, metric.estimated) {
        (Some(realised), Some(estimated)) => format!("{} (~{}){arrow}", number(realised), number(estimated)),
        (Some(realised), None) => format!("{}{arrow}", number(realised)),
        (None, Some(estimated)) => format!("~{}{arrow}", number(estimated)),
        (None, None) => "-".to_owned(),
    }
}

/// Why a metric alerts: `roc_auc 0.71, usual 0.88 to 0.93`.
pub fn why(metric: &Metric) -> String {
    let end = |end: Option<f64>, open: &str| end.map_or(open.to_owned(), number);
    let ends @ [low, high] = metric.threshold.unwrap_or_default();
    let value = match (deciding(metric.realised, metric.alert, ends), metric.estimated) {
        (Some(realised), _) => number(realised),
        (None, Some(estimated)) => format!("{} (estimated)", number(estimated)),
        (None, None) => "-".to_owned(),
    };
    format!("{} {value}, usual {} to {}", metric.metric, end(low, "any"), end(high, "any"))
}

/// Alerts of metrics that tables of this task do not show, a line each; of many the first, and how many others there are.
pub fn alerts_beside(chunks: &[Chunk], task: Task) -> Vec<String> {
    let mut lines = Vec::new();
    for chunk in chunks {
        let beside = |metric: &&Metric| metric.alert && !shown(task).contains(&metric.metric.as_str());
        for metric in chunk.metrics.iter().filter(beside) {
            lines.push(format!("chunk {}: {}", name(chunk), why(metric)));
        }
    }
    let more = lines.len().saturating_sub(ALERTS_BESIDE_MAX);
    if more > 0 {
        lines.truncate(ALERTS_BESIDE_MAX);
        lines.push(format!("{} in --format json", counted(more as u64, "more alert is", "more alerts are")));
    }
    lines
}

/// A share as a percentage.
pub fn percent(share: Option<f64>) -> String {
    share.map_or("-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// What is said of the estimator; nothing where nothing was estimated.
pub fn trust(document: &Document) -> Option<String> {
    let estimated =
        document.chunks.iter().flat_map(|chunk| &chunk.metrics).any(|metric| metric.estimated.is_some());
    let trust = &document.trust;
    estimated.then(|| match (trust.verdict, trust.mean_absolute_error) {
        (TrustVerdict::Unknown, _) | (_, None) => format!(
            "estimates (~) of {}: {} chunks have targets to compare with, too few to tell",
            trust.metric, trust.chunks
        ),
        (verdict, Some(error)) => format!(
            "estimates (~) of {} are {}: off by {} on average, within their band in {} of {} chunks",
            trust.metric,
            verdict.as_str(),
            number(error),
            percent(trust.coverage_of_band),
            trust.chunks
        ),
    })
}

/// What is said where no row has a prediction of the kind that the task measures: more rows would not help.
pub fn nothing_measured(chunks: &[Chunk], task: Task) -> Option<String> {
    let rows: u64 = chunks.iter().map(|chunk| chunk.n).sum();
    let unscored: u64 = chunks.iter().map(|chunk| chunk.unscored).sum();
    let needed = match task {
        Task::Binary => "a score or a label",
        Task::Multiclass => "a label or probabilities",
        Task::Regression => "a value",
        Task::Ranking => "a score and a group",
    };
    let (all, task) = (counted(rows, "row", "rows"), task.as_str());
    (rows > 0 && unscored == rows)
        .then(|| format!("nothing was measured: of {all} none has {needed}, which --task {task} is of"))
}

/// What is said where estimates were asked for and there is none, as of stored predictions that are labels alone.
pub fn nothing_estimated(chunks: &[Chunk], task: Task) -> Option<String> {
    let rows: u64 = chunks.iter().map(|chunk| chunk.n).sum();
    let is_any = chunks.iter().flat_map(|chunk| &chunk.metrics).any(|metric| metric.estimated.is_some());
    let needed = match task {
        Task::Binary | Task::Ranking => "scores",
        Task::Multiclass => "the probability of each class",
        Task::Regression => "features, and 40 rows with a target in the reference",
    };
    let task = task.as_str();
    (rows > 0 && !is_any).then(|| format!("nothing was estimated: estimates of --task {task} need {needed}"))
}

/// Segments in which estimates are muted, a line each.
pub fn muted(document: &Document) -> Vec<String> {
    let of = |part: &Segment| {
        let metrics = part.muted.join(", ");
        format!(
            "estimates (~) of {metrics} are muted in {}: they have been wrong there",
            segment(&part.segment)
        )
    };
    document.segments.iter().filter(|part| !part.muted.is_empty()).take(MUTED_SHOWN).map(of).collect()
}

/// What is said of concept drift; nothing where nobody asked.
pub fn concept(document: &Document) -> Option<String> {
    let concept = document.concept_drift.as_ref()?;
    let what =
        format!("the relation between features and target: {}", concept.verdict.as_str().replace('_', " "));
    Some(match (concept.reference, concept.under_new_concept, concept.by_chance()) {
        (Some(before), Some(now), Some(chance)) => format!(
            "{what}; {} on the reference {} → {} by the relation of the current rows (chance alone: ±{})",
            concept.metric,
            number(before),
            number(now),
            number(chance)
        ),
        _ => format!("{what}: {}", concept.reason.as_deref().unwrap_or("not known")),
    })
}

/// The weakest segments, a line each.
pub fn weakest(document: &Document) -> Vec<[String; 5]> {
    let lines = document.weakest_segments.segments.iter().map(|weak| {
        let place = std::collections::BTreeMap::from([(weak.column.clone(), weak.value.clone())]);
        let p =
            if weak.p_adjusted < 0.001 { "< 0.001".to_owned() } else { format!("{:.3}", weak.p_adjusted) };
        [segment(&place), grouped(weak.n), number(weak.loss), number(weak.loss_elsewhere), p]
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use windvane_types::performance::{Chunk, Task};

    use super::{alerts_beside, nothing_estimated, nothing_measured};

    fn chunk(number: u64, metrics: &Value) -> Chunk {
        let metrics: Vec<Value> = metrics
            .as_array()
            .unwrap()
            .iter()
            .map(|metric| {
                json!({"metric": metric[0], "realised": 0.5, "ci": null, "estimated": null, "estimate_band": null,
                    "threshold": [0.7, null], "alert": metric[1], "change": null, "ci_method": null, "reason": null})
            })
            .collect();
        serde_json::from_value(json!({"chunk": number, "start": null, "end": null, "n": 50, "labelled": 50, "coverage": 1.0,
            "unscored": 0, "measured": 50, "groups": null, "groups_without_relevant": null, "insufficient_data": false,
            "metrics": metrics, "confusion_matrix": [], "calibration": [], "lift": []}))
        .unwrap()
    }

    // `alert in 5 of 5 chunks` stood over a table in which no metric did.
    #[test]
    fn an_alert_of_a_metric_that_no_column_shows_is_told() {
        let metrics = json!([["accuracy", true], ["specificity", true], ["recall", false]]);
        let all = [chunk(0, &metrics), chunk(1, &json!([["accuracy", true]]))];
        assert_eq!(alerts_beside(&all, Task::Binary), ["chunk 0: specificity 0.5, usual 0.7 to any"]);
        let many: Vec<Chunk> = (0..23).map(|number| chunk(number, &metrics)).collect();
        let told = alerts_beside(&many, Task::Binary);
        assert_eq!((told.len(), told[20].as_str()), (21, "3 more alerts are in --format json"));
    }

    // Scores of two classes, measured as several, were "not enough data to tell", however many there were.
    #[test]
    fn predictions_of_another_kind_are_not_too_few() {
        let chunk = |unscored: u64| Chunk { unscored, ..chunk(0, &json!([])) };
        assert_eq!(
            nothing_measured(&[chunk(50), chunk(50)], Task::Multiclass).unwrap(),
            "nothing was measured: of 100 rows none has a label or probabilities, which --task multiclass is of"
        );
        assert_eq!(nothing_measured(&[chunk(50), chunk(49)], Task::Multiclass), None);
        assert_eq!(nothing_measured(&[], Task::Binary), None);
    }

    // Of files it is a usage error; of stored labels nothing was estimated, and nothing said so.
    #[test]
    fn estimates_that_there_are_none_of_are_told() {
        let none = chunk(0, &json!([["accuracy", false]]));
        assert_eq!(
            nothing_estimated(std::slice::from_ref(&none), Task::Multiclass).unwrap(),
            "nothing was estimated: estimates of --task multiclass need the probability of each class"
        );
        let mut some = none.clone();
        some.metrics[0].estimated = Some(0.9);
        assert_eq!(nothing_estimated(&[none, some], Task::Multiclass), None);
        assert_eq!(nothing_estimated(&[], Task::Binary), None);
    }
}
