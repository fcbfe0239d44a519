//! The command line of `windvane shadow run`: raw arguments, and what they mean once checked.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use windvane_shadow::pace::{Batching, Pace};
use windvane_shadow::run::Job;
use windvane_shadow::traffic::Sample;
use windvane_shadow::{Device, GpuOptions, SessionOptions};
use windvane_types::distinct::distinct;

use super::{policy, source};
use crate::connection;
use crate::exit::{Because, Failure, Reason};
use crate::runtime::{self, Fetching, Library, Places};

/// Run recorded traffic through a champion and a candidate, and judge.
#[derive(Debug, Args)]
pub struct Run {
    /// The model in place: an ONNX file.
    #[arg(long, value_name = "FILE")]
    champion: PathBuf,
    /// The model that is to take its place.
    #[arg(long, value_name = "FILE")]
    candidate: PathBuf,
    /// The recorded requests: `store` with --model and --window (captured payloads where they cover half of what recorded features do, else those; `store:payloads` and
    /// `store:features` say which), .npz with one array an input, Parquet or Arrow with one column an input, or a folder of requests in Open Inference Protocol
    /// JSON.
    #[arg(long, value_name = "FILE|DIR")]
    traffic: PathBuf,
    /// The checks and their bounds; without it those of `windvane shadow policy`.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// How requests are paced: `max`, `original[xN]`, `poisson:QPS`, `constant:QPS` or `closed:CLIENTS`.
    #[arg(long, value_name = "PACE", default_value = "max", value_parser = clap::value_parser!(Pace))]
    pace: Pace,
    /// The column with the instants of requests, for the original pace.
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// The column with outcomes, in place of the policy's `quality.target`.
    #[arg(long, value_name = "COLUMN")]
    target: Option<String>,
    /// Columns whose values make segments.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    segment_by: Vec<String>,
    /// Ask only so many requests, drawn by the seed.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    sample: Option<u64>,
    /// Draw as many from each value of this column.
    #[arg(long, value_name = "COLUMN", requires = "sample")]
    sample_by: Option<String>,
    /// The seed of samples and of random instants.
    #[arg(long, value_name = "N", default_value_t = 20_130_101)]
    seed: u64,
    /// Requests in one call of a model at most, where the model takes several.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=65_536))]
    batch_max: u32,
    /// How long the first request of a call waits for others, in microseconds.
    #[arg(long, value_name = "US", default_value_t = 0, value_parser = clap::value_parser!(u64).range(..=10_000_000))]
    batch_wait_us: u64,
    #[command(flatten)]
    source: source::Flags,
    #[command(flatten)]
    within: TimeLimit,
    #[command(flatten)]
    models: Models,
    /// Record the verdict in the store under this name, where roll-outs and alerts ask for it.
    #[arg(long, value_name = "NAME")]
    record: Option<String>,
    #[command(flatten)]
    connection: connection::Flags,
    /// Write the report into this folder: JSON, Markdown, JUnit, and HTML that needs nothing else.
    #[arg(long, value_name = "DIR")]
    report: Option<PathBuf>,
    /// How to print.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
    /// Let a gate pass that does not: who decides so. It is recorded with what the gate had said.
    #[arg(long, value_name = "WHO", requires = "override_reason")]
    override_by: Option<String>,
    /// Why.
    #[arg(long, value_name = "WHY", requires = "override_by")]
    override_reason: Option<String>,
}

/// How long a process with models may be there; one that serves has no end.
#[derive(Debug, Args)]
pub struct TimeLimit {
    /// Seconds that everything may take.
    #[arg(long, value_name = "S", default_value_t = 3600, value_parser = clap::value_parser!(u64).range(1..=604_800))]
    time_limit_s: u64,
}

impl TimeLimit {
    /// What bounds the process with these models.
    pub fn limits(&self, models: &Models) -> Limits {
        Limits { time: Duration::from_secs(self.time_limit_s), memory_bytes: models.memory_limit_bytes }
    }
}

