//! The port over TLS, with a certificate that changes while the service runs. The client is curl.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use windvane_kit::{Service, eventually, nothing_is_lost_as_told};

/// How soon a new certificate is in force; the service says a second.
const FOLLOWS: Duration = Duration::from_secs(20);

/// A certificate or a key of `tests/stories/tls`.
fn made(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/tls").join(name)
}

/// What curl, trusting this certificate alone, gets.
fn curl(url: &str, trusted: &Path) -> Result<String, String> {
    curl_with(url, trusted, &[])
}

/// The same with these words more.
fn curl_with(url: &str, trusted: &Path, words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--fail", "--max-time", "20", "--cacert"])
        .arg(trusted)
        .args(words)
        .arg(url);
    let output = command.env_remove("https_proxy").args(["--noproxy", "*"]).output().unwrap();
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

#[test]
fn a_new_certificate_is_in_force_without_a_restart_and_a_broken_one_never() {
    let folder = tempfile::tempdir().unwrap();
    let [cert, key] = ["tls.crt", "tls.key"].map(|name| folder.path().join(name));
    let [first, second] = [made("first.crt"), made("second.crt")];
    let install = |name: &str| {
        std::fs::copy(made(&format!("{name}.key")), &key).unwrap();
        std::fs::copy(made(&format!("{name}.crt")), &cert).unwrap();
    };
    install("first");
    let tls = format!("[server.tls]\ncert_file = {cert:?}\nkey_file = {key:?}");
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), &tls);
    assert!(service.url().starts_with("https://127.0.0.1:"), "{}", service.url());
    let url = format!("{}/healthz", service.url());
    assert_eq!(curl(&url, &first).unwrap(), r#"{"status":"ok"}"#);
    let clear = curl(&url.replace("https:", "http:"), &first);
    assert!(clear.is_err(), "no answer in clear text: {clear:?}");

    install("second");
    eventually(FOLLOWS, || curl(&url, &second));
    assert!(curl(&url, &first).is_err(), "the old certificate is gone");

    let events = "{\"model\":\"m\"}\n{\"model\":\"m\",\"modle\":1}\n{\"model\":\"m\"}";
    let ndjson = ["--header", "Content-Type: application/x-ndjson", "--data-binary", events];
    let answer = curl_with(&format!("{}/v1/predictions", service.url()), &second, &ndjson).unwrap();
    assert!(answer.contains("\"accepted\":2"), "{answer}");
    let metrics = format!("{}/metrics", service.url());
    nothing_is_lost_as_told(|| curl(&metrics, &second));

    std::fs::write(&cert, "no certificate").unwrap();
    eventually(FOLLOWS, || {
        curl(&url, &second).unwrap_or_else(|error| panic!("the one in force stays: {error}"));
        let told = service.log().iter().any(|line| line.contains("cannot read the certificate again"));
        if told { Ok(()) } else { Err(service.log()) }
    });
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn a_key_of_another_certificate_is_a_wrong_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let (cert, key) = (made("first.crt"), made("second.key"));
    let config = folder.path().join("windvane.toml");
    for (text, part) in [
        (format!("cert_file = {cert:?}\nkey_file = {key:?}"), "do not go together"),
        (format!("cert_file = {cert:?}"), "needs server.tls.key_file"),
        (format!("cert_file = {key:?}\nkey_file = {key:?}"), "holds no certificate"),
        (format!("cert_file = \"absent\"\nkey_file = {key:?}"), "cannot read the certificates"),
    ] {
        std::fs::write(&config, format!("[server.tls]\n{text}\n")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
        let output = command.args(["check-config", "--config"]).arg(&config).output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(78) && told.contains(part), "{text}: {told}");
    }
}
