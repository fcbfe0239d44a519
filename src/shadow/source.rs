//! Traffic out of the store: captured payloads, or recorded predictions as a table, a column a feature, for the process that runs
//! models.
//!
//! The child with the models gets a file and no way to the store.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::FileWriter;
use clap::Args;
use windvane_shadow::run::{Instead, Job};
use windvane_store::Store;
use windvane_store::populations::PredictionFilter;
use windvane_store::recorded_payloads::{self, Coverage};
use windvane_store::recorded_requests::{self, Recorded, Which};
use windvane_types::span::{self, Span};
use windvane_types::{Clock, SystemClock};

use super::arguments::usage;
use super::payloads::{self, Wanted};
use crate::connection;
use crate::exit::{Because, Failure, Reason};

/// The column with the instants of predictions, and the one with outcomes.
pub const TIME: &str = "ts";
pub const OUTCOME: &str = "outcome";
/// Features that become columns at most.
const FEATURES_MAX: usize = 2_000;
/// Requests that are taken out of the store unless --sample says otherwise, and at most.
const REQUESTS: u64 = 20_000;
const REQUESTS_MAX: u64 = 200_000;

/// What the store is asked for, where the traffic is not a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stored {
    /// Payloads where they cover enough of the window, else features.
    Either,
    /// The tensors that the model was given.
    Payloads,
    /// The features of recorded predictions.
    Features,
}

impl Stored {
    /// The words for them on the command line.
    pub const WORDS: &str = "store, store:payloads or store:features";

    /// What a word in place of a file means.
    pub fn of(traffic: &Path) -> Option<Self> {
        match traffic.to_str()? {
            "store" => Some(Self::Either),
            "store:payloads" => Some(Self::Payloads),
            "store:features" => Some(Self::Features),
            _ => None,
        }
    }
}

/// Which predictions of the store are asked again.
#[derive(Debug, Args)]
#[group(skip)]
pub struct Flags {
    /// With `--traffic store`: the model whose predictions are asked again.
    #[arg(long, value_name = "MODEL")]
    model: Option<String>,
    /// Only predictions of this version.
    #[arg(long, value_name = "VERSION", requires = "model")]
    model_version: Option<String>,
    /// Only predictions of this environment.
    #[arg(long, value_name = "ENVIRONMENT", requires = "model")]
    environment: Option<String>,
    /// Of this span: a length back from now (`24h`, `7d`) or `START/END`.
    #[arg(long, value_name = "SPAN", requires = "model")]
    window: Option<String>,
    /// Only requests of a segment: whose feature or tag has this value; repeatable, and then of all of them.
    #[arg(long, value_name = "NAME=VALUE", requires = "model", value_parser = value_of)]
    segment: Vec<(String, String)>,
}

fn value_of(word: &str) -> Result<(String, String), String> {
    let parts = word.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = parts.ok_or("give a feature or a tag and its value, such as `carrier=UA`")?;
    Ok((name.to_owned(), value.to_owned()))
}

impl Flags {
    /// The model, where one is named.
    pub fn model(&self) -> &str {
        self.model.as_deref().unwrap_or_default()
    }

    /// Its version.
    pub fn version(&self) -> &str {
        self.model_version.as_deref().unwrap_or_default()
    }

    /// Writes payloads or predictions into the empty `folder`, points the job to them, and answers what a reader of the verdict should
    /// know. None at all is traffic too: the gate over it is inconclusive.
    ///
    /// # Errors
    /// The flags do not say which, the store does not answer, or a file cannot be written.
    pub fn fetch(&self, store: &Store, folder: &Path, job: &mut Job) -> Result<Vec<String>, Failure> {
        let (Some(model), Some(window)) = (&self.model, &self.window) else {
            return Err(usage("`--traffic store` needs --model and --window"));
        };
        let now = SystemClock.now();
        let Span { start_us, end_us } =
            Span::parse(window, now).map_err(|problem| usage(&format!("`--window {window}`: {problem}")))?;
        let segment: BTreeMap<String, String> = self.segment.iter().cloned().collect();
        if segment.len() < self.segment.len() {
            return Err(usage("`--segment` names a feature or tag twice; a request has one value of each"));
        }
        let filter = PredictionFilter {
            model: model.clone(),
            version: self.model_version.clone(),
            environment: self.environment.clone(),
            start_us,
            end_us,
            stored_before_us: now.as_microsecond(),
        };
        let which = Which { filter, segment };
        let stored = Stored::of(&job.traffic).unwrap_or(Stored::Either);
        let shown = format!("{}/{}", span::shown(start_us), span::shown(end_us));
        job.time.get_or_insert_with(|| TIME.to_owned());
        // A folder without requests lacks no input that a model takes.
        job.traffic = folder.to_owned();
        let asked = format!("model {model}{}, {shown}", self.narrowed());
        let (payloads_name, features_name) =
            (format!("store: payloads of {asked}"), format!("store: {asked}"));
        job.traffic_name = Some(payloads_name.clone());
        let coverage = match stored {
            Stored::Payloads => {
                return Ok(ask_payloads(store, &which, job)?
                    .unwrap_or_else(|| vec![self.nothing("payload", model, &shown)]));
            }
            Stored::Features => Coverage { payloads: 0, features: 0 },
            Stored::Either => connection::wait_for(async {
                recorded_payloads::coverage(store, &which).await.map_err(connection::failure)
            })?,
        };
        if prefers_payloads(coverage, limit(job))
            && let Some(notes) = ask_payloads(store, &which, job)?
        {
            return Ok(notes);
        }
        let other = match coverage.payloads {
            0 => None,
            _ => other_payloads(store, (&which, coverage), (&*job, payloads_name))?,
        };
        job.traffic_name = Some(features_name);
        let Some(notes) = ask_features(store, &which, job)? else {
            return Ok(vec![self.nothing("prediction", model, &shown)]);
        };
        if let Some((instead, target)) = other {
            job.instead = Some(instead);
            job.target = job.target.take().or(target);
        }
        Ok(notes)
    }

