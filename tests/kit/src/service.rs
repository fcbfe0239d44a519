//! A running `windvane serve` over a folder of the test, on free ports.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Pid, Signal, test_kill_process};

use crate::accounting::nothing_is_lost_if_told;
use crate::{LoggedProcess, eventually, template};

/// How long a start may take; the engine boots in well under a second where nothing else runs.
const START: Duration = Duration::from_secs(90);
/// How long the end may take: the contract's 30 s.
const END: Duration = Duration::from_secs(30);

/// A service and its engine.
#[derive(Debug)]
pub struct Service {
    process: LoggedProcess,
    dir: PathBuf,
    url: String,
    otlp_url: String,
    engine_url: String,
}

impl Service {
    /// Starts `binary serve` with its data under `dir`; `more` is added to the configuration. Where nothing is there yet,
    /// its tables are.
    ///
    /// # Panics
    /// The service does not come up.
    pub fn start(binary: &Path, dir: &Path, more: &str) -> Self {
        let data_dir = dir.join("data");
        if !data_dir.exists() {
            template::lay_out(binary, &data_dir);
        }
        Self::start_bare(binary, dir, more)
    }

    /// The same over an empty folder, so that it makes its tables by itself.
    ///
    /// # Panics
    /// The service does not come up.
    pub fn start_bare(binary: &Path, dir: &Path, more: &str) -> Self {
        let config = dir.join("windvane.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[otlp]\ngrpc_listen = \"127.0.0.1:0\"\n[store]\ndata_dir = \"data\"\nengine_listen = \"127.0.0.1:0\"\n{more}\n"
        );
        std::fs::write(&config, text).expect("the folder of the test can be written");
        let mut command = Command::new(binary);
        command.args(["--log-format", "json", "serve", "--offline", "--config"]).arg(&config);
        // They are for the stories and the benches; the service refuses variables that it does not know.
        command.env_remove("WINDVANE_SOAK_ROUNDS").env_remove("WINDVANE_BENCH_EVENTS");
        let mut process = LoggedProcess::start(&mut command);
        let line = process.wait_for_line(START, &["windvane is up"]);
        let line: serde_json::Value = serde_json::from_str(&line).expect("log lines are JSON");
        let word = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("{name} in {line}")).to_owned();
        Self {
            process,
            dir: dir.to_owned(),
            url: word("address"),
            otlp_url: word("otlp"),
            engine_url: word("store"),
        }
    }

    /// The service's address, `http://127.0.0.1:…`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address of OpenTelemetry's gRPC.
    pub fn otlp_url(&self) -> &str {
        &self.otlp_url
    }

    /// The engine's address.
    pub fn engine_url(&self) -> &str {
        &self.engine_url
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.dir.join("windvane.toml")
    }

    /// The engine's user and password.
    ///
    /// # Panics
    /// `access.json` is not there.
    pub fn engine_user(&self) -> (String, String) {
        let text = std::fs::read_to_string(self.dir.join("data/access.json")).expect("the engine has users");
        let access: serde_json::Value = serde_json::from_str(&text).expect("access.json is JSON");
        let word = |name: &str| access[name].as_str().expect("a string").to_owned();
        (word("user"), word("password"))
    }

    /// The process number of the service.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The process number of the engine, the service's only child.
    ///
    /// # Panics
    /// There is none for 30 s.
    pub fn engine_pid(&self) -> u32 {
        let pid = self.pid();
        let path = format!("/proc/{pid}/task/{pid}/children");
        eventually(END, || {
            // Any thread of the service may have started it.
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| error.to_string())?;
            let children: String = tasks
                .flatten()
                .filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok())
                .collect();
            children.split_whitespace().next().and_then(|word| word.parse().ok()).ok_or_else(|| path.clone())
        })
    }

    /// The log so far.
    pub fn log(&self) -> Vec<String> {
        self.process.log()
    }

    /// Kills the service at once, and waits until its engine has left by itself.
    ///
    /// # Panics
    /// The engine stays for 30 s.
    pub fn kill(mut self) {
        let engine = self.engine_pid();
        self.process.kill();
        wait_until_gone(engine);
    }

    /// Asks the service to end and returns its exit code. Before that every record that came to it has to be somewhere.
    ///
    /// # Panics
    /// A record is lost, or it does not end within 30 s.
    pub fn terminate(mut self) -> Option<i32> {
        nothing_is_lost_if_told(&self.url);
        self.process.signal(Signal::TERM);
        self.process.wait(END).code()
    }
}

/// Waits until a process is gone.
///
/// # Panics
/// It stays for 30 s.
fn wait_until_gone(pid: u32) {
    let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    eventually(END, || match test_kill_process(pid) {
        Ok(()) => Err(format!("{pid:?} still runs")),
        Err(_) => Ok(()),
    });
}
