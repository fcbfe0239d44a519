//! `windvane demo --exit`: the whole way of the data, from a flight to a line about what drifted.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use windvane_kit::{LoggedProcess, eventually};

fn demo(folder: &Path) -> String {
    let output = Command::new(Path::new(env!("CARGO_BIN_EXE_windvane")))
        .args(["demo", "--exit", "--offline", "--listen", "127.0.0.1:0", "--data"])
        .arg(folder)
        .stdin(Stdio::null())
        .output()
        .expect("the binary starts");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn the_demo_plays_the_year_and_tells_what_drifted() {
    let folder = tempfile::tempdir().unwrap();
    let told = demo(folder.path());
    assert!(told.contains("72,000 flights"), "{told}");
    let line = |name: &str| -> Vec<&str> {
        let line = told.lines().find(|line| line.split_whitespace().next() == Some(name));
        line.unwrap_or_else(|| panic!("no line for {name} in {told}")).split_whitespace().collect()
    };
    // Late, as data/measured.json says of the sample: a percentage, so within a tenth of a point.
    for (month, late) in [("Jul", 32.0), ("Sep", 13.4), ("Dec", 31.9)] {
        let shown: f64 = line(month)[2].parse().unwrap();
        assert!((shown - late).abs() < 0.06, "{month}: {shown}");
    }
    let accuracy = |month: &str| line(month)[4].parse::<f64>().unwrap();
    assert!(accuracy("Sep") > accuracy("Jul") + 3.0, "{told}");
    assert!(line("Jul").contains(&"temp"), "the temperature moved most in July: {told}");
    assert!(told.contains("No drift in any month: distance, hour, origin, scheduled_minutes."), "{told}");

    let again = demo(folder.path());
    assert!(again.starts_with("The folder holds the year already"), "{again}");
    let months = |text: &str| {
        text.lines().filter(|line| line.contains(" of 16 ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(months(&again), months(&told), "the same data, the same answer");
    assert_eq!(months(&told).len(), 9);
}

#[test]
fn the_folder_of_the_demo_is_removed_when_its_terminal_is_closed() {
    let temporary = tempfile::tempdir().unwrap();
    let mut demo = LoggedProcess::start(
        Command::new("env")
            .args(["--default-signal=HUP", env!("CARGO_BIN_EXE_windvane"), "demo", "--offline"])
            .args(["--listen", "127.0.0.1:0"])
            .env("TMPDIR", temporary.path())
            .stdout(Stdio::null()),
    );
    eventually(Duration::from_secs(60), || {
        let mut entries = std::fs::read_dir(temporary.path()).unwrap();
        let is_up = entries.any(|entry| entry.unwrap().path().join("spool").is_dir());
        is_up.then_some(()).ok_or("the service of the demo is not up")
    });
    demo.signal(Signal::HUP);
    let status = demo.wait(Duration::from_secs(60));
    assert_eq!(status.code(), Some(69), "{:?}", demo.log());
    // What libraries keep there is not the demo's.
    let names = std::fs::read_dir(temporary.path()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = names.filter(|name| name.to_string_lossy().starts_with("windvane")).collect();
    assert!(left.is_empty(), "{left:?}");
}
