//! `windvane shadow policy`: the shipped policy, and policies of files.

use std::path::Path;

use anyhow::Context;
use windvane_shadow::policy::{DEFAULT, Policy};

use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::print;

/// Prints the policy that is used where none is named.
pub fn print_default() -> CommandResult {
    print(DEFAULT)
}

/// The text of a policy, checked; the shipped one where no file is named.
///
/// # Errors
/// The file cannot be read, or the policy has faults.
pub fn read(path: Option<&Path>) -> Result<(String, Policy), Failure> {
    let Some(path) = path else {
        let policy = Policy::parse(DEFAULT).because(Reason::Software)?;
        return Ok((DEFAULT.to_owned(), policy));
    };
    let named = || format!("policy `{}`", path.display());
    let text = std::fs::read_to_string(path).with_context(named).because(Reason::Config)?;
    let policy = Policy::parse(&text).with_context(named).because(Reason::Config)?;
    Ok((text, policy))
}
