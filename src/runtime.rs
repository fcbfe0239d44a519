//! `windvane runtime install|bundle|status`: the native engines, fetched by the user's own npm and pip, checked, carried to
//! machines without a registry, and told about.

mod bundle;
pub mod catalogue;
mod download;
mod error;
mod install;
mod locate;
mod unpack;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use windvane_types::counting::counted;

use self::bundle::{Bundle, PartSize};
pub use self::catalogue::Library;
pub use self::error::RuntimeError;
use self::install::Source;
pub use self::locate::{Fetching, Places};
use crate::exit::{Because, CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print};

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
        /// Take the packages out of this bundle, which `windvane runtime bundle` wrote, instead of fetching them.
        #[arg(long, value_name = "DIR")]
        from_bundle: Option<PathBuf>,
    },
    /// Fetch the packages for machines without a registry: parts of a size, and a manifest with their SHA-256 sums.
    Bundle {
        /// A folder that is new or empty.
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        /// The largest size of a part, such as `60MiB` or `4GB`; without it each package is one part.
        #[arg(long, value_name = "SIZE", value_parser = clap::value_parser!(PartSize))]
        part_size: Option<PartSize>,
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
        Command::Install { gpu, from_bundle } => install_all(&places, gpu, from_bundle.as_deref()),
        Command::Bundle { dir, part_size, gpu } => write_bundle(&dir, part_size, gpu),
        Command::Status { format } => status(&places, format),
    }
}

/// The exit code that a missing or uninstallable library asks for.
pub fn failure(error: RuntimeError) -> Failure {
    let reason = match error {
        RuntimeError::NoHome | RuntimeError::OverrideMissing { .. } => Reason::Config,
        RuntimeError::Bundle(ref error) => error.reason(),
        _ => Reason::Unavailable,
    };
    Failure { reason, error: error.into() }
}

/// What is installed or bundled: the graphics processor's build only where it is asked for.
fn wanted(gpu: bool) -> Vec<Library> {
    let is_wanted = |library: &Library| gpu || *library != Library::OnnxRuntimeGpu;
    Library::ALL.into_iter().filter(is_wanted).collect()
}

fn install_all(places: &Places, gpu: bool, from_bundle: Option<&Path>) -> CommandResult {
    let libraries = wanted(gpu);
    let bundle = from_bundle.map(|dir| checked(dir, &libraries, places)).transpose().map_err(failure)?;
    let source = bundle.as_ref().map_or(Source::Registry, Source::Bundle);
    for library in libraries {
        let (path, installed) = install::install(library, &places.dir, source).map_err(failure)?;
        let what = match installed {
            install::Installed::Now => "installed",
            install::Installed::Already => "already installed",
        };
        print(&format!("{library}: {what}, {}\n", path.display()))?;
    }
    Ok(Exit::Ok)
}

/// A bundle that holds everything that is not installed yet, so that either all of it is installed or nothing.
fn checked(dir: &Path, libraries: &[Library], places: &Places) -> Result<Bundle, RuntimeError> {
    let bundle = Bundle::open(dir)?;
    let missing = libraries.iter().filter(|library| install::installed(**library, &places.dir).is_none());
    let packages = missing.map(|library| install::published(*library)).collect::<Result<Vec<_>, _>>()?;
    bundle.check(&packages)?;
    Ok(bundle)
}

fn write_bundle(dir: &Path, part_size: Option<PartSize>, gpu: bool) -> CommandResult {
    let packages = wanted(gpu).into_iter().map(install::published).collect::<Result<Vec<_>, _>>();
    let packages = packages.map_err(failure)?;
    let written = bundle::write(&packages, dir, part_size.unwrap_or(PartSize::WHOLE)).map_err(failure)?;
    for package in written {
        let parts = counted(package.parts as u64, "part", "parts");
        print(&format!("{}: {parts}, {} bytes\n", package.library, package.bytes))?;
    }
    let gpu = if gpu { " --gpu" } else { "" };
    print(&format!(
        "copy `{0}` to the other machine, and run there: windvane runtime install{gpu} --from-bundle {0}\n",
        dir.display()
    ))
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
            print(&pretty(&document)?)?
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