/// How models are opened and bounded.
#[derive(Debug, Args)]
pub struct Models {
    /// Where models run.
    #[arg(long, value_enum, default_value = "cpu")]
    device: DeviceName,
    /// Threads inside one operator.
    #[arg(long, value_name = "N", default_value_t = NonZeroUsize::MIN)]
    threads: NonZeroUsize,
    /// Which processors those threads stay on, counted from 1: one number or range for each beside the thread that asks, such as `2;3-4` with --threads 3.
    #[arg(long, value_name = "2;3-4")]
    thread_processors: Option<String>,
    /// Seconds that one call of a model may take before it is broken off and counts as an error.
    #[arg(long, value_name = "S", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    call_limit_s: u64,
    /// Bytes of memory that the process with the models may take; each model that is served has a process.
    #[arg(long, value_name = "BYTES", default_value_t = 16 << 30, value_parser = clap::value_parser!(u64).range(256 << 20..))]
    memory_limit_bytes: u64,
    /// A library with operators of the model's own. Its code runs with your rights: name only what you trust.
    #[arg(long = "operator-library", value_name = "FILE")]
    operator_libraries: Vec<PathBuf>,
    /// Accept that nodes run on the processor although another device was asked for.
    #[arg(long)]
    allow_cpu_nodes: bool,
    /// Which graphics processor.
    #[arg(long, value_name = "N", default_value_t = 0)]
    gpu: i32,
    /// Bytes of the arena on the graphics processor; workspaces of its libraries come on top.
    #[arg(long, value_name = "BYTES", default_value_t = 8 << 30)]
    gpu_memory_bytes: usize,
    /// Let matrix products round their factors to TF32.
    #[arg(long)]
    tf32: bool,
    /// Let TensorRT compute in 16-bit floats.
    #[arg(long)]
    fp16: bool,
    /// Record the work of a call once for its shapes and play it back, for calls of 1, 2, 4 to 128 requests.
    #[arg(long)]
    cuda_graph: bool,
    /// Where TensorRT keeps the engines that it builds.
    #[arg(long, value_name = "DIR")]
    engine_cache: Option<PathBuf>,
    /// Never fetch the runtime; say which command does instead.
    #[arg(long)]
    offline: bool,
}

/// A device by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DeviceName {
    /// The processor.
    Cpu,
    /// A graphics processor by CUDA.
    Cuda,
    /// A graphics processor by TensorRT.
    Tensorrt,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Table,
    /// The document `windvane.gate/1`.
    Json,
    /// For a pull request.
    Markdown,
    /// For a build server: one test case a check.
    Junit,
    /// A page that needs nothing else.
    Html,
}

/// What bounds the process with the models.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// How long it may take.
    pub time: Duration,
    /// Bytes it may hold.
    pub memory_bytes: u64,
}

/// Checked arguments.
#[derive(Debug)]
pub struct Options {
    pub job: Job,
    pub limits: Limits,
    /// Which predictions, where the traffic is in the store.
    pub source: source::Flags,
    /// The name under which the verdict is recorded.
    pub record: Option<String>,
    pub connection: connection::Flags,
    pub report: Option<PathBuf>,
    pub format: Format,
    /// Who lets the gate pass, and why.
    pub override_by: Option<(String, String)>,
}

impl Run {
    /// Says what the arguments mean; finds the runtime, and the device where that can be told beforehand.
    ///
    /// # Errors
    /// A usage error, a policy that is none, or a runtime or device that is not there.
    pub fn check(self) -> Result<Options, Failure> {
        let places = Places::from_environment().because(Reason::Config)?;
        self.check_in(&places)
    }

    /// As [`Run::check`], with native libraries in these places.
    ///
    /// # Errors
    /// As [`Run::check`].
    pub fn check_in(self, places: &Places) -> Result<Options, Failure> {
        let stored = source::Stored::of(&self.traffic).is_some();
        if !stored && self.traffic.to_str().is_some_and(|word| word.starts_with("store:")) {
            return Err(usage(&format!("--traffic takes {}, or files", source::Stored::WORDS)));
        }
        if matches!(self.pace, Pace::Original(_)) && self.time.is_none() && !stored {
            return Err(usage(
                "the pace `original` needs the column with the instants of requests (--time COLUMN)",
            ));
        }
        if self.record.as_ref().is_some_and(String::is_empty) {
            return Err(usage("--record takes a name"));
        }
        if self.segment_by.iter().any(String::is_empty) {
            return Err(usage("a column name is empty in --segment-by"));
        }
        let (text, _) = policy::read(self.policy.as_deref())?;
        let limits = self.within.limits(&self.models);
        let (library, session) = self.models.open_in(places)?;
        let sample = self.sample.map(|requests| Sample { requests, by: self.sample_by, seed: self.seed });
        let job = Job {
            library,
            champion: self.champion,
            candidate: self.candidate,
            traffic: self.traffic,
            traffic_name: None,
            instead: None,
            policy: text,
            session,
            pace: self.pace,
            batching: Batching {
                rows_max: self.batch_max as usize,
                wait: Duration::from_micros(self.batch_wait_us),
            },
            sample,
            segment_by: distinct(self.segment_by),
            target: self.target,
            time: self.time,
            seed: self.seed,
        };
        Ok(Options {
            job,
            limits,
            source: self.source,
            record: self.record,
            connection: self.connection,
            report: self.report,
            format: self.format,
            override_by: self.override_by.zip(self.override_reason),
        })
    }
}

