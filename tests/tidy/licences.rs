//! Licences and sources of the crates we build on, by the lists of deny.toml; works without the network.
//!
//! `cargo deny` reads the same file and checks more; this test stands in for it where it is not installed.

use std::collections::BTreeSet;

use cargo_metadata::MetadataCommand;

use crate::{report, root};

fn allowed() -> BTreeSet<String> {
    let text = std::fs::read_to_string(root().join("deny.toml")).expect("deny.toml is there");
    let table: toml::Table = text.parse().expect("deny.toml is TOML");
    let list = table["licenses"]["allow"].as_array().expect("licenses.allow is a list");
    list.iter().map(|licence| licence.as_str().expect("a licence is a string").to_owned()).collect()
}

/// Whether an SPDX expression can be met by licences of the list: every `AND` part needs one of its `OR` parts.
fn fits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let expression = expression.replace('/', " OR ").replace(['(', ')'], " ");
    let alternatives = |part: &str| part.split(" OR ").any(|licence| allowed.contains(licence.trim()));
    expression.split(" AND ").all(alternatives)
        || expression.split(" OR ").any(|part| part.split(" AND ").all(alternatives))
}

#[test]
fn every_crate_has_a_licence_of_the_list() {
    let allowed = allowed();
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .other_options(["--offline", "--filter-platform", "x86_64-unknown-linux-gnu"].map(str::to_owned))
        .exec();
    let faults: Vec<String> = metadata
        .expect("cargo reads the lock file")
        .packages
        .iter()
        .filter(|package| !fits(package.license.as_deref().unwrap_or_default(), &allowed))
        .map(|package| format!("{} {}: {:?}", package.name, package.version, package.license))
        .collect();
    report("a crate has a licence that deny.toml does not allow:", &faults);
}

#[test]
fn every_crate_comes_from_the_registry() {
    let lock = std::fs::read_to_string(root().join("Cargo.lock")).expect("Cargo.lock is there");
    let faults: Vec<String> = lock
        .lines()
        .filter(|line| line.starts_with("source = ") && !line.contains("registry+"))
        .map(str::to_owned)
        .collect();
    report("a crate comes from elsewhere than the registry:", &faults);
}

#[test]
fn expressions_are_read_as_spdx() {
    let allowed: BTreeSet<String> = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned).into();
    for (expression, expected) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/Apache-2.0", true),
        ("MIT OR GPL-3.0", true),
        ("(MIT OR GPL-3.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0", false),
        ("", false),
    ] {
        assert_eq!(fits(expression, &allowed), expected, "{expression:?}");
    }
}
