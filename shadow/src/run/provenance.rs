//! Where a verdict comes from: models, runtime, device, seeds, memory; and what a reader should know besides.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};
use windvane_types::gate::{Agreement, Model, Placement, Provenance};
use windvane_types::hex;

use super::{Job, RunError};
use crate::device::Device;
use crate::gpu;
use crate::policy::Policy;
use crate::replay::Player;

/// Everything that tells how the verdict was made.
pub(super) fn gather(
    job: &Job,
    policy: &Policy,
    players: &(Player, Player),
    placements: &(Placement, Placement),
) -> Result<Provenance, RunError> {
    let mut seeds =
        BTreeMap::from([("statistics".to_owned(), policy.gate.seed), ("pace".to_owned(), job.seed)]);
    seeds.extend(job.sample.iter().map(|sample| ("sample".to_owned(), sample.seed)));
    let traffic = |source| RunError::Model { path: job.traffic.clone(), source };
    Ok(Provenance {
        champion: model(&job.champion, &players.0, &placements.0)?,
        candidate: model(&job.candidate, &players.1, &placements.1)?,
        policy_sha256: hex::encode(&Sha256::digest(job.policy.as_bytes())),
        traffic: job.traffic_name.clone().unwrap_or_else(|| job.traffic.display().to_string()),
        traffic_sha256: if job.traffic.is_file() {
            Some(sha256(&job.traffic).map_err(traffic)?.0)
        } else {
            None
        },
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
    })
}

fn model(path: &Path, player: &Player, placement: &Placement) -> Result<Model, RunError> {
    let failed = |source| RunError::Model { path: path.to_owned(), source };
    let (sha256, bytes) = sha256(path).map_err(failed)?;
    let session = player.session();
    Ok(Model {
        path: path.display().to_string(),
        sha256,
        bytes,
        opset: session.opset(),
        producer: session.producer(),
        inputs: session.inputs().iter().map(ToString::to_string).collect(),
        outputs: session.outputs().iter().map(ToString::to_string).collect(),
        placement: placement.clone(),
        batchable: player.batchable(),
    })
}

/// SHA-256 of a file in hex, and its size.
fn sha256(path: &Path) -> io::Result<(String, u64)> {
    let (mut file, mut hasher, mut bytes) = (File::open(path)?, Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hex::encode(&hasher.finalize()), bytes)),
            read => {
                hasher.update(&buffer[..read]);
                bytes += read as u64;
            }
        }
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
