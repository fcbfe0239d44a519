//! Where the numbers of `windvane experiment` come from: an engine of its own over a file, or sums of another program.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::Context;
use uuid::Uuid;
use windvane_analyzer::experiment::{self, ExperimentError, ExperimentRequest, StoredExperiment};
use windvane_store::{
    LocalEngine, Reader,
    experiment::{Exposed, ExposedBy},
    findings::{
        self,
        experiment::{Look, Point, Series},
    },
    populations::{self, Population},
};
use windvane_types::{Clock, SystemClock, experiment::Document, experiment_summary::Summary, span};

use super::arguments::{Format, Given, Options, Rows, Stored, usage};
use super::cuts::SegmentsAsked;
use crate::config::{Config, experiments::Experiment};
use crate::connection;
use crate::drift::source::{ENGINE_BYTES_MAX, population_failure, reason_of};
use crate::exit::{Because, Failure, Reason};
use crate::output;
use crate::runtime::{self, Fetching, Library, Places};

/// Keys of a summary that are told where they are not read.
const UNREAD_TOLD_MAX: usize = 5;

/// What was read of an experiment.
#[derive(Debug)]
pub struct Read {
    pub document: Document,
    /// Its comparisons over time, where a report is to show them.
    pub points: Vec<Point>,
}

/// Reads the experiment.
pub async fn read(options: &Options) -> Result<Read, Failure> {
    let alone = |document| Read { document, points: Vec::new() };
    let shown = options.report.is_some() || options.format == Format::Html;
    match &options.given {
        Given::Rows(rows) => of_file(rows, options).await.map(alone),
        Given::Stored(stored) => of_store(stored, shown).await,
        Given::Summary(path) => of_summary(path, options).map(alone),
    }
}

async fn of_file(rows: &Rows, options: &Options) -> Result<Document, Failure> {
    let (engine, population) = open(&rows.file, options.offline).await?;
    let reader = Reader::Local(engine);
    let request = ExperimentRequest {
        population,
        whole: None,
        alone: None,
        arms: None,
        unit: rows.unit.clone(),
        arm: rows.arm.clone(),
        metrics: rows.metrics.clone(),
        covariate: rows.covariate.clone(),
        cuts: rows.cuts.clone(),
        rule: options.rule.clone(),
    };
    experiment::run(&reader, &request).await.map_err(failure)
}

/// Opens a file in an engine of its own.
pub async fn open(file: &Path, offline: bool) -> Result<(LocalEngine, Population), Failure> {
    let library = Places::from_environment()
        .because(Reason::Config)?
        .locate(Library::Chdb, if offline { Fetching::Forbidden } else { Fetching::Allowed })
        .map_err(runtime::failure)?;
    std::fs::metadata(file)
        .map_err(|error| anyhow::anyhow!("cannot read `{}`: {error}", file.display()))
        .because(Reason::Data)?;
    let file = file.to_owned();
    tokio::task::spawn_blocking(move || {
        let engine = LocalEngine::open(&library, ENGINE_BYTES_MAX).because(Reason::Unavailable)?;
        let population = populations::open_file(&engine, &file, "experiment").map_err(population_failure)?;
        Ok::<_, Failure>((engine, population))
    })
    .await?
}

async fn of_store(asked: &Stored, over_time: bool) -> Result<Read, Failure> {
    let config = asked.connection.config()?;
    let found = configured(&config, &asked.name)?;
    let as_of = SystemClock.now().as_microsecond();
    let experiment = cut(found.as_of(as_of), &asked.segments)?;
    let store = asked.connection.store()?;
    let looked = experiment::run_stored(&Reader::Store(store.clone()), &experiment).await;
    let mut document = looked.map_err(|error| unexposed(error, &experiment.exposed))?;
    if asked.record {
        let look = Look {
            run_id: Uuid::now_v7().to_string(),
            computed_at_us: SystemClock.now().as_microsecond(),
            as_of_us: as_of,
            experiment: found.name.clone(),
        };
        findings::experiment::write(&store, &look, &document).await.map_err(connection::failure)?;
    } else {
        tell_unrecorded(&mut document);
    }
    let points = match over_time {
        true => {
            let points = findings::experiment::over_time(&store, Series::of(&found.name)).await;
            points.map_err(connection::failure)?
        }
        false => Vec::new(),
    };
    Ok(Read { document, points })
}

/// The failure; where nobody was exposed with where exposures are looked for, and since when.
fn unexposed(error: ExperimentError, exposed: &Exposed) -> Failure {
    let nobody = matches!(&error, ExperimentError::OneArm { known } if known.is_empty());
    let failed = failure(error);
    if !nobody {
        return failed;
    }
    let place = match exposed.by {
        ExposedBy::Predictions => {
            "with `arms` of predictions that have a unit (`exposures = \"predictions\"`)"
        }
        ExposedBy::Exposures | ExposedBy::Records => {
            "with events of /v1/exposures (`exposures = \"exposures\"`)"
        }
    };
    let since = exposed.start_us.map_or(String::new(), |us| format!(" since its start, {}", span::shown(us)));
    let told = format!("no unit has come to experiment `{}` {place}{since}", exposed.experiment);
    Failure { error: failed.error.context(told), ..failed }
}

