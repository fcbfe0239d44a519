//! One population of a measurement: surveyed, cut into chunks, and ready to be asked.

use std::collections::{BTreeMap, BTreeSet};

use windvane_store::experiment::ColumnFault;
use windvane_store::performance::{
    self, Chunking, Frame, Incomplete, Roles, RowsRow, Said, TALLY_MAX, TallyRow, frame, rows,
    rows_with_target, tally,
};
use windvane_store::populations::{OUTCOME, Population, SegmentKeys};
use windvane_store::{ReadError, Reader, Statement};
use windvane_types::performance::Task;

use super::PerformanceError;
use super::part::Place;
use super::request::{CHUNKS_MAX, CLASSES_MAX, Cut, Question};
use super::walks::Found;

/// A population, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Side<'a> {
    /// `reference` or `current population`, for errors.
    pub(super) name: &'static str,
    pub(super) reader: &'a Reader,
    pub(super) population: &'a Population,
    pub(super) question: &'a Question,
    pub(super) survey: Survey,
    /// Its rows by chunk, segment, true and predicted class.
    pub(super) tally: Vec<TallyRow>,
    /// What walks over its scores have found, where these came with the tally.
    pub(super) walked: Option<BTreeMap<Place, Found>>,
    pub(super) chunking: Chunking,
    pub(super) segments: &'a SegmentKeys,
    /// Its rows, where chunks depend on how many there are.
    counted: Option<u64>,
}

/// What a population holds.
#[derive(Debug, Clone, Default)]
pub(super) struct Survey {
    pub(super) rows: u64,
    pub(super) labelled: u64,
    /// Different targets of a task with classes.
    pub(super) targets: BTreeSet<String>,
    /// Different predicted classes, where a column has them.
    pub(super) labels: BTreeSet<String>,
    /// The mean of finite numeric targets.
    pub(super) target_mean: Option<f64>,
    pub(super) targets_not_numeric: u64,
    /// Σ weight and Σ weight².
    pub(super) weights: [f64; 2],
}

impl<'a> Side<'a> {
    /// Surveys a population.
    pub(super) async fn open(
        reader: &'a Reader,
        (name, population): (&'static str, &'a Population),
        question: &'a Question,
        segments: &'a SegmentKeys,
    ) -> Result<Self, PerformanceError> {
        let side = Self::cut(reader, (name, population), question, segments).await?;
        let asked = tally(&side.frame()?, said(question), predicted(question));
        let tally: Vec<TallyRow> = side.ask(&asked).await?;
        if tally.len() > TALLY_MAX {
            return Err(PerformanceError::NotClasses { most: CLASSES_MAX });
        }
        if let Some(row) = tally.iter().find(|row| !row.unreadable.is_empty()) {
            let source = ColumnFault::Text { column: row.unreadable.clone() };
            return Err(PerformanceError::Column { side: name, source });
        }
        // Rows without a time are in no chunk of time.
        if side.counted.is_none() && tally.is_empty() && !population.is_events() {
            counted_in_time(reader, (name, population), question).await?;
        }
        let keys: BTreeSet<i32> = tally.iter().map(|row| row.chunk).collect();
        match keys.len() as u64 {
            chunks if chunks > CHUNKS_MAX => Err(too_many(name, chunks)),
            _ => Ok(side.surveyed(tally)),
        }
    }

    /// Cuts a population, of which only how many rows it has is asked, where chunks depend on that.
    pub(super) async fn cut(
        reader: &'a Reader,
        (name, population): (&'static str, &'a Population),
        question: &'a Question,
        segments: &'a SegmentKeys,
    ) -> Result<Self, PerformanceError> {
        let counted = match question.cut {
            Cut::Rows(_) | Cut::Chunks(_) => {
                Some(counted_in_time(reader, (name, population), question).await?)
            }
            Cut::Period(_) | Cut::Length { .. } => None,
        };
        let chunking = chunking(question, counted.unwrap_or_default());
        if let Chunking::Rows { chunks, .. } = chunking
            && chunks > CHUNKS_MAX
        {
            return Err(too_many(name, chunks));
        }
        let (survey, tally, walked) = (Survey::default(), Vec::new(), None);
        Ok(Self { name, reader, population, question, survey, tally, walked, chunking, segments, counted })
    }