impl Models {
    /// Bytes that a process with models may take.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_limit_bytes
    }

    fn processors(&self) -> Result<Option<String>, Failure> {
        let beside = self.threads.get() - 1;
        match &self.thread_processors {
            Some(words) if beside == 0 || !is_placed(words, beside) => Err(usage(&format!(
                "`--thread-processors {words}` does not say where {beside} threads stay, those beside the thread that asks; give a number or range from 1 for each, such as `2;3-4` with --threads 3"
            ))),
            words => Ok(words.clone()),
        }
    }

    /// The runtime's file, and how models are opened on it.
    ///
    /// # Errors
    /// The device or the runtime is not there.
    pub fn open(&self) -> Result<(PathBuf, SessionOptions), Failure> {
        self.open_in(&Places::from_environment().because(Reason::Config)?)
    }

    /// As [`Models::open`], with native libraries in these places.
    ///
    /// # Errors
    /// As [`Models::open`].
    pub fn open_in(&self, places: &Places) -> Result<(PathBuf, SessionOptions), Failure> {
        let device = match self.device {
            DeviceName::Cpu => Device::Cpu,
            DeviceName::Cuda => Device::Cuda,
            DeviceName::Tensorrt => Device::Tensorrt,
        };
        if device != Device::Cpu {
            graphics_processor(device)?;
        }
        let fetching = if self.offline { Fetching::Forbidden } else { Fetching::Allowed };
        let wanted = if device == Device::Cpu { Library::OnnxRuntime } else { Library::OnnxRuntimeGpu };
        let library = places.locate(wanted, fetching).map_err(runtime::failure)?;
        let session = SessionOptions {
            device,
            threads: self.threads,
            thread_processors: self.processors()?,
            deterministic: true,
            call_limit: Duration::from_secs(self.call_limit_s),
            operator_libraries: self.operator_libraries.clone(),
            fill_calls: device != Device::Cpu,
            cpu_nodes_allowed: self.allow_cpu_nodes,
            gpu: GpuOptions {
                device_id: self.gpu,
                memory_bytes_max: self.gpu_memory_bytes,
                tf32: self.tf32,
                fp16: self.fp16,
                cuda_graph: self.cuda_graph,
                engine_cache: self.engine_cache.clone(),
            },
        };
        Ok((library, session))
    }
}

/// Whether this says where so many threads beside the asking one stay: numbers from 1 or ranges, with commas, a group a thread.
fn is_placed(words: &str, beside: usize) -> bool {
    let number = |word: &str| word.parse::<u32>().is_ok_and(|number| (1..=65_536).contains(&number));
    let range = |word: &str| word.split('-').count() <= 2 && word.split('-').all(number);
    words.split(';').count() == beside && words.split([';', ',']).all(range)
}

/// Without a driver there is nothing to try, and no reason to fetch a large library first.
fn graphics_processor(device: Device) -> Result<(), Failure> {
    let driver = ["/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg"];
    if driver.iter().any(|path| std::path::Path::new(path).exists()) {
        return Ok(());
    }
    Err(Failure {
        reason: Reason::Unavailable,
        error: anyhow::anyhow!(
            "device `{}` is not available: this machine has no NVIDIA driver (none of {} is there); `--device cpu` runs on the processor",
            device.as_str(),
            driver.join(", ")
        ),
    })
}

pub fn usage(message: &str) -> Failure {
    Failure { reason: Reason::Usage, error: anyhow::anyhow!("{message}") }
}

#[cfg(test)]
mod tests {
    use super::is_placed;

    #[test]
    fn each_thread_beside_the_asking_one_has_its_processors() {
        for (words, beside, expected) in [
            ("2", 1, true),
            ("2;3-4", 2, true),
            ("1,3;2", 2, true),
            ("2;3", 1, false),
            ("2", 2, false),
            ("0", 1, false),
            ("x", 1, false),
            ("1-2-3", 1, false),
            ("", 1, false),
        ] {
            assert_eq!(is_placed(words, beside), expected, "{words} for {beside}");
        }
    }
}
