//! Measures one side: every chunk of the whole population and of its segments, by the statements of its task.

mod classes;
mod groups;
mod numbers;

use windvane_types::performance::Task;

use super::PerformanceError;
use super::estimator::Estimator;
use super::part::{Parts, outlined};
use super::side::Side;

pub(super) use classes::class_count;

/// Measures a side; with an estimator also what its metrics would be by what the reference has taught it.
pub(super) async fn measure(
    side: &Side<'_>,
    classes: &[String],
    estimator: Option<&Estimator>,
) -> Result<Parts, PerformanceError> {
    let frame = side.frame()?;
    let mut parts = outlined(&side.tally, side.segments.keys.len());
    match side.question.task {
        Task::Binary | Task::Multiclass => {
            classes::measure(side, &frame, (classes, estimator), &mut parts).await?;
        }
        Task::Regression => numbers::measure(side, &frame, estimator, &mut parts).await?,
        Task::Ranking => groups::measure(side, &frame, &mut parts).await?,
    }
    Ok(parts)
}
