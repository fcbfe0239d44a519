//! `windvane engine` as a process: its users, its folder, and how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use windvane_kit::{LoggedProcess, eventually};

const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(30);

fn command(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command
        .args(["--log-format", "json", "engine", "--offline", "--listen", "127.0.0.1:0", "--data"])
        .arg(data);
    command
}

fn address(process: &mut LoggedProcess) -> SocketAddr {
    let line = process.wait_for_line(START, &["the engine is ready"]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    line["address"].as_str().unwrap().parse().unwrap()
}

fn access(data: &Path) -> serde_json::Value {
    serde_json::from_slice(&std::fs::read(data.join("access.json")).unwrap()).unwrap()
}

async fn run(address: SocketAddr, data: &Path, sql: &str) -> Result<String, String> {
    let access = access(data);
    let request = reqwest::Client::new()
        .post(format!("http://{address}/"))
        .basic_auth(access["user"].as_str().unwrap(), access["password"].as_str())
        .body(sql.to_owned());
    let response = request.send().await.map_err(|error| error.to_string())?;
    let status = response.status();
    let text = response.text().await.map_err(|error| error.to_string())?;
    if status.is_success() { Ok(text) } else { Err(text) }
}

#[tokio::test]
async fn engine_keeps_users_and_rows_over_a_kill_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut first = LoggedProcess::start(&mut command(&data));
    let listens = address(&mut first);
    let users = access(&data);
    run(listens, &data, "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a").await.unwrap();
    run(listens, &data, "INSERT INTO t SELECT number FROM numbers(1000)").await.unwrap();
    first.kill();

    let mut second = LoggedProcess::start(&mut command(&data));
    let listens = address(&mut second);
    assert_eq!(access(&data), users);
    assert_eq!(run(listens, &data, "SELECT count() FROM t").await.unwrap(), "1000\n");
    second.signal(Signal::TERM);
    assert_eq!(second.wait(END).code(), Some(0));
}

#[tokio::test]
async fn engine_finishes_a_running_statement_after_sigterm() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = LoggedProcess::start(&mut command(folder.path()));
    let listens = address(&mut process);
    let (slow, ()) = tokio::join!(run(listens, folder.path(), "SELECT sleep(2) AS running"), async {
        let seen = "SELECT count() FROM system.processes WHERE query LIKE 'SELECT sleep(2) AS running%'";
        windvane_kit::eventually_async(END, async || match run(listens, folder.path(), seen).await {
            Ok(count) if count == "1\n" => Ok(()),
            other => Err(other),
        })
        .await;
        process.signal(Signal::TERM);
    });
    assert_eq!(slow.unwrap(), "0\n");
    assert_eq!(process.wait(END).code(), Some(0));
}

#[test]
fn engine_says_by_its_exit_code_why_it_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut holder = LoggedProcess::start(&mut command(folder.path()));
    address(&mut holder);
    let taken = command(folder.path()).output().unwrap();
    assert_eq!(taken.status.code(), Some(69), "{}", String::from_utf8_lossy(&taken.stderr));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("in use"));

    let other = tempfile::tempdir().unwrap();
    let nowhere = command(other.path()).env("TZ", "Nowhere/Land").output().unwrap();
    let told = String::from_utf8_lossy(&nowhere.stderr);
    assert_eq!(nowhere.status.code(), Some(69), "{told}");
    assert!(told.contains("the time zone `Nowhere/Land` of the variable TZ; it takes names"), "{told}");
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:8123"] {
        let open = Command::new(env!("CARGO_BIN_EXE_windvane"))
            .args(["engine", "--offline", "--listen", listen, "--data"])
            .arg(other.path())
            .output()
            .unwrap();
        assert_eq!(open.status.code(), Some(78), "{listen}: {}", String::from_utf8_lossy(&open.stderr));
    }
}

#[test]
fn engine_ends_with_the_pipe_of_its_parent_and_leaves_the_folder_free() {
    let folder = tempfile::tempdir().unwrap();
    // The shell holds the engine's standard input open, as `serve` does, until it is killed.
    let script = "mkfifo \"$0/pipe\"; \"$@\" <\"$0/pipe\" & exec 4>\"$0/pipe\"; wait";
    let mut parent = Command::new("sh");
    parent.arg("-c").arg(script).arg(folder.path());
    let engine = command(&folder.path().join("data"));
    parent.arg(engine.get_program()).args(engine.get_args()).arg("--exit-with-stdin").stdout(Stdio::null());
    let mut parent = LoggedProcess::start(&mut parent);
    address(&mut parent);
    parent.kill();

    let mut restarted = eventually(END, || {
        let next = LoggedProcess::start(&mut command(&folder.path().join("data")));
        eventually(START, || {
            let log = next.log().join("\n");
            if log.contains("the engine is ready") || log.contains("in use") { Ok(log) } else { Err(log) }
        })
        .contains("the engine is ready")
        .then_some(next)
        .ok_or("the folder is still in use")
    });
    restarted.signal(Signal::TERM);
    assert_eq!(restarted.wait(END).code(), Some(0));
}