    /// The same side over other rows.
    pub(super) fn over<'b>(&self, population: &'b Population) -> Side<'b>
    where
        'a: 'b,
    {
        Side { population, ..self.clone() }
    }

    /// The same side with other segments.
    pub(super) fn cut_by<'b>(self, segments: &'b SegmentKeys) -> Side<'b>
    where
        'a: 'b,
    {
        Side { segments, ..self }
    }

    /// The side with its tally.
    pub(super) fn surveyed(self, tally: Vec<TallyRow>) -> Self {
        let mut survey = surveyed(&tally, self.question.roles.label.is_some());
        survey.rows = self.counted.unwrap_or(survey.rows);
        Self { survey, tally, ..self }
    }

    /// The rows by chunk and segment.
    pub(super) fn frame(&self) -> Result<Frame, PerformanceError> {
        self.framed(self.chunking, self.segments, &[])
    }

    /// The rows, cut otherwise, with columns beside the roles.
    pub(super) fn framed(
        &self,
        chunking: Chunking,
        segments: &SegmentKeys,
        beside: &[String],
    ) -> Result<Frame, PerformanceError> {
        self.framed_by(&self.question.roles, (chunking, segments), beside)
    }

    fn framed_by(
        &self,
        roles: &Roles,
        cut: (Chunking, &SegmentKeys),
        beside: &[String],
    ) -> Result<Frame, PerformanceError> {
        performance::frame(self.population, roles, cut, beside)
            .map_err(|source| PerformanceError::Column { side: self.name, source })
    }

    /// The rows, of whose truth only which of these classes it is is asked, and the codes of their segments.
    pub(super) fn framed_of_classes(
        &self,
        classes: &[String; 2],
        beside: &[String],
    ) -> Result<Frame, PerformanceError> {
        let (roles, cut) = (&self.question.roles, (self.chunking, self.question.segment_by.as_slice()));
        performance::frame_of_classes(self.population, roles, cut, (beside, classes))
            .map_err(|source| PerformanceError::Column { side: self.name, source })
    }

    /// How many stored predictions have an outcome, of any kind.
    pub(super) async fn outcomes(&self) -> Result<u64, PerformanceError> {
        if !self.population.has_outcomes() || self.population.role(OUTCOME).is_none() {
            return Ok(0);
        }
        let none = SegmentKeys::default();
        let roles = Roles { target: Some(OUTCOME.to_owned()), ..self.question.roles.clone() };
        let whole = self.framed_by(&roles, (Chunking::Whole, &none), &[])?;
        let found: Vec<RowsRow> = self.ask(&rows_with_target(&whole)).await?;
        Ok(found.first().map_or(0, |found| found.rows))
    }

    /// The rows of an answer.
    pub(super) async fn ask<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        statement: &Statement,
    ) -> Result<Vec<T>, ReadError> {
        self.reader.rows(statement).await
    }
}

fn too_many(side: &'static str, chunks: u64) -> PerformanceError {
    PerformanceError::TooManyChunks { side, chunks, most: CHUNKS_MAX }
}

/// How many rows there are: what chunks of rows depend on, in the order of their times where there are some. Stored predictions have theirs.
async fn counted_in_time(
    reader: &Reader,
    (name, population): (&'static str, &Population),
    question: &Question,
) -> Result<u64, PerformanceError> {
    let none = SegmentKeys::default();
    let whole = frame(population, &question.roles, (Chunking::Whole, &none), &[])
        .map_err(|source| PerformanceError::Column { side: name, source })?;
    let found: Vec<RowsRow> = reader.rows(&rows(&whole)).await?;
    match (found.first(), &question.roles.timestamp) {
        (Some(RowsRow { rows: 1.., timed: 0 }), Some(column)) if !population.is_events() => {
            Err(PerformanceError::NoTimes { side: name, column: column.clone() })
        }
        (found, _) => Ok(found.map_or(0, |found| found.rows)),
    }
}

/// What says which class is predicted.
fn said(question: &Question) -> Said<'_> {
    let roles = &question.roles;
    match question.task {
        Task::Regression | Task::Ranking => Said::Nothing,
        Task::Binary | Task::Multiclass if roles.label.is_some() => Said::Label,
        Task::Binary => Said::Score(question.threshold),
        Task::Multiclass => Said::Probabilities(&roles.probabilities),
    }
}

