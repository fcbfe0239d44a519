//! What the command line of `windvane performance` means once it is checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use windvane_analyzer::drift::SegmentBounds;
use windvane_analyzer::performance::{Cut, Question, Rule};
use windvane_stats::performance::ranking::WithoutRelevant;
use windvane_stats::performance::threshold::{Deviations, Offset};
use windvane_store::performance::{Period, Roles};
use windvane_types::distinct::distinct;
use windvane_types::nearest::nearest;
use windvane_types::performance::{METRICS, Task};

use super::arguments::{
    Arguments, Columns, CutArguments, FailOn, Format, OffsetName, RuleArguments, StoredArguments, TaskName,
    WithoutRelevantName,
};
use crate::drift::arguments::{Predictions, Sides, usage};
use crate::exit::Failure;

/// Checked arguments.
#[derive(Debug)]
pub struct Options {
    pub sides: Sides,
    pub question: Question,
    pub format: Format,
    pub report: Option<PathBuf>,
    pub fail_on: Option<FailOn>,
    pub offline: bool,
}

impl Options {
    /// Whether an engine runs in this process.
    pub fn embedded(&self) -> bool {
        matches!(self.sides, Sides::Files { .. })
    }
}

/// The populations of the command line.
fn sides(
    files: (Option<PathBuf>, Option<PathBuf>),
    StoredArguments { model, narrowed, reference, stored }: StoredArguments,
) -> Result<Sides, Failure> {
    match (files, model, reference, stored.window) {
        ((Some(reference), Some(current)), None, ..) => Ok(Sides::Files { reference, current }),
        ((None, None), Some(model), Some(reference), Some(window)) => {
            let deployment = narrowed.of(&model);
            let (record, connection) = (!stored.no_record, stored.connection);
            Ok(Sides::Predictions(Box::new(Predictions {
                deployment,
                reference,
                window,
                record,
                connection,
            })))
        }
        _ => Err(usage("give two files, or --model with --reference and --window".to_owned())),
    }
}

/// Checks what was typed.
///
/// # Errors
/// A usage error that says what would have been accepted.
pub fn check(arguments: Arguments) -> Result<Options, Failure> {
    let Arguments { columns, rule, task, .. } = &arguments;
    refuse_of_other_tasks(*task, columns)?;
    let threshold = columns.threshold.unwrap_or(0.5);
    let quantile = columns.quantile.unwrap_or(0.5);
    let k = columns.k.unwrap_or(10);
    within("--threshold", threshold, threshold.is_finite(), "a finite number")?;
    within("--quantile", quantile, quantile > 0.0 && quantile < 1.0, "above 0 and below 1")?;
    within("--k", k, (1..=10_000).contains(&k), "1 to 10000")?;
    within(
        "--confidence",
        rule.confidence,
        rule.confidence > 0.0 && rule.confidence < 1.0,
        "above 0 and below 1",
    )?;
    within("--min-rows", rule.min_rows, rule.min_rows > 0, "1 or more")?;
    within("--weakest", arguments.weakest, arguments.weakest <= 1_000, "0 to 1000")?;
    if columns.group.is_some() && *task != TaskName::Ranking {
        return Err(usage(
            "--group says which items are ranked together, with --task ranking; --segment-by cuts segments"
                .to_owned(),
        ));
    }
    let stored = arguments.stored.model.is_some();
    // Of stored predictions it is what they have that says so; no ranking has any.
    if arguments.estimate && (!stored || *task == TaskName::Ranking) {
        estimable(*task, columns)?;
    }
    let question = Question {
        task: (*task).into(),
        // Of stored predictions the columns are known once they are opened.
        roles: if stored {
            Roles { group: columns.group.clone(), ..Roles::default() }
        } else {
            roles(*task, columns)?
        },
        positive: columns.positive.clone(),
        threshold,
        cut: cut(&arguments.cut, (columns, stored))?,
        incomplete: arguments.cut.incomplete.into(),
        segment_by: distinct(arguments.segment_by.clone()),
        segments: SegmentBounds::default(),
        rule: self::rule(rule, (*task).into())?,
        k,
        without_relevant: match columns.without_relevant {
            None | Some(WithoutRelevantName::LeftOut) => WithoutRelevant::LeftOut,
            Some(WithoutRelevantName::Zero) => WithoutRelevant::Zero,
        },
        quantile,
        estimate: arguments.estimate,
        concept_drift: arguments.concept_drift,
        weakest: arguments.weakest,
        features: arguments.features.clone().map(distinct),
    };
    if question.segment_by.iter().any(String::is_empty) {
        return Err(usage("a column name is empty in `--segment-by`".to_owned()));
    }
    Ok(Options {
        sides: sides((arguments.reference_file, arguments.current), arguments.stored)?,
        question,
        format: arguments.format,
        report: arguments.report,
        fail_on: arguments.fail_on,
        offline: arguments.offline,
    })
}

