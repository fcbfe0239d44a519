//! The features that models of losses and of truth read: columns without a role, words as numbers that the reference gives them.

use windvane_store::performance::{
    Chunking, Feature, FeatureRow, FeatureRows, FeatureSink, FeaturesAsked, Loss, LossRow, column_losses,
    features,
};
use windvane_store::populations::SegmentKeys;

use super::PerformanceError;
use super::measure::class_count;
use super::side::Side;
use super::weakest;
use crate::numeric::numeric;

/// Columns that a model reads.
const COLUMNS_MAX: usize = 60;
/// Words of a column that have a number of their own.
const WORDS_MAX: usize = 50;
/// Rows by which the number of a word leans towards that of all rows.
const LEAN: f64 = 20.0;

/// Columns, and how they become numbers.
#[derive(Debug, Clone, Default)]
pub(super) struct Features {
    columns: Vec<String>,
    features: Vec<Feature>,
}

impl Features {
    /// Learns from a reference which columns there are and what words stand for: the mean loss of rows with that word.
    pub(super) async fn learn(side: &Side<'_>, classes: &[String]) -> Result<Self, PerformanceError> {
        let wanted = side.question.features.as_ref();
        let fits = |name: &String| wanted.is_none_or(|wanted| wanted.contains(name));
        let names: Vec<String> = weakest::columns(side).into_iter().filter(fits).take(COLUMNS_MAX).collect();
        let columns: Vec<_> = names.iter().filter_map(|name| side.population.column(name)).collect();
        let numbers = numeric(side.reader, side.population, &columns).await?;
        let mut learnt = Self::default();
        for column in columns {
            learnt.features.push(match numbers.contains(&column) {
                true => Feature::Number,
                false => word(side, classes, &column.name).await?,
            });
            learnt.columns.push(column.name.clone());
        }
        Ok(learnt)
    }

    /// How many there are.
    pub(super) fn width(&self) -> usize {
        self.features.len()
    }

    /// Reads rows of a side with their features into a sink: all of them, or a sample of those with a target.
    pub(super) async fn read<S: FeatureSink>(
        &self,
        side: &Side<'_>,
        (classes, sample): (&[String], Option<u64>),
        sink: S,
    ) -> Result<S, PerformanceError> {
        let none = SegmentKeys::default();
        let frame = match sample {
            Some(_) => side.framed(Chunking::Whole, &none, &self.columns)?,
            None => side.framed(side.chunking, side.segments, &self.columns)?,
        };
        let asked = FeaturesAsked { features: &self.features, classes, sample, labelled: sample.is_some() };
        let rows = FeatureRows::new(self.width(), sink);
        Ok(side.reader.fold(&features(&frame, asked), "RowBinary", rows).await?.sink)
    }

    /// A sample of rows with a target.
    pub(super) async fn sample(
        &self,
        side: &Side<'_>,
        (classes, most): (&[String], u64),
    ) -> Result<Vec<FeatureRow>, PerformanceError> {
        Ok(self.read(side, (classes, Some(most)), Sample::default()).await?.0)
    }
}

/// Whether the reference has the features that were asked for.
pub(super) fn known(side: &Side<'_>) -> Result<(), PerformanceError> {
    let wanted = side.question.features.iter().flatten();
    let known = weakest::columns(side);
    match wanted.filter(|_| !side.population.without_columns).find(|name| !known.contains(name)) {
        Some(column) => Err(PerformanceError::UnknownFeature { column: column.clone(), known }),
        None => Ok(()),
    }
}

/// Keeps rows.
#[derive(Debug, Default)]
struct Sample(Vec<FeatureRow>);

impl FeatureSink for Sample {
    fn push(&mut self, row: FeatureRow) {
        self.0.push(row);
    }
}

/// The numbers of a column's words. Text that is mostly numbers has none where it has too many to name.
async fn word(side: &Side<'_>, classes: &[String], column: &str) -> Result<Feature, PerformanceError> {
    let none = SegmentKeys::default();
    let frame = side.framed(Chunking::Whole, &none, &[column.to_owned()])?;
    let loss = match classes {
        [] => Loss::Absolute,
        classes => Loss::Wrong(class_count(side, classes)),
    };
    // No column of numbers is cut: each keeps its values, or is taken as it is.
    let rows: Vec<LossRow> = side.ask(&column_losses(&frame, loss, (WORDS_MAX, 2))).await?;
    if rows.iter().any(|row| row.low.is_some()) {
        return Ok(Feature::Number);
    }
    let (n, sum) = rows.iter().fold((0.0, 0.0), |(n, sum), row| (n + row.rows as f64, sum + row.sum.0));
    let other = if n > 0.0 { sum / n } else { 0.0 };
    let known = rows
        .into_iter()
        .filter_map(|row| Some((row.value?, (row.sum.0 + LEAN * other) / (row.rows as f64 + LEAN))));
    let (words, numbers) = known.unzip();
    Ok(Feature::Word { words, numbers, other })
}
