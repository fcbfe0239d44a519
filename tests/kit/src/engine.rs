//! A running `windvane engine` over a folder of the test, on a free port.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::LoggedProcess;

/// How long a start may take; the engine boots in well under a second where nothing else runs.
const START: Duration = Duration::from_secs(90);

/// An engine process and its address. It is killed when dropped.
#[derive(Debug)]
pub struct Engine {
    process: LoggedProcess,
    dir: PathBuf,
    url: String,
}

impl Engine {
    /// Starts `binary engine` over the folder and waits until it listens. Starting again over the folder of a killed
    /// engine is allowed.
    ///
    /// # Panics
    /// The engine does not come up.
    pub fn start(binary: &Path, dir: &Path) -> Self {
        let mut command = Command::new(binary);
        command
            .args(["--log-format", "json", "engine", "--offline", "--listen", "127.0.0.1:0", "--data"])
            .arg(dir);
        let mut process = LoggedProcess::start(&mut command);
        let line = process.wait_for_line(START, &["the engine is ready"]);
        let line: serde_json::Value = serde_json::from_str(&line).expect("log lines are JSON");
        let address = line["address"].as_str().unwrap_or_else(|| panic!("no address in {line}"));
        Self { process, dir: dir.to_owned(), url: format!("http://{address}") }
    }

    /// The address, `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Writes the password into a file, for `--password-file`, and returns the user and the file.
    ///
    /// # Panics
    /// `access.json` is not there.
    pub fn user(&self) -> (String, PathBuf) {
        let text = std::fs::read_to_string(self.dir.join("access.json")).expect("the engine has users");
        let access: serde_json::Value = serde_json::from_str(&text).expect("access.json is JSON");
        let word = |name: &str| access[name].as_str().expect("a string").to_owned();
        let file = self.dir.join("password");
        std::fs::write(&file, word("password")).expect("the folder of the test can be written");
        (word("user"), file)
    }

    /// Kills the process at once, as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}