fn within(flag: &str, value: impl std::fmt::Display, fits: bool, allowed: &str) -> Result<(), Failure> {
    match fits {
        true => Ok(()),
        false => Err(usage(format!("`{flag} {value}` is out of range: {allowed}"))),
    }
}

/// Refuses what says nothing to a task: a column that nobody reads, or a setting of another task's metrics.
fn refuse_of_other_tasks(task: TaskName, columns: &Columns) -> Result<(), Failure> {
    use TaskName::{Binary, Multiclass, Ranking, Regression};
    let of_tasks: [(&str, bool, &[TaskName]); 9] = [
        ("--score", columns.score.is_some(), &[Binary, Regression, Ranking]),
        ("--label", columns.label.is_some(), &[Binary, Multiclass]),
        ("--probabilities", !columns.probabilities.is_empty(), &[Multiclass]),
        ("--value", columns.value.is_some(), &[Regression]),
        ("--positive", columns.positive.is_some(), &[Binary]),
        ("--threshold", columns.threshold.is_some(), &[Binary]),
        ("--k", columns.k.is_some(), &[Ranking]),
        ("--without-relevant", columns.without_relevant.is_some(), &[Ranking]),
        ("--quantile", columns.quantile.is_some(), &[Regression]),
    ];
    let name = |task: TaskName| Task::from(task).as_str();
    match of_tasks.into_iter().find(|(_, is_given, tasks)| *is_given && !tasks.contains(&task)) {
        None => Ok(()),
        Some((flag, _, tasks)) => {
            let tasks: Vec<&str> = tasks.iter().map(|task| name(*task)).collect();
            let (tasks, own) = (tasks.join(" or "), name(task));
            Err(usage(format!("`{flag}` goes with --task {tasks} only, and this is --task {own}")))
        }
    }
}

/// The columns that a task needs.
fn roles(task: TaskName, columns: &Columns) -> Result<Roles, Failure> {
    let needed = |has: bool, flags: &str| match has {
        true => Ok(()),
        false => Err(usage(format!("--task {} needs {flags}", Task::from(task).as_str()))),
    };
    let Columns { score, label, probabilities, value, group, .. } = columns;
    match task {
        TaskName::Binary => needed(score.is_some() || label.is_some(), "--score or --label")?,
        TaskName::Multiclass => {
            needed(!probabilities.is_empty() || label.is_some(), "--probabilities or --label")?;
        }
        TaskName::Regression => needed(value.is_some() || score.is_some(), "--value")?,
        TaskName::Ranking => {
            needed(score.is_some(), "--score")?;
            needed(group.is_some(), "--group, the column that says which items are ranked together")?;
            if columns.weight.is_some() {
                return Err(usage(
                    "--weight is what a row counts, and of --task ranking groups count".to_owned(),
                ));
            }
        }
    }
    let several = task == TaskName::Multiclass;
    Ok(Roles {
        target: columns.target.clone(),
        score: score.clone().filter(|_| matches!(task, TaskName::Binary | TaskName::Ranking)),
        label: label.clone().filter(|_| matches!(task, TaskName::Binary | TaskName::Multiclass)),
        probabilities: if several { pairs(probabilities)? } else { Vec::new() },
        value: value.clone().or(score.clone()).filter(|_| task == TaskName::Regression),
        weight: columns.weight.clone(),
        group: group.clone().filter(|_| task == TaskName::Ranking),
        timestamp: columns.timestamp.clone(),
    })
}

/// Estimates are made of what the model says of its own certainty, and of numbers.
fn estimable(task: TaskName, columns: &Columns) -> Result<(), Failure> {
    match task {
        TaskName::Binary if columns.score.is_none() => Err(usage("--estimate needs --score".to_owned())),
        TaskName::Multiclass if columns.probabilities.is_empty() => {
            Err(usage("--estimate needs --probabilities".to_owned()))
        }
        TaskName::Ranking => {
            Err(usage("--estimate is of classes and numbers, not of --task ranking".to_owned()))
        }
        TaskName::Binary | TaskName::Multiclass | TaskName::Regression => Ok(()),
    }
}

