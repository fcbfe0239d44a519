//! The populations of a measurement over the store: windows of a model's predictions, joined with their outcomes as far as these are known.

use windvane_store::baselines;
use windvane_store::performance::Roles;
use windvane_store::populations::{
    OUTCOME, OUTCOME_VALUE, PROBABILITY, Population, PredictionFilter, Storage, TIME, UNIT, Wanted,
    open_labelled, open_labelled_of,
};
use windvane_store::{ReadError, Reader, Store};
use windvane_types::performance::Task;
use windvane_types::span::{ReferenceKind, Span};

use super::Question;
use crate::drift::{Deployment, OpenError};

const SCORE: &str = "prediction.score";
const LABEL: &str = "prediction.label";
const VALUE: &str = "prediction.value";

/// What is to be measured.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// Whose predictions.
    pub deployment: &'a Deployment,
    /// Where thresholds, calibrations and loss models come from.
    pub reference: &'a ReferenceKind,
    /// The window in question.
    pub window: Span,
    /// Only predictions that were stored before this time, microseconds since 1970 UTC.
    pub stored_before_us: i64,
}

/// Both sides, ready to be measured.
#[derive(Debug)]
pub struct Opened {
    /// The reference.
    pub reference: Population,
    /// The window.
    pub current: Population,
    /// The reference in event time.
    pub reference_span: Span,
}

/// Opens both sides, and says in the question which of their columns are what.
///
/// # Errors
/// The baseline does not exist, or a statement fails.
pub async fn open(store: &Store, asked: Asked<'_>, question: &mut Question) -> Result<Opened, OpenError> {
    let reader = Reader::Store(store.clone());
    let (deployment, reference_span) = reference(store, &asked).await?;
    let wanted = wanted(question);
    let (mut reference, mut current) = tokio::try_join!(
        side(&reader, (&deployment, reference_span), (asked.stored_before_us, wanted.as_ref())),
        side(&reader, (asked.deployment, asked.window), (asked.stored_before_us, wanted.as_ref())),
    )?;
    reference.agree(&mut current);
    question.roles = roles(question, [&reference, &current]);
    for population in [&mut reference, &mut current] {
        complete(population, &question.roles);
    }
    Ok(Opened { reference, current, reference_span })
}

/// Whose predictions the reference is of, and when. Of a baseline the rows are read: outcomes have come since it was saved.
async fn reference(store: &Store, asked: &Asked<'_>) -> Result<(Deployment, Span), OpenError> {
    let span = match asked.reference {
        ReferenceKind::Previous => asked.window.before(),
        ReferenceKind::SameHourLastWeek => asked.window.a_week_before(),
        ReferenceKind::Window(span) => *span,
        ReferenceKind::Baseline(name) => {
            let found = baselines::find(store, &asked.deployment.model, name).await;
            let saved = found.map_err(ReadError::from)?.ok_or_else(|| OpenError::NoBaseline {
                model: asked.deployment.model.clone(),
                name: name.clone(),
            })?;
            let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
            let deployment = Deployment {
                model: saved.baseline.model.clone(),
                version: named(&saved.baseline.version),
                environment: named(&saved.baseline.environment),
            };
            return Ok((deployment, saved.baseline.span()));
        }
    };
    Ok((asked.deployment.clone(), span))
}

async fn side(
    reader: &Reader,
    (deployment, span): (&Deployment, Span),
    (stored_before_us, wanted): (i64, Option<&Wanted>),
) -> Result<Population, ReadError> {
    let filter = PredictionFilter {
        model: deployment.model.clone(),
        version: deployment.version.clone(),
        environment: deployment.environment.clone(),
        start_us: span.start_us,
        end_us: span.end_us,
        stored_before_us,
    };
    let source = format!("{} {span}", deployment.model);
    if let Some(wanted) = wanted
        && let Some(population) = open_labelled_of(reader, source.clone(), &filter, wanted).await?
    {
        return Ok(population);
    }
    open_labelled(reader, source, &filter).await
}

/// What is read, where no features are looked at.
fn wanted(question: &Question) -> Option<Wanted> {
    let Question { task, roles, segment_by, estimate, concept_drift, weakest, .. } = question;
    let answer = match task {
        Task::Binary | Task::Ranking => SCORE,
        Task::Regression => VALUE,
        Task::Multiclass => return None,
    };
    // Losses of regressions are estimated by features; items may be grouped by one.
    let by_features = *weakest > 0 || *concept_drift || (*estimate && *task == Task::Regression);
    (!by_features && roles.group.is_none()).then(|| Wanted { segment_by: segment_by.clone(), answer })
}

/// Which columns say what: of what predictions hold on either side.
fn roles(question: &Question, sides: [&Population; 2]) -> Roles {
    let has = |name: &str| sides.iter().any(|side| side.role(name).is_some());
    let given = |name: &str| Some(name.to_owned()).filter(|name| has(name));
    let mut classes: Vec<String> = sides
        .iter()
        .flat_map(|side| side.told())
        .filter_map(|column| column.name.strip_prefix(PROBABILITY).map(str::to_owned))
        .collect();
    classes.sort_unstable();
    classes.dedup();
    let probability = |class: &String| format!("{PROBABILITY}{class}");
    let base = Roles { timestamp: Some(TIME.to_owned()), ..Roles::default() };
    let of_positive = question.positive.as_ref().filter(|class| classes.contains(class)).map(probability);
    let score = given(SCORE).or(of_positive);
    match question.task {
        Task::Binary => Roles {
            target: Some(OUTCOME.to_owned()),
            label: given(LABEL).filter(|_| !has(SCORE)),
            score,
            ..base
        },
        Task::Multiclass => Roles {
            target: Some(OUTCOME.to_owned()),
            label: given(LABEL),
            probabilities: classes.iter().map(|class| (class.clone(), probability(class))).collect(),
            ..base
        },
        Task::Regression => {
            Roles { target: Some(OUTCOME_VALUE.to_owned()), value: Some(VALUE.to_owned()), ..base }
        }
        Task::Ranking => Roles {
            target: Some(OUTCOME_VALUE.to_owned()),
            score: Some(SCORE.to_owned()),
            // Items of one unit are ranked together unless another column is named.
            group: question.roles.group.clone().or(Some(UNIT.to_owned())),
            ..base
        },
    }
}

/// A role that a side has no values for is a column of nothing there.
fn complete(population: &mut Population, roles: &Roles) {
    let single = [&roles.score, &roles.label, &roles.value].into_iter().flatten();
    let names: Vec<&String> = single.chain(roles.probabilities.iter().map(|(_, column)| column)).collect();
    for name in names {
        if population.role(name).is_none() {
            population.tell(name, Storage::Nothing);
        }
    }
}
