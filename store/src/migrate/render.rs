//! From the text of a migration to the statement of a topology.
//!
//! Placeholders: `${database}`; `${on_cluster}` (nothing, or ` ON CLUSTER '…'`); `${local}` (nothing, or `_local`, the
//! table that a Distributed one stands before); `${cluster}` (the cluster's name as a literal);
//! `${engine:Name(arguments)}` (as it stands, or replicated within a shard); `${everywhere:Name(arguments)}` (as it
//! stands, or replicated to every node). A line `-- topology: cluster` keeps a file to clusters, and `-- since: 26.1` to
//! servers of that version or a newer one; it runs once the server has been brought up to it. ClickHouse's own macros
//! (`{shard}`, `{replica}`) have no dollar sign and are left to the server.

use std::fmt;

/// How the tables are laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Topology {
    /// One server, or the embedded engine.
    Single,
    /// Shards and replicas: Replicated tables with Distributed ones before them.
    Cluster(ClusterName),
}

impl Topology {
    /// The word in the ledger.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Single => "single",
            Self::Cluster(_) => "cluster",
        }
    }
}

/// The name of a cluster in the server's configuration, or its macro `{cluster}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterName(String);

impl ClusterName {
    /// Takes a name of letters, digits and `_ . - { }`.
    ///
    /// # Errors
    /// Any other name, an empty one, or one over 128 bytes.
    pub fn new(name: &str) -> Result<Self, NameError> {
        checked("cluster", name, "_.-{}").map(|name| Self(name.to_owned()))
    }

    /// The name that each server's own macros give.
    pub(super) fn of_macros() -> Self {
        Self("{cluster}".to_owned())
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A name that cannot stand in SQL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} name `{name}` is not made of letters, digits and {allowed}, 1 to 128 of them")]
pub struct NameError {
    what: &'static str,
    name: String,
    allowed: &'static str,
}

/// Renders a migration's text, or answers `None` where the topology does not have it.
pub(super) fn render(text: &str, topology: &Topology, database: &str) -> Result<Option<String>, NameError> {
    let database = checked("database", database, "_")?;
    if !belongs(text, topology) {
        return Ok(None);
    }
    let mut rendered = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (placeholder, after) = after.split_once('}').expect("a test renders every migration");
        rendered.push_str(before);
        rendered.push_str(&value(placeholder, topology, database));
        rest = after;
    }
    rendered.push_str(rest);
    Ok(Some(rendered))
}

/// Whether the topology has this migration.
pub(super) fn belongs(text: &str, topology: &Topology) -> bool {
    let only_cluster = text.lines().any(|line| line == "-- topology: cluster");
    !only_cluster || matches!(topology, Topology::Cluster(_))
}

/// The version of a server, as far as features go by it: year and number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerVersion(u32, u32);

impl ServerVersion {
    /// The first two numbers of a version such as `26.7.2.1`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.trim().split('.').map(|number| number.parse().ok());
        Some(Self(numbers.next()??, numbers.next()??))
    }
}

/// Whether a server of this version can run this migration.
pub(super) fn runs_on(text: &str, server: ServerVersion) -> bool {
    let since = text.lines().find_map(|line| line.strip_prefix("-- since: "));
    since.is_none_or(|since| ServerVersion::parse(since).is_some_and(|since| server >= since))
}

/// The statement alone, without the header that is written for people.
pub(super) fn without_comments(sql: &str) -> String {
    sql.lines().filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n")
}

fn value(placeholder: &str, topology: &Topology, database: &str) -> String {
    let (key, argument) = placeholder.split_once(':').unwrap_or((placeholder, ""));
    match (key, topology) {
        ("database", _) => database.to_owned(),
        ("on_cluster" | "local", Topology::Single) => String::new(),
        ("on_cluster", Topology::Cluster(name)) => format!(" ON CLUSTER '{name}'"),
        ("local", Topology::Cluster(_)) => "_local".to_owned(),
        ("cluster", Topology::Cluster(name)) => format!("'{name}'"),
        ("engine" | "everywhere", Topology::Single) => argument.to_owned(),
        ("engine", Topology::Cluster(_)) => {
            replicated(argument, "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'")
        }
        ("everywhere", Topology::Cluster(_)) => {
            replicated(argument, "'/clickhouse/tables/{database}/{table}', '{shard}_{replica}'")
        }
        _ => unreachable!("placeholder `{placeholder}`: a test renders every migration in both topologies"),
    }
}

/// `Name(arguments)` with the path and the replica's name that replication asks for.
fn replicated(engine: &str, path: &str) -> String {
    let (name, arguments) =
        engine.trim_end_matches(')').split_once('(').expect("a test renders every migration");
    let separator = if arguments.is_empty() { "" } else { ", " };
    format!("Replicated{name}({path}{separator}{arguments})")
}

fn checked<'a>(what: &'static str, name: &'a str, allowed: &'static str) -> Result<&'a str, NameError> {
    let fits = |c: char| c.is_ascii_alphanumeric() || allowed.contains(c);
    if (1..=128).contains(&name.len()) && name.chars().all(fits) {
        return Ok(name);
    }
    Err(NameError { what, name: name.to_owned(), allowed })
}
