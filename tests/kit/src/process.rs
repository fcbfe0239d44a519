//! A child process whose log is kept, so that a test can wait for a line and show the log when it fails.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::eventually;

/// A running program of ours. It is killed when dropped.
#[derive(Debug)]
pub struct LoggedProcess {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl LoggedProcess {
    /// Starts the command and keeps what it writes to standard error.
    ///
    /// # Panics
    /// The program cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        let stderr = child.stderr.take().expect("standard error is piped");
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        // Ends when the child and its own children have closed standard error.
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("no holder panics").push(line);
            }
        });
        Self { child, log }
    }

    /// The process number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The lines so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().expect("no holder panics").clone()
    }

    /// Waits for a line that holds all the parts, and returns it.
    ///
    /// # Panics
    /// The line does not come in time, or the process ends first; the log is in the message.
    pub fn wait_for_line(&mut self, limit: Duration, parts: &[&str]) -> String {
        eventually(limit, || {
            let log = self.log();
            let found = log.iter().find(|line| parts.iter().all(|part| line.contains(part))).cloned();
            match (found, self.child.try_wait()) {
                (Some(line), _) => Ok(line),
                (None, Ok(Some(status))) => {
                    panic!("ended with {status} before {parts:?}:\n{}", log.join("\n"))
                }
                (None, _) => Err(log.join("\n")),
            }
        })
    }

    /// Sends a signal.
    ///
    /// # Panics
    /// The process is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a process number");
        kill_process(pid, signal).expect("the process takes the signal");
    }

    /// Kills the process at once and waits for its end.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Waits for the end.
    ///
    /// # Panics
    /// The process does not end in time.
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        eventually(limit, || self.child.try_wait().expect("a child can be waited for").ok_or("running"))
    }
}

impl Drop for LoggedProcess {
    fn drop(&mut self) {
        self.kill();
    }
}
