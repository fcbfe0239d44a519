//! Traffic out of the store: recorded predictions as a table, a column a feature, for the process that runs models.
//!
//! The child with the models gets a file and no way to the store.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::FileWriter;
use clap::Args;
use windvane_shadow::run::Job;
use windvane_store::Store;
use windvane_store::populations::PredictionFilter;
use windvane_store::recorded_requests::{self, Recorded};
use windvane_types::span::{self, Span};
use windvane_types::{Clock, SystemClock};

use super::arguments::usage;
use crate::connection;
use crate::exit::{Because, Failure, Reason};

/// The word in place of a file.
pub const STORE: &str = "store";
/// The column with the instants of predictions, and the one with outcomes.
pub const TIME: &str = "ts";
pub const OUTCOME: &str = "outcome";
/// Features that become columns at most.
const FEATURES_MAX: usize = 2_000;
/// Requests that are taken out of the store unless --sample says otherwise, and at most.
const REQUESTS: u64 = 20_000;
const REQUESTS_MAX: u64 = 200_000;

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

    /// Writes the predictions into the empty `folder`, points the job to them, and answers what a reader of the verdict should know.
    /// None at all is traffic too: the gate over it is inconclusive.
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
        let filter = PredictionFilter {
            model: model.clone(),
            version: self.model_version.clone(),
            environment: self.environment.clone(),
            start_us,
            end_us,
            stored_before_us: now.as_microsecond(),
        };
        let read = recorded_requests::read(store, &filter, (limit(job), job.seed));
        let recorded = connection::wait_for(async { read.await.map_err(connection::failure) })?;
        let shown = format!("{}/{}", span::shown(start_us), span::shown(end_us));
        job.traffic_name = Some(format!("store: model {model}, {shown}"));
        job.time.get_or_insert_with(|| TIME.to_owned());
        if recorded.is_empty() {
            // A folder without requests lacks no input that a model takes.
            job.traffic = folder.to_owned();
            return Ok(vec![self.nothing(model, &shown)]);
        }
        job.traffic = folder.join("traffic.arrow");
        write(&job.traffic, &recorded)
            .context("cannot write the recorded requests")
            .because(Reason::Software)?;
        if job.sample.as_ref().is_some_and(|sample| sample.by.is_none()) {
            // The store has drawn already.
            job.sample = None;
        }
        if recorded.iter().any(|request| request.outcome.is_some()) {
            job.target.get_or_insert_with(|| OUTCOME.to_owned());
        }
        Ok(Vec::new())
    }

    /// What was looked for and not found.
    fn nothing(&self, model: &str, shown: &str) -> String {
        let also = |name: &str, value: &Option<String>| {
            value.as_ref().map_or_else(String::new, |value| format!(", {name} `{value}`"))
        };
        let version = also("version", &self.model_version);
        let environment = also("environment", &self.environment);
        format!("the store has no prediction of model `{model}`{version}{environment} in {shown}")
    }
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
