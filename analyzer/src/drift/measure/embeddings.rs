//! Embeddings: moments of every dimension over all rows, and kernels on a bounded, seeded sample of the vectors.
//!
//! Features of a kernel for all rows would be width × frequencies multiplications a row in SQL; a sample of some thousand vectors
//! a side finds every change that reaches a floor, costs the same at any number of rows, and makes the p-value exact by
//! exchanging labels. What is told of centres and dimensions is exact: the engine computes it over all rows.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use windvane_stats::{
    centroid::{self, Cloud},
    comparison::Comparison,
    domain_classifier::{cross_fitted, standardised},
    fourier_mmd::{RELABELLINGS, fourier_mmd},
    vectors::Vectors,
};
use windvane_store::populations::{
    self, Population, SampleRows, SampleSink, Sampled, Vector, VectorRow, floats,
};
use windvane_types::drift::{DimensionChange, EmbeddingChange, MeanChange};

use super::{Column, DriftError, Measured, MeasuredColumn, Method, Rows, Scan, Side, kernels};

/// Vectors of a side of a segment that kernels look at.
pub(in crate::drift) const SAMPLE_ROWS: usize = 4_096;
/// Components of all vectors of a side that are held at a time: 16 MiB.
const SAMPLE_VALUES: usize = 4 << 20;
/// Vectors that a segment gets however many segments there are and however wide a vector is.
const SAMPLE_ROWS_MIN: usize = 128;

/// Both sides of a segment of one column.
#[derive(Debug)]
pub(in crate::drift) struct Embeddings<'a> {
    pub(in crate::drift) sample: [&'a Vectors; 2],
    pub(in crate::drift) values: Rows,
    pub(in crate::drift) missing: Rows,
    pub(in crate::drift) seed: u64,
}

impl Embeddings<'_> {
    pub(in crate::drift) fn measure(&self, method: Method) -> Measured {
        let [a, b] = self.sample;
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let comparison = match method {
            Method::MissingRate => return kernels::of_missing(self.values, self.missing),
            Method::Mmd => fourier_mmd(a, b, &mut rng),
            Method::DomainClassifier if a.width() == b.width() => cross_fitted(&standardised(a, b), a.len()),
            _ => Comparison::UNDEFINED,
        };
        let reason = comparison.statistic.is_none().then_some("one side has too few vectors");
        let least_p = (method == Method::Mmd).then_some(1.0 / (RELABELLINGS + 1) as f64);
        Measured { reason, least_p, ..Measured::of(method, comparison) }
    }
}

pub(super) async fn measure(
    scan: &Scan<'_>,
    column: &Column,
    sides: &[[Side; 2]],
) -> Result<Vec<MeasuredColumn>, DriftError> {
    let reference = moments(scan, column, 0).await?;
    let current = moments(scan, column, 1).await?;
    let samples = [sample(scan, column, &reference).await?, sample(scan, column, &current).await?];
    let measured = sides.iter().enumerate().map(|(segment, [a, b])| {
        let clouds = [&reference, &current].map(|side| side.rows.get(segment).and_then(Option::as_ref));
        let vectors = |side: usize| clouds[side].map_or(0, |row| row.vectors);
        let values = Rows { reference: vectors(0), current: vectors(1) };
        let missing = Rows { reference: a.rows - values.reference, current: b.rows - values.current };
        let shown = Embeddings {
            sample: [&samples[0][segment], &samples[1][segment]],
            values,
            missing,
            seed: scan.request.seed,
        };
        MeasuredColumn {
            name: column.name.clone(),
            kind: column.kind,
            values,
            missing,
            methods: column.methods.iter().map(|method| shown.measure(*method)).collect(),
            location: None,
            ks_error: None,
            largest_change: None,
            embedding: change(column.width, clouds, shown.sample),
            text: None,
            distribution: None,
        }
    });
    Ok(measured.collect())
}

