//! Drift: two populations in, the document `windvane.drift/1` out.
//!
//! The engine reduces, this decides: `columns` finds what can be compared, `measure` reads profiles, sorted values and
//! counted categories into the kernels of `stats`, and `verdict` turns statistics into words. Nothing here holds rows.

#[cfg(test)]
mod calibration;
mod columns;
mod compat;
mod error;
mod fixed;
mod measure;
mod method;
mod predictions;
mod request;
mod stored;
mod verdict;

use windvane_store::{
    KeptAnswers, Reader,
    populations::{self, Pair, SegmentKeys},
};
use windvane_types::drift::{Document, SCHEMA, Segment, Side};

pub use compat::Compat;
pub use error::DriftError;
pub use fixed::FixedReference;
pub use method::Method;
pub(crate) use predictions::filter;
pub use predictions::{Asked, Deployment, OpenError, Opened, open, rows, side};
pub use request::{DriftRequest, Rule, SEGMENTS_MAX, SegmentBounds};
pub use stored::{Wanted, unanswered};

use columns::Compared;
use measure::{MeasuredColumn, Rows, Scan};

/// How often a comparison is made at most: while events come in, some that were taken before it began are stored after.
const ATTEMPTS: u32 = 3;

/// Compares two populations; where rows changed while they were read, again from the start.
///
/// # Errors
/// When a column or method asked for fits nothing, when a statement fails, or when the data changed in every attempt.
pub async fn run(reader: &Reader, request: &DriftRequest) -> Result<Document, DriftError> {
    let mut made = 1;
    loop {
        let answer = once(reader, request).await;
        if !begins_anew(&answer, made) {
            return answer;
        }
        made += 1;
        // What was kept may be of before a change and of after it.
        request.answers.iter().for_each(KeptAnswers::clear);
        tracing::info!(
            source = request.current.source,
            "rows changed while they were read; the comparison begins anew"
        );
    }
}

/// Whether another attempt may come out otherwise.
fn begins_anew<T>(answer: &Result<T, DriftError>, made: u32) -> bool {
    made < ATTEMPTS && matches!(answer, Err(DriftError::Changed { .. }))
}

async fn once(reader: &Reader, request: &DriftRequest) -> Result<Document, DriftError> {
    let pair = Pair { reference: &request.reference, current: &request.current };
    let of_reference = reader.keeping(request.answers.as_ref());
    let readers = [&of_reference, reader];
    let Compared { rows, columns, skipped } = columns::compare(readers, request).await?;
    let whole = SegmentKeys::default();
    let scan = Scan { reader, readers, request, segments: &whole, rows };
    let mut parts = vec![measure::measure(&scan, &columns).await?];
    let (segments, left_out) = match request.segment_by.as_slice() {
        [] => (Vec::new(), 0),
        _ => find_segments(reader, pair, request).await?,
    };
    if !segments.is_empty() {
        let keys = SegmentKeys {
            names: request.segment_by.clone(),
            keys: segments.iter().map(|segment| segment.key.clone()).collect(),
        };
        let within: Vec<_> =
            columns.iter().filter(|column| !request.segment_by.contains(&column.name)).cloned().collect();
        parts.push(measure::measure(&Scan { segments: &keys, ..scan }, &within).await?);
    }
    let measured = parts.into_iter().flatten().collect();
    let mut judged = verdict::judge(measured, &request.rule).into_iter();
    let overall = judged.next().unwrap_or_default();
    let segments: Vec<Segment> = segments
        .iter()
        .zip(judged)
        .map(|(segment, judged)| Segment {
            segment: segment_values(&request.segment_by, &segment.key),
            rows_reference: segment.reference,
            rows_current: segment.current,
            verdict: judged.verdict,
            columns: judged.columns,
        })
        .collect();
    let verdict = verdict::overall(overall.verdict, &segments);
    Ok(Document {
        schema: SCHEMA.to_owned(),
        reference: Side {
            source: request.reference.source.clone(),
            rows: overall.rows.reference,
            stored_profile: request.baseline.is_some(),
        },
        current: Side {
            source: request.current.source.clone(),
            rows: overall.rows.current,
            stored_profile: false,
        },
        verdict,
        alpha: request.rule.alpha,
        correction: request.rule.correction.as_str().to_owned(),
        tests: overall.tests,
        min_rows: request.rule.min_rows,
        compat: request.rule.compat.map(|compat| compat.as_str().to_owned()),
        seed: request.seed,
        columns: overall.columns,
        segments,
        segments_left_out: left_out,
        skipped,
    })
}

/// A population or a segment of it, measured.
#[derive(Debug, Default)]
struct Part {
    rows: Rows,
    columns: Vec<MeasuredColumn>,
}

async fn find_segments(
    reader: &Reader,
    pair: Pair<'_>,
    request: &DriftRequest,
) -> Result<(Vec<populations::SegmentRow>, u64), DriftError> {
    let names = request.segment_by.as_slice();
    for name in names {
        for population in [pair.reference, pair.current] {
            if !population.without_columns && population.segment_expression(name).is_none() {
                return Err(DriftError::UnknownColumn {
                    column: name.clone(),
                    known: columns::names(pair).into_iter().collect(),
                });
            }
        }
    }
    let statement = populations::segments(pair, names, SEGMENTS_MAX * 100).ok_or(DriftError::Segments)?;
    Ok(request.segments.chosen(reader.rows(&statement).await?))
}

fn segment_values(names: &[String], key: &str) -> std::collections::BTreeMap<String, Option<String>> {
    let values: Vec<Option<String>> = serde_json::from_str(key).unwrap_or_default();
    names.iter().cloned().zip(values).collect()
}

#[cfg(test)]
mod tests {
    use windvane_stats::walk::{Sizes, SizesChanged};

    use super::{ATTEMPTS, DriftError, begins_anew};

    #[test]
    fn rows_that_change_are_read_again_a_few_times() {
        let sizes = |a| Sizes { a, b: 1 };
        let source = SizesChanged { announced: sizes(1), came: sizes(2) };
        let changed: Result<(), _> = Err(DriftError::Changed { column: "x".to_owned(), source });
        assert!((1..ATTEMPTS).all(|made| begins_anew(&changed, made)) && !begins_anew(&changed, ATTEMPTS));
        let unknown = Err(DriftError::UnknownColumn { column: "x".to_owned(), known: Vec::new() });
        assert!(!begins_anew::<()>(&unknown, 1) && !begins_anew(&Ok(()), 1));
    }
}
