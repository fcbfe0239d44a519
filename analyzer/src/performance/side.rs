//! One population of a measurement: surveyed, cut into chunks, and ready to be asked.

use windvane_store::experiment::ColumnFault;
use windvane_store::performance::{self, Chunking, Frame, Incomplete, Roles, SurveyRow, frame, survey};
use windvane_store::populations::{Population, SegmentKeys};
use windvane_store::{ReadError, Reader, Statement};

use super::PerformanceError;
use super::request::{CHUNKS_MAX, Cut, Question};

/// A population, ready to be asked.
#[derive(Debug, Clone)]
pub(super) struct Side<'a> {
    /// `reference` or `current population`, for errors.
    pub(super) name: &'static str,
    pub(super) reader: &'a Reader,
    pub(super) population: &'a Population,
    pub(super) question: &'a Question,
    pub(super) survey: SurveyRow,
    pub(super) chunking: Chunking,
    pub(super) segments: &'a SegmentKeys,
}

impl<'a> Side<'a> {
    /// Surveys a population.
    pub(super) async fn open(
        reader: &'a Reader,
        (name, population): (&'static str, &'a Population),
        question: &'a Question,
        segments: &'a SegmentKeys,
    ) -> Result<Self, PerformanceError> {
        let none = SegmentKeys::default();
        let column = |source| PerformanceError::Column { side: name, source };
        let whole = frame(population, &question.roles, (Chunking::Whole, &none), &[]).map_err(column)?;
        let rows: Vec<SurveyRow> = reader.rows(&survey(&whole)).await?;
        let survey = rows.into_iter().next().ok_or(PerformanceError::NoTargets)?;
        if !survey.unreadable.is_empty() {
            return Err(column(ColumnFault::Text { column: survey.unreadable }));
        }
        let chunking = chunking(question, survey.rows);
        if let Chunking::Rows { chunks, .. } = chunking
            && chunks > CHUNKS_MAX
        {
            return Err(PerformanceError::TooManyChunks { side: name, chunks, most: CHUNKS_MAX });
        }
        Ok(Self { name, reader, population, question, survey, chunking, segments })
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
        let roles: &Roles = &self.question.roles;
        performance::frame(self.population, roles, (chunking, segments), beside)
            .map_err(|source| PerformanceError::Column { side: self.name, source })
    }

    /// The rows of an answer.
    pub(super) async fn ask<T: serde::de::DeserializeOwned + Send + 'static>(
        &self,
        statement: &Statement,
    ) -> Result<Vec<T>, ReadError> {
        self.reader.rows(statement).await
    }
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
