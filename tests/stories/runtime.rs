//! `windvane runtime`: installs through the real npm and pip, under interruption, contention and without a network.

use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn runtime(dir: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command.arg("runtime").args(arguments).stdin(Stdio::null());
    command.env("WINDVANE_RUNTIME_DIR", dir).env_remove("WINDVANE_LIBCHDB").env_remove("ORT_DYLIB_PATH");
    command
}

fn text(output: &Output) -> (String, String) {
    (
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    )
}

/// Folders that hold an installed library, without locks and staging.
fn installed(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|entries| {
            entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        })
        .unwrap_or_default();
    names.retain(|name| !name.starts_with(".lock-"));
    names.sort();
    names
}

#[test]
fn without_a_network_the_install_says_so_in_one_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let output = runtime(folder.path(), &["install"])
        .env("npm_config_registry", "http://127.0.0.1:9/")
        .env("npm_config_cache", folder.path().join("empty-npm-cache"))
        .output()
        .unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert_eq!(stdout, "");
    let last = stderr.lines().last().unwrap_or_default();
    assert!(last.starts_with("windvane: cannot fetch @chdb/lib-linux-x64-gnu@"), "{stderr}");
    assert!(last.contains("check the network, the proxy and the registry"), "{stderr}");
    assert_eq!(installed(folder.path()), ["empty-npm-cache"]);
}

#[test]
fn a_missing_client_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let output = runtime(folder.path(), &["install"]).env("PATH", folder.path()).output().unwrap();
    let (_, stderr) = text(&output);
    assert_eq!(output.status.code(), Some(69), "{stderr}");
    assert!(stderr.contains("`npm` is not installed"), "{stderr}");
}

#[test]
fn an_archive_with_another_checksum_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    // The seam: a client that answers with an archive of its own, as a tampered mirror would.
    let script = "#!/bin/sh\nwhile [ \"$1\" != --pack-destination ]; do shift; done\necho tampered > \"$2/archive.tgz\"\n";
    fs::write(bin.join("npm"), script).unwrap();
    fs::set_permissions(bin.join("npm"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let (dir, bundle) = (folder.path().join("runtime"), folder.path().join("bundle"));
    for arguments in [vec!["install"], vec!["bundle", bundle.to_str().unwrap()]] {
        let output = runtime(&dir, &arguments).env("PATH", &path).output().unwrap();
        let (_, stderr) = text(&output);
        assert_eq!(output.status.code(), Some(69), "{arguments:?}: {stderr}");
        assert!(
            stderr.contains("expected c0d32b129e988f2b9a9a31c9141aecf5e1e2453f9a079efc4d36ab8e3f92b2ad"),
            "{arguments:?}: {stderr}"
        );
    }
    assert_eq!(installed(&dir), Vec::<String>::new());
    assert_eq!(installed(&bundle), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_no_bundle_is_told_and_nothing_is_installed() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, empty) = (folder.path().join("runtime"), folder.path().join("empty"));
    fs::create_dir(&empty).unwrap();
    let output = runtime(&dir, &["install", "--from-bundle", empty.to_str().unwrap()]).output().unwrap();
    let (stdout, stderr) = text(&output);
    assert_eq!((output.status.code(), stdout.as_str()), (Some(65), ""), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("is no bundle: it has no manifest.json"), "{stderr}");
    assert!(!dir.exists(), "{:?}", installed(&dir));
}

/// The real packages through npm and pip, in parts, and out of them where neither client is.
#[test]
#[ignore = "bundles the real libraries: `make bundle` runs it"]
fn a_bundle_installs_where_there_is_neither_npm_nor_pip() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, bundle) = (folder.path().join("runtime"), folder.path().join("bundle"));
    let written =
        runtime(&dir, &["bundle", bundle.to_str().unwrap(), "--part-size", "60MiB"]).output().unwrap();
    let (stdout, stderr) = text(&written);
    assert_eq!(written.status.code(), Some(0), "{stderr}");
    assert!(stdout.starts_with("libchdb 26.7.3-stable.1: 3 parts, "), "{stdout}");
    assert!(stdout.contains("onnxruntime 1.31.1: 1 part, "), "{stdout}");
    assert!(!dir.exists(), "bundling installs nothing");
    let parts = installed(&bundle);
    assert_eq!(parts.len(), 5, "{parts:?}");
    for part in &parts {
        assert!(fs::metadata(bundle.join(part)).unwrap().len() <= 60 << 20, "{part}");
    }

    let install = || {
        let mut command = runtime(&dir, &["install", "--from-bundle", bundle.to_str().unwrap()]);
        // No client is on this path, so nothing is fetched.
        command.env("PATH", &bundle);
        command.output().unwrap()
    };
    let (last, aside) = (bundle.join("onnxruntime-1.31.1.001"), folder.path().join("aside"));
    fs::rename(&last, &aside).unwrap();
    let output = install();
    assert_eq!(output.status.code(), Some(65), "{:?}", text(&output));
    assert!(text(&output).1.contains("part `onnxruntime-1.31.1.001`"), "{:?}", text(&output));
    assert!(!dir.exists(), "the first library is not installed without the second");

    fs::rename(&aside, &last).unwrap();
    let output = install();
    assert_eq!(output.status.code(), Some(0), "{:?}", text(&output));
    assert_eq!(installed(&dir), ["libchdb-26.7.3-stable.1", "onnxruntime-1.31.1"]);
    let status = runtime(&dir, &["status"]).output().unwrap();
    assert_eq!(status.status.code(), Some(0), "{:?}", text(&status));
}

#[test]
fn an_interrupted_install_is_followed_by_two_at_once_that_both_succeed() {
    let folder = tempfile::tempdir().unwrap();
    let mut interrupted = runtime(folder.path(), &["install"]).stderr(Stdio::null()).spawn().unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while !installed(folder.path()).iter().any(|name| name.starts_with(".staging-")) {
        assert!(Instant::now() < deadline, "the install never began");
        std::thread::sleep(Duration::from_millis(10));
    }
    interrupted.kill().unwrap();
    interrupted.wait().unwrap();
    let status = runtime(folder.path(), &["status"]).output().unwrap();
    assert_eq!(status.status.code(), Some(69), "an interrupted install looks like a whole one: {status:?}");

    let both = [(); 2].map(|()| {
        runtime(folder.path(), &["install"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    });
    let outputs = both.map(|child| child.wait_with_output().unwrap());
    for output in &outputs {
        assert_eq!(output.status.code(), Some(0), "{:?}", text(output));
    }
    let fetched = outputs.iter().filter(|output| text(output).0.contains("libchdb: installed")).count();
    assert_eq!(fetched, 1, "one install fetches, the other waits and finds it: {outputs:?}");
    assert_eq!(installed(folder.path()), ["libchdb-26.7.3-stable.1", "onnxruntime-1.31.1"]);
    let again = runtime(folder.path(), &["status", "--format", "json"]).output().unwrap();
    assert_eq!(again.status.code(), Some(0));
    let document: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
    assert_eq!(document["schema"], "windvane.runtime/1");
    assert_eq!(document["libraries"][0]["state"], "installed");
}
