//! Migrations: numbered, forward-only, idempotent DDL, one statement a file, and the ledger of what a database has seen.
//!
//! A database is brought up to date by running every migration that the ledger does not call applied, in order. Each
//! may run twice: what a crash left half-done, or two appliers do at once, ends the same. What cannot be made safe is
//! refused before anything runs: a migration that was edited after it had been applied, a schema that a newer binary
//! has made, and a database that was rendered for the other topology.

mod files;
mod ledger;
mod made;
mod render;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use windvane_types::hex;

pub use made::{Missing, missing};
pub use render::{ClusterName, NameError, Topology};

use crate::{Statement, Store, StoreError};
use ledger::Entry;
use render::ServerVersion;

/// One numbered file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// From 1, without gaps.
    pub version: u32,
    /// The file name without number and ending.
    pub name: &'static str,
    /// The text with its placeholders.
    text: &'static str,
}

impl Migration {
    /// SHA-256 of the text before rendering, hex: the same in every topology.
    #[must_use]
    pub fn checksum(&self) -> String {
        hex::encode(&Sha256::digest(self.text))
    }

    /// The statement with its comments, or `None` where this topology does not have it.
    ///
    /// # Errors
    /// Where the database has a name that cannot stand in SQL.
    pub fn render(&self, topology: &Topology, database: &str) -> Result<Option<String>, NameError> {
        render::render(self.text, topology, database)
    }
}

/// Every migration of this binary, in order.
#[must_use]
pub fn all() -> &'static [Migration] {
    files::MIGRATIONS
}

/// How far a migration is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It has run.
    Applied,
    /// It was begun and not finished; running it again finishes it.
    Started,
    /// It has not run.
    Pending,
}

impl State {
    /// The word in the ledger and on the screen.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Started => "started",
            Self::Pending => "pending",
        }
    }
}

/// A migration that this topology has, and how far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Which.
    pub migration: Migration,
    /// How far.
    pub state: State,
}

/// Why a schema cannot be read or brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A file was changed after it had been applied.
    #[error(
        "migration {version} `{name}` differs from the one that this database has applied; \
         migrations are never edited: restore the file and add a new one"
    )]
    Edited {
        /// Its number.
        version: u32,
        /// Its name in this binary.
        name: String,
    },
    /// The database has seen more than this binary knows.
    #[error(
        "the schema is at migration {found} and this windvane knows {known}: use the windvane that made it, or a newer one"
    )]
    NewerSchema {
        /// The newest migration of the database.
        found: u32,
        /// The newest migration of this binary.
        known: u32,
    },
    /// The database was made for the other topology.
    #[error("the schema was made for topology `{found}`, not `{asked}`")]
    OtherTopology {
        /// What the ledger says.
        found: String,
        /// What was asked for.
        asked: &'static str,
    },
    /// A cluster's schema is behind; only an operator knows the cluster's name.
    #[error(
        "the schema of the cluster has {pending} migrations to run: `windvane schema apply --cluster NAME` runs them"
    )]
    ClusterBehind {
        /// How many.
        pending: usize,
    },
    /// The database's name cannot stand in SQL.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The ledger could not be read or written.
    #[error("cannot use the ledger of migrations")]
    Ledger(#[source] StoreError),
    /// ClickHouse does not say its version.
    #[error("ClickHouse calls its version `{0}`, which is no version such as `26.7.2.1`")]
    ServerVersion(String),
    /// A migration failed.
    #[error("migration {version} `{name}` failed")]
    Failed {
        /// Its number.
        version: u32,
        /// Its name.
        name: &'static str,
        /// What ClickHouse said.
        #[source]
        source: StoreError,
    },
}

/// How far each migration of this topology is in the database.
///
/// # Errors
/// Where ClickHouse does not answer, or the schema is one that [`apply`] would refuse.
pub async fn status(store: &Store, topology: &Topology) -> Result<Vec<Step>, MigrateError> {
    let entries = ledger::read(store).await.map_err(MigrateError::Ledger)?;
    steps(store, &entries, topology).await
}

/// How the tables of the database are laid out, by its ledger, and how far each migration of that is. One server where there is no
/// ledger yet.
///
/// # Errors
/// As [`status`].
pub async fn found(store: &Store) -> Result<(Topology, Vec<Step>), MigrateError> {
    let entries = ledger::read(store).await.map_err(MigrateError::Ledger)?;
    let topology = laid_out(&entries);
    let steps = steps(store, &entries, &topology).await?;
    Ok((topology, steps))
}

/// The topology that the ledger is of.
fn laid_out(entries: &[Entry]) -> Topology {
    let cluster = Topology::Cluster(ClusterName::of_macros());
    if entries.iter().any(|entry| entry.topology == cluster.name()) { cluster } else { Topology::Single }
}

/// The same of a ledger that was read.
async fn steps(store: &Store, entries: &[Entry], topology: &Topology) -> Result<Vec<Step>, MigrateError> {
    let mut steps = compare(all(), entries, topology)?;
    let server = server_version(store).await?;
    steps.retain(|step| is_of(step, topology, server));
    Ok(steps)
}