    /// What was looked for and not found.
    fn nothing(&self, what: &str, model: &str, shown: &str) -> String {
        format!("the store has no {what} of model `{model}`{} in {shown}", self.narrowed())
    }

    /// What of the model is asked, where it is not all.
    fn narrowed(&self) -> String {
        let also = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(", {name} `{value}`"))
        };
        let segment: String =
            self.segment.iter().map(|(name, value)| format!(", {name} `{value}`")).collect();
        also("version", &self.model_version) + &also("environment", &self.environment) + &segment
    }
}

/// Whether payloads are asked. They are what the model saw, element by element, so that half as many of them are worth as much.
fn prefers_payloads(coverage: Coverage, limit: u64) -> bool {
    let payloads = coverage.payloads.min(limit);
    payloads > 0 && payloads * 2 >= coverage.features.min(limit)
}

/// Writes the few payloads beside the many features, for models that do not take features; with them the column of outcomes.
fn other_payloads(
    store: &Store,
    (which, coverage): (&Which, Coverage),
    (job, traffic_name): (&Job, String),
) -> Result<Option<(Instead, Option<String>)>, Failure> {
    let mut other = Job { traffic: job.traffic.join("payloads"), ..job.clone() };
    std::fs::create_dir(&other.traffic).context("cannot make a folder for payloads")?;
    if ask_payloads(store, which, &mut other)?.is_none() {
        return Ok(None);
    }
    let Coverage { payloads, features } = coverage;
    let notes = (
        format!(
            "asked with {payloads} captured payloads, because the features of {features} predictions are not what the models take"
        ),
        format!(
            "asked with recorded features, because {payloads} captured payloads cover less than half of {features} predictions with features; `--traffic store:payloads` asks with payloads"
        ),
    );
    Ok(Some((Instead { traffic: other.traffic, traffic_name, notes }, other.target)))
}

/// Writes the captured payloads into the job's folder, and answers what to say about them; `None` where there are none.
fn ask_payloads(store: &Store, which: &Which, job: &mut Job) -> Result<Option<Vec<String>>, Failure> {
    let wanted = Wanted { which, limit: limit(job), seed: job.seed, features: columns(job) };
    let asked_for = (asked_for(job), limit(job));
    let written = connection::wait_for(payloads::fetch(store, &wanted, &job.traffic))?;
    if written.requests == 0 {
        return Ok(None);
    }
    settle(job, written.outcomes > 0);
    let mut notes = vec![format!(
        "asked with {} captured payloads; `--traffic store:features` asks with recorded features",
        written.requests
    )];
    notes.extend(drawn(written.requests + written.left_out, asked_for));
    if written.left_out > 0 {
        notes.push(format!(
            "{} captured payloads were left out, because all together are more than 1 GiB; --sample asks fewer",
            written.left_out
        ));
    }
    Ok(Some(notes))
}

/// Writes recorded predictions into the job's folder, and answers what to say about them; `None` where there are none.
fn ask_features(store: &Store, which: &Which, job: &mut Job) -> Result<Option<Vec<String>>, Failure> {
    let columns = columns(job);
    let asked_for = (asked_for(job), limit(job));
    let read = recorded_requests::read(store, which, (limit(job), job.seed), &columns);
    let recorded = connection::wait_for(async { read.await.map_err(connection::failure) })?;
    if recorded.is_empty() {
        return Ok(None);
    }
    let file = job.traffic.join("traffic.arrow");
    write(&file, &recorded).context("cannot write the recorded requests").because(Reason::Software)?;
    job.traffic = file;
    settle(job, recorded.iter().any(|request| request.outcome.is_some()));
    Ok(Some(drawn(recorded.len(), asked_for).into_iter().collect()))
}

/// How many requests somebody has asked for; without a number all of the window.
fn asked_for(job: &Job) -> u64 {
    job.sample.as_ref().filter(|sample| sample.by.is_none()).map_or(u64::MAX, |sample| sample.requests)
}

