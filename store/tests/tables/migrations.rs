//! Migrations on a real ClickHouse: once, twice, at once, half-done, edited, from the future, for a cluster.

use windvane_store::migrate::{self, ClusterName, MigrateError, State, Topology};
use windvane_store::{Statement, Store};

use crate::endpoint::Running;

async fn apply(store: &Store) -> Result<usize, MigrateError> {
    migrate::apply(store, &Topology::Single, |_| {}).await
}

/// Migrations that are not applied.
async fn open(store: &Store) -> Vec<(u32, State)> {
    let steps = migrate::status(store, &Topology::Single).await.unwrap();
    let open = steps.iter().filter(|step| step.state != State::Applied);
    open.map(|step| (step.migration.version, step.state)).collect()
}

async fn change_ledger(store: &Store, change: &str) {
    let sql = format!("ALTER TABLE windvane.schema_migrations {change}");
    store.execute(&Statement::new(sql).setting("mutations_sync", 2)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_is_brought_up_to_date_once() {
    let running = Running::empty().await;
    let steps = migrate::status(&running.store, &Topology::Single).await.unwrap();
    assert!(steps.iter().all(|step| step.state == State::Pending));
    assert_eq!(apply(&running.store).await.unwrap(), steps.len());
    assert_eq!(open(&running.store).await, []);
    assert_eq!(apply(&running.store).await.unwrap(), 0);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_resumes_a_half_applied_migration() {
    let running = Running::migrated().await;
    change_ledger(&running.store, "DELETE WHERE version = 5 AND state = 'applied'").await;
    change_ledger(&running.store, "DELETE WHERE version = 7").await;
    assert_eq!(open(&running.store).await, [(5, State::Started), (7, State::Pending)]);
    assert_eq!(apply(&running.store).await.unwrap(), 2);
    assert_eq!(open(&running.store).await, []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_goes_on_where_a_crash_left_tables_without_a_ledger() {
    let running = Running::migrated().await;
    running.store.execute(&Statement::new("DROP TABLE windvane.schema_migrations SYNC")).await.unwrap();
    assert!(apply(&running.store).await.unwrap() > 0);
    assert_eq!(open(&running.store).await, []);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_lacks_what_was_dropped_after_its_migration() {
    let running = Running::empty().await;
    let missing = async || {
        let (topology, steps) = migrate::found(&running.store).await.unwrap();
        assert_eq!(topology, Topology::Single);
        let missing = migrate::missing(&running.store, &topology, &steps).await.unwrap();
        missing.into_iter().map(|one| (one.what, one.version, one.add)).collect::<Vec<_>>()
    };
    assert_eq!(missing().await, [], "nothing has run");
    apply(&running.store).await.unwrap();
    assert_eq!(missing().await, [], "every name that the texts make is one of ClickHouse");
    for sql in [
        "DROP TABLE windvane.experiment_sums SYNC",
        "ALTER TABLE windvane.monitor_runs DROP COLUMN note",
        "ALTER TABLE windvane.spans DROP COLUMN `Links.TraceState`",
        "ALTER TABLE windvane.outcomes DROP PROJECTION by_model",
    ] {
        running.store.execute(&Statement::new(sql).setting("mutations_sync", 2)).await.unwrap();
    }
    let found = missing().await;
    let told: Vec<(&str, u32)> = found.iter().map(|(what, version, _)| (what.as_str(), *version)).collect();
    let expected = [
        ("table `experiment_sums`", 64),
        ("column `note` of `monitor_runs`", 55),
        ("projection `by_model` of `outcomes`", 52),
        ("column `Links.TraceState` of `spans`", 23),
    ];
    assert_eq!(told, expected);
    assert_eq!(open(&running.store).await, [], "the ledger does not know");
    for add in found.iter().filter_map(|(_, _, add)| add.as_ref()) {
        running.store.execute(&Statement::new(add.clone())).await.unwrap();
    }
    let left: Vec<u32> = missing().await.into_iter().map(|(_, version, _)| version).collect();
    assert_eq!(left, [64, 52]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_refuses_an_edited_migration_and_a_newer_schema() {
    let running = Running::migrated().await;
    change_ledger(&running.store, "UPDATE checksum = 'another' WHERE version = 3").await;
    let refused = apply(&running.store).await.unwrap_err();
    assert!(matches!(refused, MigrateError::Edited { version: 3, .. }), "{refused}");
    change_ledger(&running.store, "DELETE WHERE version = 3").await;

    let newer = "INSERT INTO windvane.schema_migrations (version, name, state, topology) \
                 SELECT 9999, 'from_the_future', 'applied', 'single'";
    running.store.execute(&Statement::new(newer)).await.unwrap();
    let refused = apply(&running.store).await.unwrap_err();
    assert!(matches!(refused, MigrateError::NewerSchema { found: 9999, .. }), "{refused}");
    change_ledger(&running.store, "DELETE WHERE version = 9999").await;

    let cluster = Topology::Cluster(ClusterName::new("main").unwrap());
    let refused = migrate::apply(&running.store, &cluster, |_| {}).await.unwrap_err();
    assert!(matches!(refused, MigrateError::OtherTopology { .. }), "{refused}");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn engine_takes_two_appliers_at_once() {
    let running = Running::empty().await;
    let (first, second) = tokio::join!(apply(&running.store), apply(&running.store));
    assert!(first.unwrap() + second.unwrap() >= open(&running.store).await.len());
    assert_eq!(open(&running.store).await, []);
    running.end().await;
}

/// A service leaves the layout of a cluster to its operator, and works on one that is up to date.
#[tokio::test(flavor = "multi_thread")]
async fn engine_of_a_cluster_is_checked_and_not_changed() {
    let running = Running::empty().await;
    assert!(migrate::ensure(&running.store, |_| {}).await.unwrap() > 0);
    assert_eq!(migrate::ensure(&running.store, |_| {}).await.unwrap(), 0);
    change_ledger(&running.store, "UPDATE topology = 'cluster' WHERE 1").await;
    let refused = migrate::ensure(&running.store, |_| panic!("nothing may run")).await.unwrap_err();
    let distributed: Vec<u32> = migrate::all()
        .iter()
        .filter(|migration| migration.name.ends_with("_distributed"))
        .map(|migration| migration.version)
        .collect();
    assert!(distributed.len() >= 4);
    let behind = matches!(refused, MigrateError::ClusterBehind { pending } if pending == distributed.len());
    assert!(behind, "{refused}");

    let single: Vec<u32> =
        migrate::status(&running.store, &Topology::Cluster(ClusterName::new("main").unwrap()))
            .await
            .unwrap()
            .iter()
            .filter(|step| step.state == State::Pending)
            .map(|step| step.migration.version)
            .collect();
    assert_eq!(single, distributed);
    for migration in migrate::all().iter().filter(|migration| single.contains(&migration.version)) {
        let applied = Statement::new(
            "INSERT INTO windvane.schema_migrations (version, name, checksum, state, topology) \
             SELECT {version:UInt32}, {name:String}, {checksum:String}, 'applied', 'cluster'",
        );
        let applied = applied.param("version", migration.version).param("name", migration.name);
        running.store.execute(&applied.param("checksum", migration.checksum().as_str())).await.unwrap();
    }
    assert_eq!(migrate::ensure(&running.store, |_| panic!("nothing may run")).await.unwrap(), 0);
    running.end().await;
}

/// No cluster is at hand, but its DDL parses.
#[tokio::test(flavor = "multi_thread")]
async fn engine_parses_what_a_cluster_gets() {
    let running = Running::empty().await;
    for name in ["main", "{cluster}", "eu-west.1"] {
        let cluster = Topology::Cluster(ClusterName::new(name).unwrap());
        for migration in migrate::all() {
            let sql = migration.render(&cluster, "windvane").unwrap().unwrap();
            let parsed = running.store.text(&format!("EXPLAIN AST {sql}"), "TSV").await;
            let tree = String::from_utf8(parsed.unwrap().to_vec()).unwrap();
            let is_ddl = tree.starts_with("CreateQuery") || tree.starts_with("AlterQuery");
            assert!(is_ddl, "{}: {tree}", migration.name);
        }
    }
    running.end().await;
}
