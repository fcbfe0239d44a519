//! `windvane baseline`: named reference populations, saved with their profile, listed, shown, deleted.

use anyhow::anyhow;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use serde::Serialize;
use windvane_analyzer::baseline;
use windvane_analyzer::drift::{self, Deployment};
use windvane_store::baselines::{self, Baseline, Saved};
use windvane_store::{Reader, Store};
use windvane_types::baseline::Profile;
use windvane_types::drift::Kind;
use windvane_types::span::{self, Span};
use windvane_types::{Clock, SystemClock};

use crate::by_hand;
use crate::connection;
use crate::drift::{
    arguments::usage,
    source::reason_of,
    words::{counted, grouped},
};
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::{pretty, print};

/// Keep the profile of a span of a model's predictions under a name, so that comparisons with it read only the window in
/// question: `windvane drift --model M --reference baseline:NAME --window 24h`.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Read a span of predictions once and keep its profile; a baseline of the same name is replaced.
    #[command(group = ArgGroup::new("span").required(true).args(["window", "from"]))]
    Save {
        /// The baseline's name.
        name: String,
        #[command(flatten)]
        model: Model,
        /// Only predictions of this version.
        #[arg(long, value_name = "VERSION")]
        model_version: Option<String>,
        /// Only predictions of this environment.
        #[arg(long, value_name = "ENVIRONMENT")]
        environment: Option<String>,
        /// The span: a length back from now (`24h`, `7d`) or `START/END`.
        #[arg(long, value_name = "SPAN")]
        window: Option<String>,
        /// Its start, such as 2013-01-01 or 2013-01-01T05:00:00Z.
        #[arg(long, value_name = "TIME", requires = "to")]
        from: Option<String>,
        /// Its end, excluded.
        #[arg(long, value_name = "TIME", requires = "from")]
        to: Option<String>,
        #[command(flatten)]
        connection: connection::Flags,
    },
    /// List baselines, of one model or of all.
    List {
        /// Only those of this model.
        #[arg(long, value_name = "MODEL")]
        model: Option<String>,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        connection: connection::Flags,
    },
    /// Show one baseline with its profile.
    Show {
        /// The baseline's name.
        name: String,
        #[command(flatten)]
        model: Model,
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
        #[command(flatten)]
        connection: connection::Flags,
    },
    /// Forget a baseline; findings that were made against it stay.
    Delete {
        /// The baseline's name.
        name: String,
        #[command(flatten)]
        model: Model,
        #[command(flatten)]
        connection: connection::Flags,
    },
}

#[derive(Debug, Args)]
struct Model {
    /// The model.
    #[arg(long, value_name = "MODEL")]
    model: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Runs `windvane baseline`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.action {
        Action::Save { name, model, model_version, environment, window, from, to, connection } => {
            let now = SystemClock.now();
            let text = window.or_else(|| Some(format!("{}/{}", from?, to?))).unwrap_or_default();
            let span = Span::parse(&text, now).map_err(usage)?;
            if name.is_empty() || name.len() > NAME_BYTES_MAX {
                return Err(usage(format!("`{name}` is no name: 1 to {NAME_BYTES_MAX} bytes")));
            }
            let deployment = Deployment { model: model.model, version: model_version, environment };
            let store = connection.store()?;
            connection::wait_for(save(&store, name, &deployment, span))
        }
        Action::List { model, format, connection } => {
            let store = connection.store()?;
            connection::wait_for(async {
                let found = baselines::list(&store, model.as_deref()).await.map_err(connection::failure)?;
                print(&list(&found, format)?)
            })
        }
        Action::Show { name, model, format, connection } => {
            let store = connection.store()?;
            connection::wait_for(async {
                let saved = find(&store, &model.model, &name).await?;
                print(&show(&saved, format)?)
            })
        }
        Action::Delete { name, model, connection } => {
            let store = connection.store()?;
            connection::wait_for(async {
                find(&store, &model.model, &name).await?;
                baselines::delete(&store, &model.model, &name).await.map_err(connection::failure)?;
                print(&format!("baseline {name} of {} is deleted\n", model.model))
            })
        }
    }
}

/// Bytes of a name.
const NAME_BYTES_MAX: usize = 128;