/// `class=COLUMN` of each class.
fn pairs(texts: &[String]) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for text in texts {
        let Some((class, column)) =
            text.split_once('=').filter(|(class, column)| !class.is_empty() && !column.is_empty())
        else {
            return Err(usage(format!("`--probabilities {text}` is no class=COLUMN, as in late=p_late")));
        };
        if pairs.iter().any(|(known, _)| known == class) {
            return Err(usage(format!("the class `{class}` stands twice in --probabilities")));
        }
        if pairs.iter().any(|(_, known)| known == column) {
            return Err(usage(format!("the column `{column}` stands twice in --probabilities")));
        }
        pairs.push((class.to_owned(), column.to_owned()));
    }
    if pairs.len() == 1 {
        return Err(usage("--probabilities needs a column for each class, two or more".to_owned()));
    }
    Ok(pairs)
}

fn cut(arguments: &CutArguments, (columns, stored): (&Columns, bool)) -> Result<Cut, Failure> {
    let positive = |flag: &str, number: u64| within(flag, number, number > 0, "1 or more").map(|()| number);
    Ok(match (arguments.chunk_rows, arguments.chunks, arguments.chunk_period) {
        (Some(rows), ..) => Cut::Rows(positive("--chunk-rows", rows)?),
        (_, Some(chunks), _) => Cut::Chunks(positive("--chunks", chunks)?),
        (.., Some(period)) if stored || columns.timestamp.is_some() => Cut::Period(period.into()),
        (.., Some(_)) => {
            return Err(usage("--chunk-period needs --timestamp, the column of times".to_owned()));
        }
        _ if stored => Cut::Period(Period::Day),
        _ => Cut::Chunks(10),
    })
}

fn rule(arguments: &RuleArguments, task: Task) -> Result<Rule, Failure> {
    let (below, above) = match arguments.threshold_std.as_slice() {
        [both] => (*both, *both),
        [below, above] => (*below, *above),
        _ => return Err(usage("--threshold-std takes one number, or two for below and above".to_owned())),
    };
    for number in [below, above] {
        within("--threshold-std", number, number >= 0.0 && number.is_finite(), "0 or more")?;
    }
    let offset = match arguments.threshold_offset {
        OffsetName::Mean => Offset::Mean,
        OffsetName::Median => Offset::Median,
        OffsetName::Min => Offset::Min,
        OffsetName::Max => Offset::Max,
    };
    let mut fixed: BTreeMap<String, [Option<f64>; 2]> = BTreeMap::new();
    for (place, (flag, texts)) in
        [("--threshold-lower", &arguments.threshold_lower), ("--threshold-upper", &arguments.threshold_upper)]
            .into_iter()
            .enumerate()
    {
        for text in texts {
            let (metric, value) = end((flag, text), task)?;
            fixed.entry(metric).or_default()[place] = Some(value);
        }
    }
    for (metric, ends) in &fixed {
        if let [Some(lower), Some(upper)] = ends
            && lower > upper
        {
            return Err(usage(format!(
                "`--threshold-lower {metric}={lower}` is above `--threshold-upper {metric}={upper}`: nothing lies between"
            )));
        }
    }
    Ok(Rule {
        confidence: arguments.confidence,
        deviations: Deviations { below, above, offset },
        fixed,
        min_rows: arguments.min_rows,
    })
}

/// `metric=value` of a metric of the task.
fn end((flag, text): (&str, &str), task: Task) -> Result<(String, f64), Failure> {
    let parsed = text.split_once('=').and_then(|(metric, value)| Some((metric, value.parse::<f64>().ok()?)));
    let Some((metric, value)) = parsed.filter(|(_, value)| value.is_finite()) else {
        return Err(usage(format!("`{flag} {text}` is no METRIC=VALUE, as in roc_auc=0.8")));
    };
    if !METRICS.contains(&metric) {
        let all = match nearest(metric, METRICS) {
            Some(name) => format!("did you mean `{name}`? All metrics"),
            None => "all metrics".to_owned(),
        };
        return Err(usage(format!("there is no metric `{metric}`; {all}: {}", METRICS.join(", "))));
    }
    if !task.has(metric) {
        let own: Vec<&str> = METRICS.into_iter().filter(|metric| task.has(metric)).collect();
        let task = task.as_str();
        return Err(usage(format!(
            "`{metric}` is no metric of --task {task}; those are: {}",
            own.join(", ")
        )));
    }
    Ok((metric.to_owned(), value))
}
