//! A program of the user's own: the body of a webhook on its standard input, its exit code the answer.

use std::process::Stdio;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::webhook;
use crate::delivery::Attempt;
use crate::notification::Notification;
use crate::truncate::truncated;

/// Characters of what the program writes that are kept.
const ANSWER_MAX: usize = 300;
/// Exit codes that say that trying again cannot help: a wrong call, wrong data, no such host. 75 says that it can.
const FOR_GOOD: std::ops::RangeInclusive<i32> = 64..=78;
const TRY_AGAIN: i32 = 75;

/// A program.
#[derive(Debug)]
pub struct Exec {
    /// The program and its arguments.
    pub command: Vec<String>,
}

impl Exec {
    /// Runs it once. It is killed where the attempt takes too long.
    pub async fn send(&self, notification: &Notification) -> Attempt {
        let Some((program, arguments)) = self.command.split_first() else {
            return Attempt::Refused("no program is named".to_owned());
        };
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .env("WINDVANE_NOTIFICATION_ID", &notification.id)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Attempt::Refused(format!("cannot start `{program}`: {error}")),
        };
        let body = webhook::body(notification).to_string();
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read its input may still be right.
            let _ = stdin.write_all(body.as_bytes()).await;
        }
        match child.wait_with_output().await {
            Ok(output) => judged(output.status.code(), &String::from_utf8_lossy(&output.stderr)),
            Err(error) => {
                Attempt::Later { answer: format!("cannot wait for `{program}`: {error}"), pause: None }
            }
        }
    }
}

fn judged(code: Option<i32>, said: &str) -> Attempt {
    let said = truncated(said.trim(), ANSWER_MAX);
    match code {
        Some(0) => Attempt::Taken("exit code 0".to_owned()),
        Some(code) if FOR_GOOD.contains(&code) && code != TRY_AGAIN => {
            Attempt::Refused(format!("exit code {code}: {said}"))
        }
        Some(code) => Attempt::Later { answer: format!("exit code {code}: {said}"), pause: None },
        None => Attempt::Later { answer: format!("ended by a signal: {said}"), pause: None },
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    async fn run(script: &str) -> Attempt {
        let exec = Exec { command: ["sh", "-c", script].map(str::to_owned).to_vec() };
        exec.send(&Notification::test("ops", "id-1".to_owned(), Timestamp::UNIX_EPOCH)).await
    }

    #[tokio::test]
    async fn a_program_reads_the_body_and_answers_with_its_code() {
        let script =
            "grep -q '\"version\":\"4\"' && test \"$WINDVANE_NOTIFICATION_ID\" = id-1 && test -z \"$HOME\"";
        assert_eq!(run(script).await, Attempt::Taken("exit code 0".to_owned()));
        assert!(
            matches!(run("cat > /dev/null; echo no >&2; exit 65").await, Attempt::Refused(said) if said.contains("65: no"))
        );
        assert!(matches!(run("exit 75").await, Attempt::Later { .. }));
        assert!(matches!(run("exit 1").await, Attempt::Later { .. }));
        let missing = Exec { command: vec!["/nowhere/at/all".to_owned()] };
        let notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        assert!(matches!(missing.send(&notification).await, Attempt::Refused(_)));
    }
}
