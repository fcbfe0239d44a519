//! What the documents name is there.

use crate::{report, root, sources};

/// Paths in backticks that are examples of the reader's, not files of the repository.
const EXAMPLES: &[&str] = &["path/to/", "a.parquet", "b.parquet"];

/// The words between backticks, code blocks left out.
fn quoted(text: &str) -> Vec<String> {
    let prose = text.split("```").step_by(2).collect::<Vec<_>>().join("\n");
    prose
        .lines()
        .flat_map(|line| line.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_file_that_a_document_names_is_there() {
    let folders = [
        "src/",
        "types/",
        "stats/",
        "store/",
        "collector/",
        "analyzer/",
        "shadow/",
        "alerts/",
        "web/",
        "sdk/",
        "dashboards/",
        "tests/",
        "benches/",
        "docs/",
        "data/",
        ".ci/",
    ];
    let mut faults = Vec::new();
    for (path, text) in sources("md") {
        for word in quoted(&text) {
            let is_path = folders.iter().any(|folder| word.starts_with(folder))
                && !word.contains([' ', '*', '<', '{', '…']);
            if is_path
                && !EXAMPLES.iter().any(|example| word.contains(example))
                && !root().join(&word).exists()
            {
                faults.push(format!("{} names `{word}`", path.display()));
            }
        }
    }
    report("a document names a file that is not there:", &faults);
}

#[test]
fn every_make_target_that_a_document_names_is_there() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("the Makefile is there");
    let targets: Vec<&str> =
        makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    let mut faults = Vec::new();
    for (path, text) in sources("md") {
        for word in quoted(&text) {
            if let Some(target) = word.strip_prefix("make ")
                && !target
                    .split_whitespace()
                    .filter(|word| !word.contains('='))
                    .all(|name| targets.contains(&name))
            {
                faults.push(format!("{} names `{word}`", path.display()));
            }
        }
    }
    report("a document names a make target that is not there:", &faults);
}

#[test]
fn every_subcommand_that_the_readme_names_is_there() {
    let cli = std::fs::read_to_string(root().join("src/cli.rs"))
        .expect("src/cli.rs is there")
        .to_lowercase()
        .replace('_', "");
    let text = std::fs::read_to_string(root().join("README.md")).expect("README.md is there");
    let mut faults = Vec::new();
    for line in text.lines() {
        let mut words = line.split_whitespace().map(|word| word.trim_matches(['`', '$', '|', ',', '.', ':']));
        while let Some(word) = words.next() {
            if (word == "windvane" || word.ends_with("/windvane"))
                && let Some(next) = words.next()
                && line.contains(&format!("windvane {next}"))
                && (line.contains(&format!("`windvane {next}"))
                    || line.trim_start().starts_with("$ windvane"))
                && !next.starts_with('-')
                && !cli.contains(&format!("{}(", next.replace('-', "")))
            {
                faults.push(format!("`windvane {next}`"));
            }
        }
    }
    report("README names a subcommand that is not there:", &faults);
}

#[test]
fn the_changelog_has_a_place_for_what_comes_next() {
    let text = std::fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md is there");
    assert!(text.contains("\n## Unreleased\n"));
}
