//! Dependencies point one way, and each foreign noun has one owner.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

use crate::{report, root};

/// Which of our crates each of our crates may name outside tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("windvane-types", &[]),
    ("windvane-stats", &[]),
    ("windvane-store", &["windvane-types"]),
    ("windvane-collector", &["windvane-types", "windvane-store"]),
    ("windvane-alerts", &["windvane-types", "windvane-store"]),
    ("windvane-web", &["windvane-types", "windvane-store"]),
    ("windvane-analyzer", &["windvane-types", "windvane-store", "windvane-stats"]),
    ("windvane-shadow", &["windvane-types", "windvane-store", "windvane-stats"]),
    ("windvane-dashboards", &[]),
    ("windvane-kit", &["windvane-types", "windvane-store"]),
    // It is published, and so names nothing of ours.
    ("windvane-sdk", &[]),
];

/// Who may name a foreign crate.
const OWNERS: &[(&str, &[&str])] = &[
    ("clickhouse", &["windvane-store"]),
    ("libloading", &["windvane-store"]),
    ("ort", &["windvane-shadow"]),
    ("smartcore", &["windvane-stats"]),
    ("lettre", &["windvane-alerts"]),
    ("axum", &["windvane-collector", "windvane-web", "windvane", "windvane-kit"]),
    ("clap", &["windvane"]),
    ("opentelemetry-otlp", &["windvane"]),
    ("opentelemetry-proto", &["windvane-collector"]),
    ("tonic", &["windvane-collector"]),
];

fn metadata() -> Metadata {
    MetadataCommand::new().current_dir(root()).no_deps().exec().expect("cargo reads the manifests")
}

fn named(package: &Package) -> impl Iterator<Item = &str> {
    package
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != DependencyKind::Development)
        .map(|dependency| dependency.name.as_str())
}

#[test]
fn crates_of_ours_depend_only_downwards() {
    let mut faults = Vec::new();
    for package in &metadata().packages {
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name.as_str()) else {
            assert_eq!(package.name.as_str(), "windvane", "a new crate needs a line in ALLOWED");
            continue;
        };
        let ours = named(package).filter(|name| *name == "windvane" || name.starts_with("windvane-"));
        faults.extend(
            ours.filter(|name| !allowed.contains(name))
                .map(|name| format!("{} names {name}; it may name {allowed:?}", package.name)),
        );
    }
    report("a dependency points the wrong way:", &faults);
}

#[test]
fn each_foreign_noun_has_one_owner() {
    let mut faults = Vec::new();
    for package in &metadata().packages {
        for (noun, owners) in OWNERS {
            if named(package).any(|name| name == *noun) && !owners.contains(&package.name.as_str()) {
                faults.push(format!("{} names {noun}, which belongs to {owners:?}", package.name));
            }
        }
    }
    report("a foreign crate is named outside its owner:", &faults);
}
