//! Fetches one pinned package through the user's own npm or pip, so that their mirrors, proxies and credentials apply.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use indicatif::ProgressBar;

use super::catalogue::{Client, Package};
use super::error::RuntimeError;

/// How often the bar looks at what has arrived.
const POLL: Duration = Duration::from_millis(150);

/// Fetches `package` into the empty folder `into` and returns the archive's path.
///
/// # Errors
/// The client is missing or fails; the folder cannot be read.
pub fn fetch(package: &Package, into: &Path, bar: &ProgressBar) -> Result<PathBuf, RuntimeError> {
    let program = package.client.program();
    let mut child = command(package, into).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => RuntimeError::ClientMissing { spec: package.spec, program },
        _ => RuntimeError::ClientFailed { spec: package.spec, program, detail: error.to_string() },
    })?;
    let complaints = read_in_background(&mut child);
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) => {
                bar.set_position(arrived(into));
                thread::sleep(POLL);
            }
            Err(error) => {
                return Err(RuntimeError::ClientFailed {
                    spec: package.spec,
                    program,
                    detail: error.to_string(),
                });
            }
        }
    };
    let complaints = complaints.and_then(|reader| reader.join().ok()).unwrap_or_default();
    if !status.success() {
        let detail = failure_line(&complaints).unwrap_or_else(|| format!("it ended with {status}"));
        return Err(RuntimeError::ClientFailed { spec: package.spec, program, detail });
    }
    archive(package, into)
}

/// The client's command line. Few retries and short timeouts: a closed network should answer within a minute.
fn command(package: &Package, into: &Path) -> Command {
    let mut command = Command::new(package.client.program());
    match package.client {
        Client::Npm => {
            command.args(["pack", package.spec, "--silent", "--ignore-scripts", "--fetch-retries=1"]);
            command
                // Both ends: npm refuses a longest pause below its shortest, which is 10 s unless told otherwise.
                .args(["--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"])
                .args(["--loglevel=error", "--pack-destination"])
                .arg(into);
        }
        Client::Pip { platform } => {
            command.args([
                "download",
                package.spec,
                "--no-deps",
                "--only-binary=:all:",
                "--disable-pip-version-check",
            ]);
            command.args([
                "--python-version=3.12",
                "--implementation=cp",
                "--abi=cp312",
                "--platform",
                platform,
            ]);
            command.args(["--retries=1", "--no-input", "--quiet", "--dest"]).arg(into);
        }
    }
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    command
}

/// Drains standard error beside the wait, so that a talkative client cannot fill the pipe and hang. It keeps the last part.
fn read_in_background(child: &mut Child) -> Option<thread::JoinHandle<String>> {
    const KEPT_BYTES: usize = 64 * 1024;
    let mut stderr = child.stderr.take()?;
    Some(thread::spawn(move || {
        let mut kept = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stderr.read(&mut buffer) {
            kept.extend_from_slice(&buffer[..read]);
            let surplus = kept.len().saturating_sub(KEPT_BYTES);
            kept.drain(..surplus);
        }
        String::from_utf8_lossy(&kept).into_owned()
    }))
}

/// Bytes in the folder so far. Both clients write to their cache first, so this may jump; it never claims too much.
fn arrived(folder: &Path) -> u64 {
    let Ok(entries) = fs::read_dir(folder) else { return 0 };
    entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|metadata| metadata.len()).sum()
}

/// The one line of a client's complaints that says what is wrong: the first that names an error, else the last.
fn failure_line(complaints: &str) -> Option<String> {
    let said = |line: &&str| !line.is_empty() && !line.contains("WARNING") && !line.contains("complete log");
    let mut lines = complaints.lines().map(str::trim).filter(said);
    let telling = lines.clone().find(|line| {
        let lower = line.to_ascii_lowercase();
        [
            "enotfound",
            "etimedout",
            "econnrefused",
            "eai_again",
            "could not find",
            "no matching distribution",
            "e404",
        ]
        .iter()
        .any(|word| lower.contains(word))
    });
    let line = telling.or_else(|| lines.next_back())?;
    let line = line.trim_start_matches("npm error ").trim_start_matches("ERROR: ");
    Some(line.chars().take(300).collect())
}

/// The one archive in the folder.
fn archive(package: &Package, folder: &Path) -> Result<PathBuf, RuntimeError> {
    let entries = fs::read_dir(folder).map_err(RuntimeError::file("read the folder", folder))?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.is_file()).ok_or(
        RuntimeError::ClientFailed {
            spec: package.spec,
            program: package.client.program(),
            detail: "it said that all went well but left no archive".to_owned(),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_failure_line_is_the_one_that_says_why() {
        for (complaints, expected) in [
            (
                "npm error code ENOTFOUND\nnpm error syscall getaddrinfo\nnpm error A complete log of this run\n",
                Some("code ENOTFOUND"),
            ),
            (
                "WARNING: Retrying\nERROR: Could not find a version that satisfies the requirement x\nERROR: No matching distribution found for x\n",
                Some("Could not find a version that satisfies the requirement x"),
            ),
            (
                "npm error minTimeout is greater than maxTimeout\nnpm error A complete log of this run\n",
                Some("minTimeout is greater than maxTimeout"),
            ),
            ("something odd\nlast words\n", Some("last words")),
            ("\n  \n", None),
        ] {
            assert_eq!(failure_line(complaints).as_deref(), expected, "{complaints:?}");
        }
    }
}
