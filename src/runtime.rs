//! `windvane runtime install|status`: the native engines, fetched by the user's own npm and pip, checked, and told about.

pub mod catalogue;
mod download;
mod error;
mod install;
mod locate;
mod unpack;

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

pub use self::catalogue::Library;
pub use self::error::RuntimeError;
pub use self::locate::{Fetching, Places};
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::output::print;

/// Install the native engines, or tell what is there.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Fetch libchdb with npm and ONNX Runtime with pip, check their SHA-256 sums and unpack them.
    Install {
        /// The CUDA and TensorRT build of ONNX Runtime as well.
        #[arg(long)]
        gpu: bool,
    },
    /// Say which libraries are installed, where, and which variable overrides them. Exit code 69 if one is missing.
    Status {
        /// How to print.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

/// Runs `windvane runtime`.
pub fn run(arguments: Arguments) -> CommandResult {
    let places = Places::from_environment().because(Reason::Config)?;
    match arguments.command {
        Command::Install { gpu } => install_all(&places, gpu),
        Command::Status { format } => status(&places, format),
    }
}

/// The exit code that a missing or uninstallable library asks for.
pub fn failure(error: RuntimeError) -> Failure {
    let reason = match error {
        RuntimeError::NoHome | RuntimeError::OverrideMissing { .. } => Reason::Config,
        _ => Reason::Unavailable,
    };
    Failure { reason, error: error.into() }
}

fn install_all(places: &Places, gpu: bool) -> CommandResult {
    let mut libraries = vec![Library::Chdb, Library::OnnxRuntime];
    if gpu {
        libraries.push(Library::OnnxRuntimeGpu);
    }
    for library in libraries {
        let (path, installed) = install::install(library, &places.dir).map_err(failure)?;
        let what = match installed {
            install::Installed::Now => "installed",
            install::Installed::Already => "already installed",
        };
        print(&format!("{library}: {what}, {}\n", path.display()))?;
    }
    Ok(Exit::Ok)
}

/// One row of `windvane runtime status`.
#[derive(Debug, Serialize)]
struct Row {
    library: String,
    version: Option<&'static str>,
    state: State,
    path: Option<PathBuf>,
    variable: &'static str,
    command: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    /// Named by the user, and there.
    Named,
    /// Named by the user, and not there.
    NamedButMissing,
    Installed,
    Missing,
    UnsupportedPlatform,
}

impl State {
    fn words(self) -> &'static str {
        match self {
            Self::Named => "named by the user",
            Self::NamedButMissing => "named by the user, but not there",
            Self::Installed => "installed",
            Self::Missing => "not installed",
            Self::UnsupportedPlatform => "no package for this platform",
        }
    }
}

#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    dir: PathBuf,
    libraries: Vec<Row>,
}

fn status(places: &Places, format: Format) -> CommandResult {
    let rows: Vec<Row> = Library::ALL.iter().map(|library| row(*library, places)).collect();
    // The GPU build is optional: without it nothing is missing.
    let missing = rows.iter().zip(Library::ALL).any(|(row, library)| {
        library != Library::OnnxRuntimeGpu && !matches!(row.state, State::Named | State::Installed)
    });
    match format {
        Format::Json => {
            let document =
                Document { schema: "windvane.runtime/1", dir: places.dir.clone(), libraries: rows };
            print(&format!("{}\n", serde_json::to_string_pretty(&document)?))?
        }
        Format::Table => print(&table(&rows))?,
    };
    match missing {
        false => Ok(Exit::Ok),
        true => Err(Failure {
            reason: Reason::Unavailable,
            error: anyhow::anyhow!("a library is missing; run `windvane runtime install`"),
        }),
    }
}

fn row(library: Library, places: &Places) -> Row {
    let package = catalogue::package(library, std::env::consts::OS, std::env::consts::ARCH);
    let (state, path) = match (places.named(library), install::installed(library, &places.dir), package) {
        (Some(path), ..) if path.is_file() => (State::Named, Some(path.clone())),
        (Some(path), ..) => (State::NamedButMissing, Some(path.clone())),
        (None, Some(path), _) => (State::Installed, Some(path)),
        (None, None, Some(_)) => (State::Missing, None),
        (None, None, None) => (State::UnsupportedPlatform, None),
    };
    Row {
        library: library.to_string(),
        version: package.map(|package| package.version),
        state,
        path,
        variable: library.variable(),
        command: library.install_command(),
    }
}

fn table(rows: &[Row]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_header(["library", "version", "state", "file", "override with"]);
    for row in rows {
        let path =
            row.path.as_ref().map_or_else(|| row.command.to_owned(), |path| path.display().to_string());
        table.add_row([&row.library, row.version.unwrap_or("-"), row.state.words(), &path, row.variable]);
    }
    format!("{table}\n")
}