/// Says of a look that shares alpha with others that they will not know of it.
fn tell_unrecorded(document: &mut Document) {
    if document.inference != "group_sequential" {
        return;
    }
    for comparison in &mut document.comparisons {
        comparison.ledger.push(
            "not counted: it is not recorded (--no-record), so that later looks share no alpha with it; it decides nothing"
                .to_owned(),
        );
    }
}

/// The experiment with the segments and strata that the command line asks for, in place of its own.
fn cut(mut experiment: StoredExperiment, asked: &SegmentsAsked) -> Result<StoredExperiment, Failure> {
    if !asked.by.is_empty() {
        experiment.exposed.segment_by.clone_from(&asked.by);
    }
    experiment.segment_units_min = asked.units_min.unwrap_or(experiment.segment_units_min);
    if asked.stratify.is_some() {
        experiment.stratify.clone_from(&asked.stratify);
    }
    match experiment.strata_refused() {
        None => Ok(experiment),
        Some(refused) => Err(usage(format!("`--stratify` {refused}"))),
    }
}

/// The experiment of this name.
///
/// # Errors
/// There is none.
pub fn configured<'a>(config: &'a Config, name: &str) -> Result<&'a Experiment, Failure> {
    config.experiments.iter().find(|experiment| experiment.name == name).ok_or_else(|| {
        let names: Vec<&str> = config.experiments.iter().map(|known| known.name.as_str()).collect();
        let there = match names.as_slice() {
            [] => "there is none; see [experiments.<NAME>] in docs/CONFIGURATION.md".to_owned(),
            names => format!("there are {}", names.join(", ")),
        };
        usage(format!(
            "the configuration has no experiment `{name}`: {there}. A file takes more: --unit and --metric, to be compared --arm and --control as well"
        ))
    })
}

/// Reads a summary. A key that is none of the document's is told, since it may be a mistyped one of those that need not be there.
fn parse_summary(text: &str, path: &Path) -> serde_json::Result<Summary> {
    let mut unread = BTreeSet::new();
    let mut document = serde_json::Deserializer::from_str(text);
    let summary = serde_ignored::deserialize(&mut document, |key| {
        unread.insert(key.to_string());
    })?;
    document.end()?;
    if !unread.is_empty() {
        let told: Vec<&str> = unread.iter().take(UNREAD_TOLD_MAX).map(String::as_str).collect();
        let more = match unread.len() - told.len() {
            0 => String::new(),
            more => format!(" and {more} more"),
        };
        output::tell(&format!(
            "windvane: `{}` has keys that are none of windvane.experiment_summary/1 and are not read: {}{more}",
            path.display(),
            told.join(", ")
        ));
    }
    Ok(summary)
}

fn of_summary(path: &Path, options: &Options) -> Result<Document, Failure> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read `{}`", path.display()))
        .because(Reason::Data)?;
    let mut summary = parse_summary(&text, path)
        .with_context(|| format!("`{}` is no document windvane.experiment_summary/1", path.display()))
        .because(Reason::Data)?;
    options.roles.check(summary.metrics.iter().map(|metric| metric.metric.as_str()))?;
    for metric in &mut summary.metrics {
        metric.margin = options.roles.margin(&metric.metric).or(metric.margin);
        metric.role = options.roles.role(&metric.metric, metric.role);
    }
    experiment::run_summary(&summary, &path.display().to_string(), &options.rule).map_err(failure)
}

/// The exit code of each failure: what was asked for, what the data are, what is away, or what is ours.
pub fn failure(error: ExperimentError) -> Failure {
    let reason = match &error {
        ExperimentError::NoWeight { .. } => Reason::Usage,
        ExperimentError::Read(error) => reason_of(error),
        ExperimentError::Column { .. }
        | ExperimentError::NotNumbers { .. }
        | ExperimentError::NotAProportion { .. }
        | ExperimentError::OneArm { .. }
        | ExperimentError::TooManyArms { .. }
        | ExperimentError::TooManyArmsSent { .. }
        | ExperimentError::TooManyStrata { .. }
        | ExperimentError::NoTimes { .. }
        | ExperimentError::TooManyDays { .. }
        | ExperimentError::NoControl { .. }
        | ExperimentError::NoShare { .. }
        | ExperimentError::Sums { .. }
        | ExperimentError::Summary { .. } => Reason::Data,
    };
    Failure { reason, error: error.into() }
}
