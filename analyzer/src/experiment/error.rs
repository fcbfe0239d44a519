//! Why an experiment could not be read.

use windvane_stats::experiment::sums::SumsError;
use windvane_store::{ReadError, experiment::ColumnFault};
use windvane_types::{counting::counted, nearest::nearest};

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// A column is not there or cannot serve.
    #[error("{fault}{}", suggestion(fault, known))]
    Column {
        /// What is wrong with it.
        fault: ColumnFault,
        /// The names there are.
        known: Vec<String>,
    },
    /// Values of a metric are no numbers.
    #[error(
        "column `{column}` has {} such as `{example}`",
        counted(*values, "value that is no number,", "values that are no numbers,")
    )]
    NotNumbers {
        /// The column.
        column: String,
        /// How many.
        values: u64,
        /// One of them.
        example: String,
    },
    /// A proportion has other values than 0 and 1.
    #[error(
        "metric `{metric}` is a proportion, but {} another value than 0 or 1 (summed over their rows); compare it as a mean",
        counted(*units, "unit has", "units have")
    )]
    NotAProportion {
        /// The metric.
        metric: String,
        /// How many.
        units: u64,
    },
    /// There is nothing to compare.
    #[error("an experiment needs two arms or more; {}", arms_there(known))]
    OneArm {
        /// The arms there are.
        known: Vec<String>,
    },
    /// The column of arms has too many values.
    #[error("column `{column}` has more than {max} different values, so it is no arm")]
    TooManyArms {
        /// The column.
        column: String,
        /// The bound.
        max: usize,
    },
    /// The same over the store, where there is no column.
    #[error(
        "units of experiment `{experiment}` are in more than {max} arms; check what is sent as `arm` of exposures, or in `arms` of \
         predictions: the name of an arm"
    )]
    TooManyArmsSent {
        /// The experiment.
        experiment: String,
        /// The bound.
        max: usize,
    },
    /// The column of strata has too many values.
    #[error(
        "column `{column}` has more than {max} different values, so most strata would have too few units; give a coarser one"
    )]
    TooManyStrata {
        /// The column.
        column: String,
        /// The bound.
        max: usize,
    },
    /// The column of times holds none.
    #[error(
        "column `{column}` holds no time that can be read; give one with times such as 2026-01-31T08:00:00Z, or microseconds since 1970 UTC"
    )]
    NoTimes {
        /// The column.
        column: String,
    },
    /// The column of times spans too many days.
    #[error(
        "column `{column}` spans more days than {max} sums by day and arm can tell; check its unit (microseconds since 1970 UTC)"
    )]
    TooManyDays {
        /// The column.
        column: String,
        /// The bound.
        max: usize,
    },
    /// The control is not among the arms.
    #[error("there is no arm `{control}` to serve as control{}; {}", near(control, known), arms_there(known))]
    NoControl {
        /// The name asked for.
        control: String,
        /// The arms there are.
        known: Vec<String>,
    },
    /// Weights are given for some arms only.
    #[error(
        "`--weights` has no weight for the arm `{arm}`; give one for every arm, 0 for one that is switched off"
    )]
    NoWeight {
        /// The arm.
        arm: String,
    },
    /// An experiment over the store has shares for some of its arms only.
    #[error(
        "units of experiment `{experiment}` are in the arm `{arm}`, which has no share; give it one in [experiments.{experiment}.arms], 0 for \
         one that is switched off or should not be there"
    )]
    NoShare {
        /// The experiment.
        experiment: String,
        /// The arm.
        arm: String,
    },
    /// Sums that no units have.
    #[error("the sums of metric `{metric}` in arm `{arm}` cannot be those of any units")]
    Sums {
        /// The metric.
        metric: String,
        /// The arm.
        arm: String,
        /// What contradicts what.
        source: SumsError,
    },
    /// A summary does not say what it should.
    #[error("{problem}")]
    Summary {
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A statement failed.
    #[error("cannot read the experiment")]
    Read(#[from] ReadError),
}

/// How many names an error lists.
const NAMES_MAX: usize = 20;

fn suggestion(fault: &ColumnFault, known: &[String]) -> String {
    match fault {
        ColumnFault::Unknown { column } => format!("{}; there are {}", near(column, known), list(known)),
        _ => String::new(),
    }
}

fn near(word: &str, known: &[String]) -> String {
    nearest(word, known.iter().map(String::as_str))
        .map_or(String::new(), |near| format!("; did you mean `{near}`?"))
}

fn arms_there(known: &[String]) -> String {
    match known {
        [] => "there is none".to_owned(),
        [one] => format!("there is only `{one}`"),
        known => format!("there are {}", list(known)),
    }
}

fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match names.len() {
        0 => "none".to_owned(),
        n if n > NAMES_MAX => format!("{} and {} more", shown.join(", "), n - NAMES_MAX),
        _ => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::ExperimentError;

    #[test]
    fn one_unit_and_one_value_are_told_as_one() {
        let proportion =
            |units| ExperimentError::NotAProportion { metric: "m".to_owned(), units }.to_string();
        assert!(proportion(1).contains("but 1 unit has another value"), "{}", proportion(1));
        assert!(proportion(1200).contains("but 1,200 units have another value"), "{}", proportion(1200));
        let numbers = |values| {
            let (column, example) = ("c".to_owned(), "x".to_owned());
            ExperimentError::NotNumbers { column, values, example }.to_string()
        };
        assert_eq!(numbers(1), "column `c` has 1 value that is no number, such as `x`");
        assert_eq!(numbers(2), "column `c` has 2 values that are no numbers, such as `x`");
    }
}
