//! A program of the user's own: the body of a webhook on its standard input, its exit code the answer.

use std::io;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, Command};

use super::webhook;
use crate::delivery::Attempt;
use crate::notification::Notification;
use crate::truncate::truncated;

/// Bytes of what the program writes that are kept, and characters that are shown. The rest is read and thrown away.
const SAID_BYTES_MAX: usize = 4 * 1024;
const ANSWER_MAX: usize = 300;
/// How long what it wrote is read once it has ended: a program that it left behind may keep the pipe open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// Exit codes that say that trying again cannot help: a wrong call, wrong data, no such host. 75 says that it can.
const FOR_GOOD: std::ops::RangeInclusive<i32> = 64..=78;
const TRY_AGAIN: i32 = 75;

/// Codes of the system: the process, or the machine, has as many files open as it may (EMFILE, ENFILE).
const TOO_MANY_FILES: [i32; 2] = [24, 23];

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
            Err(error) => return not_started(program, &error),
        };
        let body = webhook::body(notification).to_string();
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let mut said = Vec::new();
        let ended = {
            let tell = async {
                if let Some(mut stdin) = stdin {
                    // A program that does not read its input may still be right.
                    let _ = stdin.write_all(body.as_bytes()).await;
                }
            };
            // It may write more than a pipe holds before it reads, so both go on at once.
            let talk = async { tokio::join!(tell, listen(stderr, &mut said)) };
            tokio::pin!(talk);
            tokio::select! {
                ended = child.wait() => {
                    let _ = tokio::time::timeout(LAST_WORDS, &mut talk).await;
                    ended
                }
                _ = &mut talk => child.wait().await,
            }
        };
        match ended {
            Ok(status) => judged(status.code(), &String::from_utf8_lossy(&said)),
            Err(error) => {
                Attempt::Later { answer: format!("cannot wait for `{program}`: {error}"), pause: None }
            }
        }
    }
}

/// A machine that has no room for another process or file just now, or writes the program just now, may start it later; one that
/// does not find it, or may not run it, will not.
fn not_started(program: &str, error: &io::Error) -> Attempt {
    use io::ErrorKind::{ExecutableFileBusy, Interrupted, OutOfMemory, WouldBlock};
    let answer = format!("cannot start `{program}`: {error}");
    let passes = matches!(error.kind(), ExecutableFileBusy | Interrupted | OutOfMemory | WouldBlock);
    match passes || error.raw_os_error().is_some_and(|code| TOO_MANY_FILES.contains(&code)) {
        true => Attempt::Later { answer, pause: None },
        false => Attempt::Refused(answer),
    }
}

/// Reads all that a program writes, and keeps the beginning.
async fn listen(stderr: Option<ChildStderr>, said: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    let mut chunk = [0; 1024];
    while let Ok(read) = stderr.read(&mut chunk).await {
        if read == 0 {
            return;
        }
        let room = SAID_BYTES_MAX.saturating_sub(said.len());
        said.extend_from_slice(&chunk[..read.min(room)]);
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

    #[test]
    fn a_program_that_cannot_be_started_just_now_is_tried_again() {
        for passing in [io::Error::from_raw_os_error(24), io::ErrorKind::WouldBlock.into()] {
            assert!(matches!(not_started("tell", &passing), Attempt::Later { .. }), "{passing}");
        }
        for lasting in [io::ErrorKind::NotFound, io::ErrorKind::PermissionDenied] {
            assert!(matches!(not_started("tell", &lasting.into()), Attempt::Refused(_)), "{lasting}");
        }
    }

    #[tokio::test]
    async fn a_program_that_writes_much_or_leaves_another_one_behind_holds_nothing_up() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        // More than a pipe holds, in both directions.
        notification.alerts[0].annotations.insert("summary".to_owned(), "long ".repeat(100_000));
        let much = "head -c 1000000 /dev/zero | tr '\\0' x >&2";
        let said = truncated(&"x".repeat(1_000_000), ANSWER_MAX);
        let taken = Attempt::Taken("exit code 0".to_owned());
        for (script, expected) in [
            (format!("{much}; cat > /dev/null"), taken.clone()),
            (format!("{much}; exit 65"), Attempt::Refused(format!("exit code 65: {said}"))),
            ("sleep 60 & exit 0".to_owned(), taken),
        ] {
            let exec = Exec { command: vec!["sh".to_owned(), "-c".to_owned(), script.clone()] };
            let attempt = tokio::time::timeout(Duration::from_secs(30), exec.send(&notification)).await;
            assert_eq!(attempt, Ok(expected), "{script}");
        }
    }
}