/// What makes a row one with a prediction, as an expression of the frame.
fn predicted(question: &Question) -> &'static str {
    let roles = &question.roles;
    match question.task {
        Task::Binary if roles.score.is_some() => "isNotNull(wv_s)",
        Task::Multiclass if !roles.probabilities.is_empty() => "NOT arrayExists(x -> isNull(x), wv_p)",
        Task::Binary | Task::Multiclass => "isNotNull(wv_l)",
        Task::Regression => "isNotNull(wv_v)",
        Task::Ranking => "isNotNull(wv_s) AND isNotNull(wv_g)",
    }
}

fn surveyed(tally: &[TallyRow], has_label: bool) -> Survey {
    let mut survey = Survey::default();
    let (mut sum, mut numbers) = (0.0, 0_u64);
    for row in tally {
        survey.rows += row.rows;
        survey.labelled += row.labelled;
        survey.targets_not_numeric += row.targets_not_numeric;
        survey.weights[0] += row.weight.0;
        survey.weights[1] += row.squares.0;
        survey.targets.extend(row.truth.clone());
        survey.labels.extend(row.said.clone().filter(|_| has_label));
        sum += row.target_sum.0;
        numbers += row.target_rows;
    }
    survey.target_mean = (numbers > 0).then(|| sum / numbers as f64).filter(|mean| mean.is_finite());
    survey
}

/// How a population of so many rows is cut.
fn chunking(question: &Question, rows: u64) -> Chunking {
    let size = match question.cut {
        Cut::Period(period) => return Chunking::Period(period),
        Cut::Length { anchor_us, length_us } => return Chunking::Length { anchor_us, length_us },
        Cut::Rows(size) => size,
        Cut::Chunks(chunks) => (rows / chunks.max(1)).max(1),
    };
    let incomplete = question.incomplete;
    let chunks = match incomplete {
        Incomplete::Keep => rows.div_ceil(size),
        Incomplete::Append => (rows / size).max(1),
        // Of rows that fill no chunk at all none is left.
        Incomplete::Drop => rows / size,
    };
    Chunking::Rows { size, chunks, incomplete }
}

#[cfg(test)]
mod tests {
    use windvane_store::performance::{Chunking, Incomplete};

    use super::super::request::Cut;

    #[test]
    fn the_rows_at_the_end_go_where_they_are_told() {
        let question = super::super::tests::question();
        for (cut, incomplete, rows, expected) in [
            (Cut::Rows(10), Incomplete::Append, 25, (10, 2)),
            (Cut::Rows(10), Incomplete::Keep, 25, (10, 3)),
            (Cut::Rows(10), Incomplete::Drop, 25, (10, 2)),
            (Cut::Rows(10), Incomplete::Append, 7, (10, 1)),
            (Cut::Rows(10), Incomplete::Drop, 7, (10, 0)),
            (Cut::Chunks(4), Incomplete::Append, 22, (5, 4)),
            (Cut::Chunks(4), Incomplete::Keep, 22, (5, 5)),
            (Cut::Chunks(10), Incomplete::Append, 3, (1, 3)),
        ] {
            let question = super::Question { cut, incomplete, ..question.clone() };
            let found = match super::chunking(&question, rows) {
                Chunking::Rows { size, chunks, .. } => (size, chunks),
                other => panic!("{other:?}"),
            };
            assert_eq!(found, expected, "{cut:?} {incomplete:?} {rows}");
        }
    }
}