async fn save(store: &Store, name: String, deployment: &Deployment, span: Span) -> CommandResult {
    let reader = Reader::Store(store.clone());
    let failed =
        |error: windvane_store::ReadError| Failure { reason: reason_of(&error), error: error.into() };
    let created_at_us = SystemClock.now().as_microsecond();
    let population = drift::side(&reader, deployment, span, created_at_us).await.map_err(failed)?;
    let profile = baseline::profile(&reader, &population).await.map_err(failed)?;
    if profile.rows == 0 {
        by_hand::known(store, deployment).await?;
        return Err(anyhow!("{} has no predictions in {span}", deployment.model)).because(Reason::Data);
    }
    let baseline = Baseline {
        model: deployment.model.clone(),
        name,
        version: deployment.version.clone().unwrap_or_default(),
        environment: deployment.environment.clone().unwrap_or_default(),
        start_us: span.start_us,
        end_us: span.end_us,
        rows: profile.rows,
        created_at_us,
    };
    let saved = Saved { baseline, profile: serde_json::to_string(&profile)? };
    baselines::save(store, &saved).await.map_err(connection::failure)?;
    print(&format!(
        "baseline {} of {} is saved: {}, {}, a profile of {} bytes\n",
        saved.baseline.name,
        deployment.model,
        counted(profile.rows, "prediction", "predictions"),
        counted(profile.columns.len() as u64, "column", "columns"),
        grouped(saved.profile.len() as u64),
    ))
}

async fn find(store: &Store, model: &str, name: &str) -> Result<Saved, Failure> {
    let found = baselines::find(store, model, name).await.map_err(connection::failure)?;
    found.ok_or_else(|| anyhow!("model `{model}` has no baseline `{name}`")).because(Reason::Data)
}

/// A baseline as JSON shows it.
#[derive(Serialize)]
struct Shown<'a> {
    model: &'a str,
    name: &'a str,
    version: &'a str,
    environment: &'a str,
    window_start: String,
    window_end: String,
    rows: u64,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<Profile>,
}

impl<'a> Shown<'a> {
    fn of(baseline: &'a Baseline) -> Self {
        Self {
            model: &baseline.model,
            name: &baseline.name,
            version: &baseline.version,
            environment: &baseline.environment,
            window_start: span::shown(baseline.start_us),
            window_end: span::shown(baseline.end_us),
            rows: baseline.rows,
            created_at: span::shown(baseline.created_at_us),
            profile: None,
        }
    }
}

fn list(found: &[Baseline], format: Format) -> Result<String, Failure> {
    if format == Format::Json {
        let shown: Vec<Shown<'_>> = found.iter().map(Shown::of).collect();
        let document = serde_json::json!({"schema": "windvane.baselines/1", "baselines": shown});
        return Ok(pretty(&document)?);
    }
    if found.is_empty() {
        return Ok(
            "no baselines; `windvane baseline save NAME --model MODEL --window 7d` makes one\n".to_owned()
        );
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["model", "name", "version", "environment", "span (UTC)", "predictions", "saved"]);
    for baseline in found {
        table.add_row([
            baseline.model.clone(),
            baseline.name.clone(),
            baseline.version.clone(),
            baseline.environment.clone(),
            baseline.span().to_string(),
            grouped(baseline.rows),
            span::to_second(baseline.created_at_us),
        ]);
    }
    Ok(format!("{table}\n"))
}

fn show(saved: &Saved, format: Format) -> Result<String, Failure> {
    let profile: Profile = serde_json::from_str(&saved.profile)
        .map_err(|error| anyhow!("the profile of baseline `{}` cannot be read: {error}", saved.baseline.name))
        .because(Reason::Data)?;
    if format == Format::Json {
        #[derive(Serialize)]
        struct One<'a> {
            schema: &'static str,
            #[serde(flatten)]
            baseline: Shown<'a>,
        }
        let shown = Shown { profile: Some(profile), ..Shown::of(&saved.baseline) };
        let one = One { schema: "windvane.saved_baseline/1", baseline: shown };
        return Ok(pretty(&one)?);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["column", "kind", "values", "missing", "kept"]);
    for column in &profile.columns {
        let kept = match (&column.numbers, &column.categories) {
            (Some(numbers), _) if numbers.is_exact() => {
                format!("all {} different values", numbers.points.len())
            }
            (Some(numbers), _) => format!("values at {} ranks", grouped(numbers.points.len() as u64)),
            (None, Some(categories)) => format!("all {} categories", grouped(categories.len() as u64)),
            (None, None) if column.kind == Kind::Embedding => {
                "nothing: its vectors are read again".to_owned()
            }
            (None, None) => "their number: there are too many categories".to_owned(),
        };
        let missing = profile.rows.saturating_sub(column.values);
        let (values, missing) = (grouped(column.values), grouped(missing));
        table.add_row([column.column.clone(), column.kind.as_str().to_owned(), values, missing, kept]);
    }
    Ok(format!(
        "{} of {} {}: {}\n\n{table}\n",
        saved.baseline.name,
        saved.baseline.model,
        saved.baseline.span(),
        counted(saved.baseline.rows, "prediction", "predictions")
    ))
}