/// The moments of one side, one entry a segment that has rows.
struct Moments<'a> {
    side: usize,
    population: &'a Population,
    rows: Vec<Option<VectorRow>>,
}

async fn moments<'a>(scan: &Scan<'a>, column: &Column, side: usize) -> Result<Moments<'a>, DriftError> {
    let population = [&scan.request.reference, &scan.request.current][side];
    let mut rows: Vec<Option<VectorRow>> = vec![None; scan.segment_count()];
    if let Some(asked) = &column.sides[side] {
        let vector = Vector { population, column: asked, segments: scan.segments };
        let answered: Vec<VectorRow> = scan.readers[side].rows(&populations::vector_moments(vector)).await?;
        for row in answered {
            let segment = row.segment as usize;
            if let Some(place) = rows.get_mut(segment) {
                *place = Some(row);
            }
        }
    }
    Ok(Moments { side, population, rows })
}

/// One sample a segment.
#[derive(Debug)]
struct Samples(Vec<Vectors>);

impl SampleSink for Samples {
    const ELEMENT_BYTES: usize = 4;

    fn push(&mut self, segment: u32, elements: &[u8]) {
        if let Some(vectors) = self.0.get_mut(segment as usize) {
            vectors.push(&floats(elements).collect::<Vec<f32>>());
        }
    }
}

async fn sample(scan: &Scan<'_>, column: &Column, moments: &Moments<'_>) -> Result<Vec<Vectors>, DriftError> {
    let samples = vec![Vectors::new(column.width); scan.segment_count()];
    let needed = column.width > 0 && column.methods.iter().any(|method| *method != Method::MissingRate);
    let (Some(asked), true) = (&column.sides[moments.side], needed) else { return Ok(samples) };
    let rows_max = (SAMPLE_VALUES / column.width / samples.len().max(1)).clamp(SAMPLE_ROWS_MIN, SAMPLE_ROWS);
    let available: Vec<u64> =
        moments.rows.iter().map(|row| row.as_ref().map_or(0, |row| row.vectors)).collect();
    let sampled = Sampled { rows_max: rows_max as u64, available: &available, seed: scan.request.seed };
    let vector = Vector { population: moments.population, column: asked, segments: scan.segments };
    let statement = populations::vector_sample(vector, sampled);
    let reader = scan.readers[moments.side];
    let read = reader.fold(&statement, "RowBinary", SampleRows::new(Samples(samples))).await?;
    Ok(read.sink.0)
}

fn change(width: usize, clouds: [Option<&VectorRow>; 2], sample: [&Vectors; 2]) -> Option<EmbeddingChange> {
    let [a, b] = clouds.map(|row| row.map(cloud));
    let change = centroid::compare(&a?, &b?)?;
    Some(EmbeddingChange {
        width: width as u64,
        centroid_distance: change.distance,
        centroid_cosine: change.cosine,
        norm: mean_change(change.norm),
        dimensions_moved: change.dimensions_moved,
        largest_dimension: change.largest.map(|(dimension, change)| DimensionChange {
            dimension: dimension as u64,
            change: mean_change(change),
        }),
        sampled_reference: sample[0].len() as u64,
        sampled_current: sample[1].len() as u64,
    })
}

fn cloud(row: &VectorRow) -> Cloud {
    let numbers = |reals: &[windvane_store::Real]| reals.iter().map(|real| real.0).collect();
    Cloud {
        n: row.vectors,
        means: numbers(&row.means),
        variances: numbers(&row.variances),
        norm: row.norm.0,
        norm_variance: row.norm_variance.0,
    }
}

pub(super) fn mean_change(change: centroid::Change) -> MeanChange {
    MeanChange {
        mean_reference: change.mean_a.is_finite().then_some(change.mean_a),
        mean_current: change.mean_b.is_finite().then_some(change.mean_b),
        effect: change.effect,
        p_value: change.p_value,
    }
}
