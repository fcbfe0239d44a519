//! Texts: their length over all rows, and a classifier of runs of characters on a bounded, seeded sample.

use windvane_stats::{
    centroid,
    comparison::Comparison,
    domain_classifier::cross_fitted,
    ngrams::{self, features, telling, vocabulary},
};
use windvane_store::populations::{self, SampleRows, SampleSink, Sampled, Text, TextRow};
use windvane_types::drift::{MeanChange, NgramChange, TextChange};

use super::{
    Column, DriftError, Measured, MeasuredColumn, Method, Rows, Scan, Side, embeddings::mean_change, kernels,
};

/// Texts of a side of a segment that are looked into: about 1,300 runs each at the most, so 45 MiB of features for both sides.
pub(in crate::drift) const SAMPLE_ROWS: usize = 2_048;
/// Texts of a side that are held at a time, whatever the number of segments: 16 MiB at four bytes a character.
const SAMPLE_ROWS_ALL: usize = 4_096;
/// Texts that a segment gets however many segments there are.
const SAMPLE_ROWS_MIN: usize = 128;
/// Runs of characters that are told.
const NGRAMS_TOLD: usize = 5;

/// Both sides of a segment of one column.
#[derive(Debug)]
pub(in crate::drift) struct Texts<'a> {
    pub(in crate::drift) sample: ngrams::Texts<'a>,
    pub(in crate::drift) values: Rows,
    pub(in crate::drift) missing: Rows,
}

impl Texts<'_> {
    pub(in crate::drift) fn measure(&self, method: Method) -> Measured {
        let comparison = match method {
            Method::MissingRate => return kernels::of_missing(self.values, self.missing),
            Method::DomainClassifier => cross_fitted(&features(self.sample), self.sample.a.len()),
            _ => Comparison::UNDEFINED,
        };
        let reason = comparison.statistic.is_none().then_some("one side has too few texts");
        Measured { reason, ..Measured::of(method, comparison) }
    }
}

pub(super) async fn measure(
    scan: &Scan<'_>,
    column: &Column,
    sides: &[[Side; 2]],
) -> Result<Vec<MeasuredColumn>, DriftError> {
    let lengths = [lengths(scan, column, 0).await?, lengths(scan, column, 1).await?];
    let counted = |side: usize| sides.iter().map(|sides| sides[side].texts).collect::<Vec<u64>>();
    let samples =
        [sample(scan, (column, 0), &counted(0)).await?, sample(scan, (column, 1), &counted(1)).await?];
    let measured = sides.iter().enumerate().map(|(segment, [reference, current])| {
        let values = Rows { reference: reference.texts, current: current.texts };
        let missing =
            Rows { reference: reference.rows - values.reference, current: current.rows - values.current };
        let sample = ngrams::Texts { a: &samples[0][segment], b: &samples[1][segment] };
        let shown = Texts { sample, values, missing };
        let length = centroid::change(lengths[0][segment], lengths[1][segment]);
        MeasuredColumn {
            name: column.name.clone(),
            kind: column.kind,
            values,
            missing,
            methods: column.methods.iter().map(|method| shown.measure(*method)).collect(),
            location: None,
            ks_error: None,
            largest_change: None,
            embedding: None,
            text: Some(change(sample, mean_change(length))),
            distribution: None,
        }
    });
    Ok(measured.collect())
}

fn change(sample: ngrams::Texts<'_>, length: MeanChange) -> TextChange {
    let words = vocabulary(sample);
    let ngrams = telling(sample, NGRAMS_TOLD).into_iter().map(|change| NgramChange {
        ngram: change.run,
        share_reference: change.share_a,
        share_current: change.share_b,
    });
    TextChange {
        length,
        out_of_vocabulary: mean_change(words.outside),
        vocabulary: words.words,
        ngrams: ngrams
            .filter(|ngram| ngram.share_reference.is_finite() && ngram.share_current.is_finite())
            .collect(),
        sampled_reference: sample.a.len() as u64,
        sampled_current: sample.b.len() as u64,
    }
}

/// Count, mean and variance of the lengths of one side, one entry a segment.
async fn lengths(scan: &Scan<'_>, column: &Column, side: usize) -> Result<Vec<(u64, f64, f64)>, DriftError> {
    let mut lengths = vec![(0, f64::NAN, f64::NAN); scan.segment_count()];
    if let Some(asked) = &column.sides[side] {
        let population = [&scan.request.reference, &scan.request.current][side];
        let text = Text { population, column: asked, segments: scan.segments };
        let rows: Vec<TextRow> = scan.readers[side].rows(&populations::text_lengths(text)).await?;
        for row in rows {
            if let Some(place) = lengths.get_mut(row.segment as usize) {
                *place = (row.texts, row.length.0, row.length_variance.0);
            }
        }
    }
    Ok(lengths)
}

/// One sample a segment.
#[derive(Debug)]
struct Samples(Vec<Vec<String>>);

impl SampleSink for Samples {
    const ELEMENT_BYTES: usize = 1;

    fn push(&mut self, segment: u32, elements: &[u8]) {
        if let Some(texts) = self.0.get_mut(segment as usize) {
            texts.push(String::from_utf8_lossy(elements).into_owned());
        }
    }
}

async fn sample(
    scan: &Scan<'_>,
    (column, side): (&Column, usize),
    available: &[u64],
) -> Result<Vec<Vec<String>>, DriftError> {
    let samples = vec![Vec::new(); scan.segment_count()];
    let Some(asked) = &column.sides[side] else { return Ok(samples) };
    let population = [&scan.request.reference, &scan.request.current][side];
    let rows_max = (SAMPLE_ROWS_ALL / samples.len().max(1)).clamp(SAMPLE_ROWS_MIN, SAMPLE_ROWS);
    let sampled = Sampled { rows_max: rows_max as u64, available, seed: scan.request.seed };
    let text = Text { population, column: asked, segments: scan.segments };
    let statement = populations::text_sample(text, sampled);
    let reader = scan.readers[side];
    let read = reader.fold(&statement, "RowBinary", SampleRows::new(Samples(samples))).await?;
    Ok(read.sink.0)
}
