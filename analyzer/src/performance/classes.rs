//! The classes of a task: which there are, and which one a score is of.

use std::collections::BTreeSet;

use windvane_types::performance::Task;

use super::{PerformanceError, Question, request::CLASSES_MAX, side::Survey};

/// Pairs of words of which the second is plainly the positive class.
const PLAIN: [[&str; 2]; 7] = [
    ["0", "1"],
    ["-1", "1"],
    ["false", "true"],
    ["no", "yes"],
    ["n", "y"],
    ["negative", "positive"],
    ["neg", "pos"],
];

/// The classes in the order of the confusion matrix: the negative one first of two, names in order of several.
pub(super) fn classes(
    question: &Question,
    [reference, current]: [&Survey; 2],
) -> Result<Vec<String>, PerformanceError> {
    if matches!(question.task, Task::Regression | Task::Ranking) {
        return Ok(Vec::new());
    }
    let mut targets: Vec<String> = reference.targets.iter().chain(&current.targets).cloned().collect();
    targets.sort_by(|a, b| in_order(a, b));
    targets.dedup();
    if targets.len() > CLASSES_MAX {
        return Err(PerformanceError::NotClasses { most: CLASSES_MAX });
    }
    let classes = match question.task {
        Task::Multiclass if question.roles.probabilities.is_empty() => {
            let labels = reference.labels.iter().chain(&current.labels).cloned();
            let mut classes: Vec<String> = targets.into_iter().chain(labels).collect();
            classes.sort_by(|a, b| in_order(a, b));
            classes.dedup();
            if classes.len() > CLASSES_MAX {
                return Err(PerformanceError::NotClasses { most: CLASSES_MAX });
            }
            return Ok(classes);
        }
        Task::Binary | Task::Regression | Task::Ranking => {
            let labels = reference.labels.iter().chain(&current.labels).collect();
            binary(question, targets, &labels)?
        }
        Task::Multiclass => {
            let classes: Vec<String> =
                question.roles.probabilities.iter().map(|(class, _)| class.clone()).collect();
            if let Some(class) = targets.into_iter().find(|target| !classes.contains(target)) {
                return Err(PerformanceError::ClassWithoutProbability { class });
            }
            classes
        }
    };
    let mut labels = reference.labels.iter().chain(&current.labels);
    match labels.find(|label| !classes.contains(label)) {
        Some(class) => Err(PerformanceError::UnknownLabel { class: class.clone(), classes }),
        None => Ok(classes),
    }
}

/// Numbers by their size, words by the alphabet.
fn in_order(a: &str, b: &str) -> std::cmp::Ordering {
    match (a.parse::<f64>(), b.parse::<f64>()) {
        (Ok(x), Ok(y)) => x.total_cmp(&y),
        (Ok(_), Err(_)) => std::cmp::Ordering::Less,
        (Err(_), Ok(_)) => std::cmp::Ordering::Greater,
        (Err(_), Err(_)) => a.cmp(b),
    }
}

fn binary(
    question: &Question,
    targets: Vec<String>,
    labels: &BTreeSet<&String>,
) -> Result<Vec<String>, PerformanceError> {
    if targets.len() > 2 {
        return Err(PerformanceError::TooManyClasses { classes: targets });
    }
    if let Some(positive) = &question.positive {
        let negative = targets.iter().find(|target| *target != positive);
        if targets.len() == 2 && !targets.contains(positive) {
            return Err(PerformanceError::UnknownPositive { positive: positive.clone(), classes: targets });
        }
        let negative = negative.or_else(|| only_other(labels, positive));
        let negative = negative.cloned().unwrap_or_else(|| plain_other(positive));
        return Ok(vec![negative, positive.clone()]);
    }
    let lower: Vec<String> = targets.iter().map(|target| target.to_lowercase()).collect();
    let fits = |pair: &&[&str; 2]| lower.iter().all(|target| pair.contains(&target.as_str()));
    let Some(pair) = PLAIN.iter().find(fits) else {
        return Err(PerformanceError::NoPositive { classes: targets });
    };
    // As the target spells it, where it occurs.
    let spelt = |word: &str| {
        targets
            .iter()
            .find(|target| target.to_lowercase() == word)
            .cloned()
            .unwrap_or_else(|| word.to_owned())
    };
    Ok(vec![spelt(pair[0]), spelt(pair[1])])
}

/// The other class that is predicted, where it is only one: it may not have come true yet.
fn only_other<'a>(labels: &BTreeSet<&'a String>, positive: &str) -> Option<&'a String> {
    let mut others = labels.iter().copied().filter(|label| label.as_str() != positive);
    others.next().filter(|_| others.next().is_none())
}

/// What the other class is called where it never occurs.
fn plain_other(positive: &str) -> String {
    let pair = PLAIN.iter().find(|pair| pair[1] == positive);
    pair.map_or_else(|| format!("not {positive}"), |pair| pair[0].to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{in_order, only_other, plain_other};

    #[test]
    fn classes_stand_in_an_order_that_people_expect() {
        let mut classes = vec!["b", "10", "a", "9"];
        classes.sort_by(|a, b| in_order(a, b));
        assert_eq!(classes, ["9", "10", "a", "b"]);
        assert_eq!((plain_other("1"), plain_other("late")), ("0".to_owned(), "not late".to_owned()));
    }
    // Where every target was on time, a prediction of `late` was none of `not on_time` and `on_time`.
    #[test]
    fn a_class_that_is_predicted_and_never_true_is_the_other_one() {
        let all = ["cancelled", "late", "on_time"].map(str::to_owned);
        let among = |labels: &[usize]| {
            let labels: BTreeSet<&String> = labels.iter().map(|i| &all[*i]).collect();
            only_other(&labels, &all[2]).cloned()
        };
        assert_eq!(among(&[1, 2]).as_deref(), Some("late"));
        assert_eq!(among(&[1]).as_deref(), Some("late"));
        assert_eq!((among(&[2]), among(&[]), among(&[0, 1, 2])), (None, None, None));
    }
}
