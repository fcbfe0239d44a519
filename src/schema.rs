//! `windvane schema`: the tables, printed, brought up to date, or checked.

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use windvane_store::migrate::{self, ClusterName, MigrateError, State, Step, Topology};
use windvane_store::{DATABASE, Store};
use windvane_types::counting::counted;

use crate::connection;
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::print;

/// Print, apply or check the numbered migrations that make the tables.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the DDL; needs no ClickHouse.
    Print {
        #[command(flatten)]
        layout: Layout,
    },
    /// Run every migration that has not run yet; safe to repeat, also from several machines at once.
    Apply {
        #[command(flatten)]
        layout: Layout,
        #[command(flatten)]
        connection: connection::Flags,
    },
    /// Say which migrations have run.
    Status {
        #[command(flatten)]
        layout: Layout,
        #[command(flatten)]
        connection: connection::Flags,
        /// How the answer is written.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
}

#[derive(Debug, Args)]
struct Layout {
    /// Lay the tables out over this cluster: ON CLUSTER, Replicated tables, Distributed ones before them. `{cluster}`
    /// takes the name from each server's macros.
    #[arg(long, value_name = "NAME")]
    cluster: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Layout {
    fn topology(&self) -> Result<Topology, Failure> {
        match &self.cluster {
            None => Ok(Topology::Single),
            Some(name) => ClusterName::new(name).map(Topology::Cluster).because(Reason::Usage),
        }
    }
}

/// Runs `windvane schema`.
pub fn run(arguments: &Arguments) -> CommandResult {
    match &arguments.action {
        Action::Print { layout } => print(&document(&layout.topology()?)?),
        Action::Apply { layout, connection } => {
            let (topology, store) = (layout.topology()?, connection.store()?);
            connection::wait_for(apply(&store, &topology))
        }
        Action::Status { layout, connection, format } => {
            let (topology, store) = (layout.topology()?, connection.store()?);
            connection::wait_for(async {
                let steps = migrate::status(&store, &topology).await.map_err(failure)?;
                match format {
                    Format::Table => print(&table(&steps)),
                    Format::Json => print(&json(&steps, &store, &topology)),
                }
            })
        }
    }
}

/// Every statement of a topology with its header, in the order in which they run.
fn document(topology: &Topology) -> Result<String, Failure> {
    let mut text = String::new();
    for migration in migrate::all() {
        if let Some(sql) = migration.render(topology, DATABASE)? {
            text.push_str(&format!(
                "-- {:04} {}\n{};\n\n",
                migration.version,
                migration.name,
                sql.trim_end()
            ));
        }
    }
    Ok(text)
}

async fn apply(store: &Store, topology: &Topology) -> CommandResult {
    let log = |step: &Step| {
        let (version, name) = (step.migration.version, step.migration.name);
        let resumed = step.state == State::Started;
        tracing::info!(version, name, resumed, "running a migration");
    };
    let ran = migrate::apply(store, topology, log).await.map_err(failure)?;
    print(&format!(
        "{}; the schema is at {}\n",
        counted(ran as u64, "migration ran", "migrations ran"),
        migrate::all().len()
    ))
}

fn table(steps: &[Step]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["migration", "name", "state"]);
    for Step { migration, state } in steps {
        table.add_row([
            format!("{:04}", migration.version),
            migration.name.to_owned(),
            state.name().to_owned(),
        ]);
    }
    let pending = steps.iter().filter(|step| step.state != State::Applied).count();
    format!("{table}\n{}, {pending} to run\n", counted(steps.len() as u64, "migration", "migrations"))
}

fn json(steps: &[Step], store: &Store, topology: &Topology) -> String {
    let migrations: Vec<_> = steps
        .iter()
        .map(|Step { migration, state }| {
            serde_json::json!({"version": migration.version, "name": migration.name, "state": state.name()})
        })
        .collect();
    let document = serde_json::json!({
        "schema": "windvane.schema_status/1",
        "database": store.database(),
        "topology": topology.name(),
        "migrations": migrations,
    });
    format!("{document:#}\n")
}

/// A refused schema is a matter of configuration (78); otherwise the store's own exit codes hold.
fn failure(error: MigrateError) -> Failure {
    let source = match &error {
        MigrateError::Ledger(source) | MigrateError::Failed { source, .. } => source,
        MigrateError::Edited { .. }
        | MigrateError::NewerSchema { .. }
        | MigrateError::OtherTopology { .. }
        | MigrateError::ClusterBehind { .. }
        | MigrateError::ServerVersion(_)
        | MigrateError::Name(_) => return Failure { reason: Reason::Config, error: error.into() },
    };
    let reason = match connection::failure(source.clone()).reason {
        // A migration is our text: ClickHouse refusing it is no fault of the user's data.
        Reason::Data => Reason::Software,
        reason => reason,
    };
    Failure { reason, error: error.into() }
}
