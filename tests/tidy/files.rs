//! What a source file looks like: its first line, its length, its name, and what only one file may do.

use std::path::Path;

use crate::{report, sources, tracked};

/// Lines of a file without its test module, its comments and its blank lines.
const CODE_LINES_MAX: usize = 400;
/// Lines of a file with everything.
const LINES_MAX: usize = 700;
/// Files that may be longer, each with the reason.
const LONGER: &[(&str, &str)] = &[];
/// The one file with `unsafe`.
const UNSAFE_FILE: &str = "store/src/chdb/ffi.rs";
/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["mod", "utils", "util", "helpers", "helper", "common", "misc"];

#[test]
fn every_rust_file_says_first_what_it_is() {
    let faults: Vec<String> = sources("rs")
        .iter()
        .filter(|(_, text)| !text.starts_with("//! "))
        .map(|(path, _)| format!("{} does not begin with `//! …`", path.display()))
        .collect();
    report("a file does not say what it is:", &faults);
}

#[test]
fn every_kernel_says_what_it_is_by_fixed_headings() {
    // What detectors have in common; each has a file with the rest.
    let shared = Path::new("stats/src/detectors.rs");
    let headings = ["Question", "Input", "Formula", "Valid when", "Reference", "Oracle", "Cost"];
    let mut faults = Vec::new();
    for (path, text) in sources("rs") {
        let says = |heading: &str| text.lines().any(|line| line.starts_with(&format!("//! {heading}: ")));
        if !path.starts_with("stats/src") || path == shared || !says("Question") {
            continue;
        }
        let missing: Vec<&str> = headings.into_iter().filter(|heading| !says(heading)).collect();
        if !missing.is_empty() {
            faults.push(format!("{} lacks {}", path.display(), missing.join(", ")));
        }
    }
    report("the head of a kernel is not complete:", &faults);
}

#[test]
fn files_stay_short_enough_to_read() {
    let mut faults = Vec::new();
    for (path, text) in sources("rs") {
        if LONGER.iter().any(|(name, _)| Path::new(name) == path) {
            continue;
        }
        let lines = text.lines().count();
        let code = text
            .lines()
            .take_while(|line| !line.starts_with("#[cfg(test)]"))
            .filter(|line| is_code(line))
            .count();
        let is_test = path.components().any(|part| part.as_os_str() == "tests") || path.ends_with("tests.rs");
        if lines > LINES_MAX || (code > CODE_LINES_MAX && !is_test) {
            faults.push(format!("{} has {code} lines of code, {lines} in all", path.display()));
        }
    }
    report(
        &format!(
            "a file is longer than {CODE_LINES_MAX} lines of code or {LINES_MAX} in all; split it by meaning:"
        ),
        &faults,
    );
}

/// Whether a line is neither blank nor a comment.
fn is_code(line: &str) -> bool {
    let line = line.trim_start();
    !line.is_empty() && !line.starts_with("//")
}

#[test]
fn files_have_names_that_say_something() {
    let faults: Vec<String> = tracked()
        .iter()
        .filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
        .filter(|path| {
            path.file_stem().is_some_and(|stem| EMPTY_NAMES.contains(&stem.to_string_lossy().as_ref()))
        })
        .map(|path| path.display().to_string())
        .collect();
    report("a file has a name that says nothing:", &faults);
}

#[test]
fn one_file_holds_every_unsafe_block() {
    let word = ["unsafe", " {"].concat();
    let faults: Vec<String> = sources("rs")
        .iter()
        .filter(|(path, text)| path != Path::new(UNSAFE_FILE) && text.contains(&word))
        .map(|(path, _)| path.display().to_string())
        .collect();
    report(&format!("unsafe code belongs into {UNSAFE_FILE}:"), &faults);
}

#[test]
fn nothing_unfinished_is_left() {
    let marks = [
        ["TO", "DO"].concat(),
        ["FIX", "ME"].concat(),
        ["unimpl", "emented!"].concat(),
        ["to", "do!("].concat(),
    ];
    let mut faults = Vec::new();
    for ending in ["rs", "py", "mjs", "sh", "sql", "toml"] {
        for (path, text) in sources(ending) {
            if path.ends_with("Cargo.toml") {
                continue;
            }
            for (number, line) in text.lines().enumerate() {
                if marks.iter().any(|mark| line.contains(mark.as_str())) {
                    faults.push(format!("{}:{}: {}", path.display(), number + 1, line.trim()));
                }
            }
        }
    }
    report("something is unfinished:", &faults);
}