/// Whether the topology has this migration, and the server can run it or has done so.
fn is_of(step: &Step, topology: &Topology, server: ServerVersion) -> bool {
    let text = step.migration.text;
    render::belongs(text, topology) && (step.state == State::Applied || render::runs_on(text, server))
}

async fn server_version(store: &Store) -> Result<ServerVersion, MigrateError> {
    #[derive(Deserialize)]
    struct Version {
        version: String,
    }
    let asked = Statement::new("SELECT version() AS version");
    let rows: Vec<Version> = store.rows_outside(&asked).await.map_err(MigrateError::Ledger)?;
    let version = rows.into_iter().next().map(|row| row.version).unwrap_or_default();
    ServerVersion::parse(&version).ok_or(MigrateError::ServerVersion(version))
}

/// Runs what is not applied, in order; `on_step` hears of each migration before it runs. Safe to run twice, also at
/// once. Returns how many ran.
///
/// # Errors
/// Where the schema is refused (nothing was changed then), or a migration fails (running again resumes there).
pub async fn apply(
    store: &Store,
    topology: &Topology,
    mut on_step: impl FnMut(&Step),
) -> Result<usize, MigrateError> {
    let mut ran = 0;
    let mut done = Vec::new();
    for step in status(store, topology).await? {
        if step.state == State::Applied {
            continue;
        }
        on_step(&step);
        run(store, topology, step.migration, &mut done).await?;
        ran += 1;
    }
    note(store, topology, &mut done, None).await?;
    Ok(ran)
}

/// What a service does at its start: a single server is brought up to date; a cluster, which an operator lays out, is
/// checked only. Returns how many migrations ran.
///
/// # Errors
/// As [`apply`], and where a cluster's schema is behind.
pub async fn ensure(store: &Store, on_step: impl FnMut(&Step)) -> Result<usize, MigrateError> {
    let entries = ledger::read(store).await.map_err(MigrateError::Ledger)?;
    let topology = laid_out(&entries);
    if topology == Topology::Single {
        return apply(store, &topology, on_step).await;
    }
    match steps(store, &entries, &topology).await?.iter().filter(|step| step.state != State::Applied).count()
    {
        0 => Ok(0),
        pending => Err(MigrateError::ClusterBehind { pending }),
    }
}

/// Runs one. That it is `done` is noted together with the start of the next: a crash in between leaves it started, and it
/// may run twice.
async fn run(
    store: &Store,
    topology: &Topology,
    migration: Migration,
    done: &mut Vec<Migration>,
) -> Result<(), MigrateError> {
    let Some(sql) = migration.render(topology, store.database())? else { return Ok(()) };
    // The ledger itself is made by an early migration; those before it are noted once it is there.
    if migration.version > ledger::MADE_BY {
        note(store, topology, done, Some(migration)).await?;
    }
    let statement = Statement::new(render::without_comments(&sql));
    let failed = |source| MigrateError::Failed { version: migration.version, name: migration.name, source };
    store.execute(&statement).await.map_err(failed)?;
    done.push(migration);
    Ok(())
}

/// Notes what is done, and what is about to run, in one INSERT.
async fn note(
    store: &Store,
    topology: &Topology,
    done: &mut Vec<Migration>,
    next: Option<Migration>,
) -> Result<(), MigrateError> {
    let done = done.drain(..).map(|migration| (Entry::new(&migration, topology), State::Applied));
    let rows: Vec<_> =
        done.chain(next.map(|migration| (Entry::new(&migration, topology), State::Started))).collect();
    if rows.is_empty() {
        return Ok(());
    }
    ledger::write(store, &rows).await.map_err(MigrateError::Ledger)
}

/// Sets the known migrations against the ledger.
fn compare(known: &[Migration], entries: &[Entry], topology: &Topology) -> Result<Vec<Step>, MigrateError> {
    let newest = known.last().map_or(0, |migration| migration.version);
    if let Some(found) = entries.iter().map(|entry| entry.version).max()
        && found > newest
    {
        return Err(MigrateError::NewerSchema { found, known: newest });
    }
    if let Some(other) = entries.iter().find(|entry| entry.topology != topology.name()) {
        return Err(MigrateError::OtherTopology { found: other.topology.clone(), asked: topology.name() });
    }
    known
        .iter()
        .map(|migration| {
            let mine = || entries.iter().filter(|entry| entry.version == migration.version);
            if mine().any(|entry| entry.checksum != migration.checksum()) {
                let name = migration.name.to_owned();
                return Err(MigrateError::Edited { version: migration.version, name });
            }
            let state = if mine().any(|entry| entry.state == State::Applied.name()) {
                State::Applied
            } else if mine().next().is_some() {
                State::Started
            } else {
                State::Pending
            };
            Ok(Step { migration: *migration, state })
        })
        .collect()
}

#[cfg(test)]
mod tests;
