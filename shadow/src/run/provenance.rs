//! Where a verdict comes from: models, runtime, device, seeds, memory; and what a reader should know besides.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use windvane_types::gate::{Agreement, Model, Placement, Provenance};
use windvane_types::hex;

use super::Job;
use super::opened::{Hashed, Look, hash};
use crate::device::Device;
use crate::gpu;
use crate::policy::Policy;
use crate::replay::Player;
use crate::session::Session;

/// Everything that tells how the verdict was made.
pub(super) fn gather(
    job: &Job,
    policy: &Policy,
    players: &(Player, Player),
    (files, placements): (&(Hashed, Hashed), &(Placement, Placement)),
) -> Provenance {
    let mut seeds =
        BTreeMap::from([("statistics".to_owned(), policy.gate.seed), ("pace".to_owned(), job.seed)]);
    seeds.extend(job.sample.iter().map(|sample| ("sample".to_owned(), sample.seed)));
    Provenance {
        champion: model(&files.0, &players.0, &placements.0),
        candidate: model(&files.1, &players.1, &placements.1),
        policy_sha256: hex::encode(&Sha256::digest(job.policy.as_bytes())),
        traffic: job.traffic_name.clone().unwrap_or_else(|| job.traffic.display().to_string()),
        traffic_sha256: None,
        runtime: crate::runtime::version(&job.library),
        runtime_library: job.library.display().to_string(),
        device: job.session.device.as_str().to_owned(),
        provider: job.session.device.provider().to_owned(),
        provider_options: job.session.told(),
        gpu: (job.session.device != Device::Cpu).then(|| gpu::described().or_else(gpu_of_files)).flatten(),
        pace: job.pace.to_string(),
        batch_max: job.batching.rows_max as u64,
        threads: job.session.threads.get() as u64,
        seeds,
        windvane: env!("CARGO_PKG_VERSION").to_owned(),
        memory_peak_bytes: memory_peak(),
        gpu_memory_peak_bytes: None,
    }
}

/// The hash of the traffic's file, where it is one and is still what it was before it was read; else what a reader should know.
pub(super) fn traffic_hash(job: &Job, before: Option<Look>) -> (Option<String>, Option<String>) {
    let is_file = before.is_some_and(Look::is_file);
    let found =
        is_file.then(|| hash(&job.traffic).ok().filter(|_| Look::at(&job.traffic) == before)).flatten();
    let note = (is_file && found.is_none()).then(|| {
        "the traffic's file was replaced, written or removed while it was read, so that its hash is not told".to_owned()
    });
    (found.map(|(sha256, _)| sha256), note)
}

fn model(file: &Hashed, player: &Player, placement: &Placement) -> Model {
    let session = player.session();
    Model {
        path: file.path.display().to_string(),
        sha256: file.sha256.clone(),
        bytes: file.bytes,
        opset: session.opset(),
        producer: session.producer(),
        inputs: session.inputs().iter().map(ToString::to_string).collect(),
        outputs: session.outputs().iter().map(ToString::to_string).collect(),
        placement: placement.clone(),
        batchable: player.batchable(),
    }
}

/// The graphics processors and their driver, as the driver's files tell them.
fn gpu_of_files() -> Option<String> {
    let driver = std::fs::read_to_string("/proc/driver/nvidia/version").ok()?;
    let driver =
        driver.lines().next().unwrap_or_default().trim_start_matches("NVRM version:").trim().to_owned();
    let folders = std::fs::read_dir("/proc/driver/nvidia/gpus").ok()?.flatten();
    let model = |folder: std::fs::DirEntry| {
        let text = std::fs::read_to_string(folder.path().join("information")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("Model:"))?;
        Some(line.trim().to_owned())
    };
    let models: Vec<String> = folders.filter_map(model).collect();
    Some(format!("{}; driver {driver}", models.join(", ")))
}

/// Peak resident memory of this process.
fn memory_peak() -> Option<u64> {
    memory("VmHWM:")
}

/// Resident memory of this process.
pub(crate) fn resident() -> Option<u64> {
    memory("VmRSS:")
}

fn memory(key: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Names of the policy that no output of the champion has, so that nothing goes by them.
pub(super) fn unknown_outputs(policy: &Policy, champion: &Session) -> Vec<String> {
    let outputs = champion.outputs();
    let names = outputs.iter().map(|port| port.name.as_str()).collect::<Vec<_>>().join(", ");
    let unknown = policy.unknown_outputs(outputs).into_iter();
    let told = unknown.map(|(key, name)| {
        format!(
            "`{key}` of the policy names output `{name}`, which the champion has not; its outputs are {names}"
        )
    });
    told.collect()
}

/// What decides nothing and should be known.
pub(super) fn notes(agreement: &Agreement, players: &(Player, Player)) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(noise) = agreement.noise.as_ref().filter(|noise| noise.agree < noise.n) {
        notes.push(format!(
            "the champion disagrees with itself on {} of {} requests when {} go into one call: the tolerances are tighter than its own noise (largest difference {})",
            noise.n - noise.agree,
            noise.n,
            noise.batch,
            noise.max_abs.unwrap_or_default()
        ));
    }
    let again = agreement.noise.as_ref().and_then(|noise| noise.again.as_ref());
    if let Some(again) = again.filter(|again| again.agree < again.n) {
        notes.push(format!(
            "asked again in calls of the same size, the champion disagrees with itself on {} of {} requests: it does not answer the same twice",
            again.n - again.agree,
            again.n
        ));
    }
    let champion: u64 = agreement.outputs.iter().map(|output| output.nonfinite_champion).sum();
    if champion > 0 {
        notes.push(format!(
            "the champion itself gave {champion} values that are not finite; such requests never agree"
        ));
    }
    for (name, player) in [("champion", &players.0), ("candidate", &players.1)] {
        if player.timings().n() > 0 && !player.batchable() {
            notes.push(format!("the {name} takes one request at a time"));
        }
        if player.timings().steady() == Some(false) {
            notes.push(format!(
                "latencies of the {name} had not settled: their mean moved by more than 10 % in the last three tenths of the run"
            ));
        }
    }
    notes
}
