//! Why the performance of a model could not be measured.

use windvane_store::ReadError;
use windvane_store::experiment::ColumnFault;

use crate::known_names::hint;

/// What the squares of a side's weights may add up to. Areas and their errors multiply four weights: 10^-280 to 10^280, which leaves room
/// for the sums of them.
pub(super) const WEIGHTS_SQUARED: [f64; 2] = [1e-140, 1e140];

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum PerformanceError {
    /// A column that was named cannot serve.
    #[error("the {side} cannot be read")]
    Column {
        /// Reference or current population.
        side: &'static str,
        /// What is wrong.
        source: ColumnFault,
    },
    /// The positive class is not plain.
    #[error(
        "which class a high score means is not plain: targets are {}; say it with --positive",
        list(classes)
    )]
    NoPositive {
        /// The targets there are.
        classes: Vec<String>,
    },
    /// More than two classes in a binary task.
    #[error("a binary task has two classes, and targets are {}; use --task multiclass", list(classes))]
    TooManyClasses {
        /// The targets there are.
        classes: Vec<String>,
    },
    /// The class that was named does not occur.
    #[error("no target of the reference is `{positive}`; they are {}", list(classes))]
    UnknownPositive {
        /// The class that was named.
        positive: String,
        /// The targets there are.
        classes: Vec<String>,
    },
    /// Too many different targets to be classes.
    #[error("there are more than {most} classes; is this a regression?")]
    NotClasses {
        /// How many there may be.
        most: usize,
    },
    /// A target without a probability.
    #[error("targets have the class `{class}`, which --probabilities gives no column")]
    ClassWithoutProbability {
        /// The class.
        class: String,
    },
    /// A predicted class that is none of the target's.
    #[error("predicted classes have `{class}`, which is none of {}", list(classes))]
    UnknownLabel {
        /// The class.
        class: String,
        /// The classes of the target.
        classes: Vec<String>,
    },
    /// Text where numbers are needed.
    #[error("{rows} targets of the {side} are text where a {task} needs numbers")]
    TargetNotNumeric {
        /// How many.
        rows: u64,
        /// Reference or current population.
        side: &'static str,
        /// The task.
        task: &'static str,
    },
    /// Outcomes that are classes, where numbers are needed.
    #[error("{rows} outcomes of the {side} have a `label` and no `value`, which a {task} needs")]
    OutcomesWithoutValue {
        /// How many.
        rows: u64,
        /// Reference or current population.
        side: &'static str,
        /// The task.
        task: &'static str,
    },
    /// Weights that leave what a number can hold when they are multiplied with each other.
    #[error(
        "the weights of the {side} cannot be used: the sum of their squares is {squares:e}, which has to lie from {:e} to {:e}; multiply column `{column}` by one number",
        WEIGHTS_SQUARED[0],
        WEIGHTS_SQUARED[1]
    )]
    Weights {
        /// Reference or current population.
        side: &'static str,
        /// The column of weights.
        column: String,
        /// The sum of their squares.
        squares: f64,
    },
    /// Nothing to learn from.
    #[error("the reference has no row with a target")]
    NoTargets,
    /// A column that says of no row when it was.
    #[error(
        "no row of the {side} has a time in column `{column}`; read are times, dates, RFC 3339 text and whole microseconds since 1970"
    )]
    NoTimes {
        /// Reference or current population.
        side: &'static str,
        /// The column of times.
        column: String,
    },
    /// Too many chunks.
    #[error("the {side} would be cut into {chunks} chunks; at most {most} are allowed")]
    TooManyChunks {
        /// Reference or current population.
        side: &'static str,
        /// How many.
        chunks: u64,
        /// How many there may be.
        most: u64,
    },
    /// The populations cannot be cut.
    #[error("the {side} has no column `{column}` to cut segments by; it has {}", list(known))]
    UnknownSegment {
        /// Reference or current population.
        side: &'static str,
        /// The name asked for.
        column: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A column that models cannot read: it is not there, has a role, or holds lists.
    #[error("`{column}` is no feature of the reference{}", hint(column, known))]
    UnknownFeature {
        /// The name asked for.
        column: String,
        /// The features there are.
        known: Vec<String>,
    },
    /// An answer that is none.
    #[error("{lines} groups of items could not be read")]
    Groups {
        /// How many.
        lines: u64,
    },
    /// A statement failed.
    #[error("cannot read the populations")]
    Read(#[from] ReadError),
}

/// How many names an error lists.
const NAMES_MAX: usize = 10;

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        _ if names.is_empty() => "none".to_owned(),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}