/// What to say where as many requests came as are taken at most, though more were asked for.
fn drawn(requests: usize, (asked_for, most): (u64, u64)) -> Option<String> {
    let requests = requests as u64;
    (asked_for > requests && requests >= most).then(|| {
        format!(
            "{requests} requests were drawn from the window, which may have more: without --sample {REQUESTS} are taken, and {REQUESTS_MAX} at most"
        )
    })
}

/// Says what the store has done already, and which column has the outcomes.
fn settle(job: &mut Job, has_outcomes: bool) {
    if job.sample.as_ref().is_some_and(|sample| sample.by.is_none()) {
        job.sample = None;
    }
    if has_outcomes {
        job.target.get_or_insert_with(|| OUTCOME.to_owned());
    }
}

/// The columns that the job needs beside the inputs of models and what every request has.
fn columns(job: &Job) -> Vec<String> {
    let strata = job.sample.as_ref().and_then(|sample| sample.by.as_ref());
    let named = job.segment_by.iter().chain(&job.target).chain(&job.time).chain(strata);
    let named: BTreeSet<&String> = named.filter(|name| *name != TIME && *name != OUTCOME).collect();
    named.into_iter().cloned().collect()
}

/// How many requests are taken out of the store. A sample of strata is drawn out of them later, so there have to be more.
fn limit(job: &Job) -> u64 {
    match &job.sample {
        None => REQUESTS,
        Some(sample) if sample.by.is_some() => REQUESTS_MAX,
        Some(sample) => sample.requests.min(REQUESTS_MAX),
    }
}

fn write(file: &Path, recorded: &[Recorded]) -> anyhow::Result<()> {
    let num: BTreeSet<&String> =
        recorded.iter().flat_map(|request| request.num.keys()).take(FEATURES_MAX * 100).collect();
    let cat: BTreeSet<&String> =
        recorded.iter().flat_map(|request| request.cat.keys()).take(FEATURES_MAX * 100).collect();
    let mut fields = Vec::new();
    let mut columns: Vec<ArrayRef> = Vec::new();
    for name in num.iter().take(FEATURES_MAX) {
        let values: Float64Array = recorded.iter().map(|request| request.num.get(*name).copied()).collect();
        fields.push(Field::new(name.as_str(), DataType::Float64, true));
        columns.push(Arc::new(values));
    }
    // A name that is numeric in some rows and text in others is the numeric one.
    for name in cat.iter().filter(|name| !num.contains(*name)).take(FEATURES_MAX) {
        let values: StringArray = recorded.iter().map(|request| request.cat.get(*name)).collect();
        fields.push(Field::new(name.as_str(), DataType::Utf8, true));
        columns.push(Arc::new(values));
    }
    // So is a tag that has the name of a feature.
    let tags: BTreeSet<&String> = recorded.iter().flat_map(|request| request.tags.keys()).collect();
    for name in tags.into_iter().filter(|name| !num.contains(name) && !cat.contains(name)) {
        let values: StringArray = recorded.iter().map(|request| request.tags.get(name)).collect();
        fields.push(Field::new(name.as_str(), DataType::Utf8, true));
        columns.push(Arc::new(values));
    }
    let taken: BTreeSet<String> = fields.iter().map(|field: &Field| field.name().clone()).collect();
    if !taken.contains(TIME) {
        fields.push(Field::new(TIME, DataType::Int64, false));
        columns.push(Arc::new(recorded.iter().map(|request| Some(request.ts_us)).collect::<Int64Array>()));
    }
    if !taken.contains(OUTCOME) {
        fields.push(Field::new(OUTCOME, DataType::Utf8, true));
        columns
            .push(Arc::new(recorded.iter().map(|request| request.outcome.clone()).collect::<StringArray>()));
    }
    let schema = Arc::new(Schema::new(fields));
    let mut writer = FileWriter::try_new(File::create(file)?, &schema)?;
    writer.write(&RecordBatch::try_new(Arc::clone(&schema), columns)?)?;
    Ok(writer.finish()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_that_may_have_more_than_is_taken_is_told() {
        for (requests, asked_for, most, expected) in [
            (500, u64::MAX, REQUESTS, false),
            (20_000, u64::MAX, REQUESTS, true),
            // As many as were asked for.
            (20_000, 20_000, 20_000, false),
            (30_000, 100_000, 100_000, false),
            (200_000, 300_000, REQUESTS_MAX, true),
            // Of strata.
            (30_000, u64::MAX, REQUESTS_MAX, false),
        ] {
            assert_eq!(drawn(requests, (asked_for, most)).is_some(), expected, "{requests} of {asked_for}");
        }
    }

    #[test]
    fn payloads_are_asked_where_they_cover_half_of_what_features_do() {
        for ((payloads, features), limit, expected) in [
            ((0, 0), 100, false),
            ((0, 50), 100, false),
            ((5, 0), 100, true),
            ((600, 600), 20_000, true),
            ((5, 10), 100, true),
            ((4, 10), 100, false),
            // No more than the limit is asked either way.
            ((100, 1_000_000), 100, true),
        ] {
            let coverage = Coverage { payloads, features };
            assert_eq!(prefers_payloads(coverage, limit), expected, "{coverage:?} up to {limit}");
        }
    }
}
