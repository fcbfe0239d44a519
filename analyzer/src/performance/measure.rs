//! Measures one side: every chunk of the whole population and of its segments, by the statements of its task.

mod classes;
mod groups;
mod numbers;

use windvane_store::performance::{OutlineRow, outline};
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
    let rows: Vec<OutlineRow> = side.ask(&outline(&frame, predicted(side))).await?;
    let mut parts = outlined(&rows, side.segments.keys.len());
    match side.question.task {
        Task::Binary | Task::Multiclass => {
            classes::measure(side, &frame, (classes, estimator), &mut parts).await?;
        }
        Task::Regression => numbers::measure(side, &frame, &mut parts).await?,
        Task::Ranking => groups::measure(side, &frame, &mut parts).await?,
    }
    Ok(parts)
}

/// What makes a row one with a prediction, as an expression of the frame.
fn predicted(side: &Side<'_>) -> &'static str {
    let roles = &side.question.roles;
    match side.question.task {
        Task::Binary if roles.score.is_some() => "isNotNull(wv_s)",
        Task::Multiclass if !roles.probabilities.is_empty() => "NOT arrayExists(x -> isNull(x), wv_p)",
        Task::Binary | Task::Multiclass => "isNotNull(wv_l)",
        Task::Regression => "isNotNull(wv_v)",
        Task::Ranking => "isNotNull(wv_s) AND isNotNull(wv_g)",
    }
}
