//! What a gate measured, part by part.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How often both models answered alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Agreement {
    /// Requests that agree over all; null without requests.
    pub rate: Option<f64>,
    /// Requests whose every output agrees.
    pub agree: u64,
    /// Requests.
    pub n: u64,
    /// Clopper-Pearson, two-sided, at the policy's confidence; null without requests.
    pub ci: Option<[f64; 2]>,
    /// One entry an output that either model has.
    pub outputs: Vec<Output>,
    /// Requests on which a model gave an error in place of an answer.
    pub errors: u64,
    /// The same by segment, the worst first.
    pub segments: Vec<Segment>,
    /// Segments beyond the largest that are kept apart, counted together.
    pub segments_left_out: u64,
    /// The requests on which the answers are furthest apart.
    pub worst: Vec<Deviation>,
    /// How far the champion disagrees with itself; null where it was not asked twice.
    pub noise: Option<NoiseFloor>,
}

/// How alike one output is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub output: String,
    /// Requests on which it agrees over all; null without requests.
    pub rate: Option<f64>,
    /// The largest difference of two floats; null for other types.
    pub max_abs: Option<f64>,
    /// The largest difference over the champion's absolute value, where that is not 0.
    pub max_rel: Option<f64>,
    /// Values of the candidate that are not finite.
    pub nonfinite: u64,
    /// The element type.
    pub element: String,
    /// The absolute tolerance that was applied; null where values must be equal.
    pub atol: Option<f64>,
    /// The relative one.
    pub rtol: Option<f64>,
    /// Requests on which it agrees.
    pub agree: u64,
    /// Requests on which both models gave it.
    pub n: u64,
    /// Values of the champion that are not finite.
    pub nonfinite_champion: u64,
    /// Requests on which the shapes differ.
    pub shape_differs: u64,
    /// The mean absolute difference of two finite floats.
    pub mean_abs: Option<f64>,
    /// The largest difference in units of the last place of the element type.
    pub max_ulp: Option<u64>,
    /// The smallest cosine of the angle between the two answers to a request, of outputs with several floats.
    pub min_cosine: Option<f64>,
    /// The largest class of both answers, of outputs with several floats.
    pub top_class: Option<TopClass>,
    /// Both answers as probability distributions, where they are.
    pub distribution: Option<Distribution>,
    /// Whether both put requests in the same order, of outputs with one number.
    pub rank: Option<RankCorrelation>,
    /// The largest difference between the distribution functions of both models' values (two-sample Kolmogorov-Smirnov),
    /// of one number or of the first class; of texts and integers the total variation.
    pub drift: Option<f64>,
    /// An interval of that distance for all traffic of which these requests are a sample, at a confidence at which those of all outputs hold
    /// together; null without one, and in documents of earlier releases.
    #[serde(default)]
    pub drift_ci: Option<[f64; 2]>,
}

/// Whether the largest class is the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TopClass {
    /// Requests on which it is another.
    pub flips: u64,
    /// Of so many.
    pub n: u64,
    /// Clopper-Pearson of the share of flips.
    pub ci: Option<[f64; 2]>,
    /// How many classes the next field looks at.
    pub k: u64,
    /// Requests on which the set of the `k` largest classes is another.
    pub top_k_flips: u64,
    /// Clopper-Pearson of the share of those.
    #[serde(default)]
    pub top_k_ci: Option<[f64; 2]>,
    /// The share of flips, by the interval that holds at every look: for a gate that is run again and again, or stopped early.
    #[serde(default)]
    pub sequence: Option<[f64; 2]>,
    /// The same of the `k` largest.
    #[serde(default)]
    pub top_k_sequence: Option<[f64; 2]>,
}

/// How far apart two distributions over classes are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Requests on which both answers are non-negative and add up to 1.
    pub n: u64,
    /// The mean Kullback-Leibler divergence of the candidate from the champion, in nats, over requests where it is finite.
    pub mean_kl: Option<f64>,
    /// The largest.
    pub max_kl: Option<f64>,
    /// The mean total variation distance, 0 to 1.
    pub mean_tv: Option<f64>,
    /// The largest.
    pub max_tv: Option<f64>,
}

/// Spearman's rank correlation of both models' values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankCorrelation {
    /// The coefficient; null where one side is constant.
    pub spearman: Option<f64>,
    /// Requests of the sample that it is taken over.
    pub n: u64,
}

/// Agreement within one segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// Column and value.
    pub segment: BTreeMap<String, Option<String>>,
    /// Requests that agree over all.
    pub rate: f64,
    /// Requests that agree.
    pub agree: u64,
    /// Requests.
    pub n: u64,
    /// Clopper-Pearson at a confidence that is corrected for the number of segments (Bonferroni).
    pub ci: Option<[f64; 2]>,
}

/// A request on which the answers are far apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Deviation {
    /// Its number in the traffic, from 0.
    pub request: u64,
    /// The largest difference over what the tolerance allows; null where it is no number: another shape, text, or no finite value.
    pub times_tolerance: Option<f64>,
    /// What differs, in words.
    pub what: String,
    /// What was asked.
    pub inputs: BTreeMap<String, Shown>,
    /// What the champion answered.
    pub champion: BTreeMap<String, Shown>,
    /// What the candidate answered.
    pub candidate: BTreeMap<String, Shown>,
}

/// A tensor of one request, shortened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Shown {
    /// The extent of each dimension.
    pub shape: Vec<usize>,
    /// The first elements as JSON; values that are not finite are texts.
    pub first: Vec<serde_json::Value>,
}

/// The champion against itself, asked one by one and asked in batches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NoiseFloor {
    /// Requests that were asked twice.
    pub n: u64,
    /// Requests on which it agrees with itself by the same tolerances.
    pub agree: u64,
    /// Requests in a call the second time; 1 where the model takes one at a time.
    pub batch: u64,
    /// The largest difference of two floats.
    pub max_abs: Option<f64>,
    /// Whether the candidate disagrees on these requests more often than the champion does with itself: McNemar's exact p-value,
    /// one for both directions.
    pub p_value: Option<f64>,
    /// The same in calls of the same size as the first time: what another run alone does; null where there is no other size, so that the
    /// figures above are that.
    #[serde(default)]
    pub again: Option<Repeated>,
}

/// How far the champion agrees with itself in another run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Repeated {
    /// Requests that were asked again.
    pub n: u64,
    /// Requests on which it agrees with itself by the same tolerances.
    pub agree: u64,
    /// The largest difference of two floats.
    pub max_abs: Option<f64>,
}

/// Requests that could not be asked.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SkippedRequests {
    /// How many.
    pub n: u64,
    /// Their share of all that were come to; null without any.
    pub share: Option<f64>,
    /// The first of them.
    pub first: Vec<SkippedRequest>,
}

/// A request that could not be asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SkippedRequest {
    /// Its number in the traffic, from 0.
    pub request: u64,
    /// Its id, or the name of its file where it has none; of a table `row 7`.
    pub id: String,
    /// What is wrong with it.
    pub reason: String,
}

/// How long answers took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// The champion's.
    pub champion: Latencies,
    /// The candidate's.
    pub candidate: Latencies,
    /// The candidate's over the champion's by quantile: `p50`, `p95`, `p99`; null without requests.
    pub ratio: BTreeMap<String, Option<f64>>,
    /// The clock that latencies run by: `service` from the call of the model, `scheduled` from when the request was due.
    pub clock: String,
}

/// Latencies of one model; null without requests.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Latencies {
    /// Half of the requests took at most this.
    pub p50: Option<f64>,
    /// 90 %.
    pub p90: Option<f64>,
    /// 95 %.
    pub p95: Option<f64>,
    /// 99 %.
    pub p99: Option<f64>,
    /// 99.9 %.
    pub p999: Option<f64>,
    /// The mean.
    pub mean: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
    /// Requests.
    pub n: u64,
    /// The first answer after the model was opened, which pays for setting up.
    pub cold_start: Option<f64>,
    /// Opening the model.
    pub open: Option<f64>,
    /// Median of the call of the model alone, where the clock is another.
    pub service_p50: Option<f64>,
    /// The 99 % quantile of the call of the model alone.
    pub service_p99: Option<f64>,
    /// Whether the mean of the last three tenths of the run moved by no more than 10 %; null in short runs.
    pub steady: Option<bool>,
    /// Requests in a call of the model on average.
    pub batch_mean: Option<f64>,
    /// Points of the distribution function, latency and share, for drawing.
    pub curve: Vec<[f64; 2]>,
    /// The interval of each quantile at the policy's confidence, by its name: `p50`, `p99` …; one that needs more requests is left out.
    #[serde(default)]
    pub ci: BTreeMap<String, [f64; 2]>,
}

/// Requests a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Throughput {
    /// The champion's; null without requests.
    pub champion: Option<f64>,
    /// The candidate's.
    pub candidate: Option<f64>,
}

/// Requests a second in calls of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchRates {
    /// Requests in a call.
    pub batch: u64,
    /// The champion's; null where it does not take so many.
    pub champion_per_s: Option<f64>,
    /// The candidate's.
    pub candidate_per_s: Option<f64>,
}

/// What outcomes say about both models.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Quality {
    /// Requests with an outcome.
    pub labelled: u64,
    /// Metrics that the outcomes and outputs allow.
    pub metrics: Vec<Metric>,
}

/// One metric of both models on the same requests.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Metric {
    /// `accuracy`, `roc_auc`, `log_loss`, `brier`, `ece`, `rmse` or `mae`.
    pub metric: String,
    /// The champion's.
    pub champion: f64,
    /// The candidate's.
    pub candidate: f64,
    /// The candidate's minus the champion's.
    pub difference: f64,
    /// Its paired interval at the policy's confidence; null where it is not defined, and, but for accuracy, below 30 outcomes (of each
    /// class for `roc_auc`).
    pub ci: Option<[f64; 2]>,
    /// The p-value of no difference; null where the method gives none.
    pub p_value: Option<f64>,
    /// How interval and p-value are made.
    pub method: String,
    /// Requests.
    pub n: u64,
    /// Whether more is better.
    pub higher_is_better: bool,
}

/// Enough to make the same run again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// The champion.
    pub champion: Model,
    /// The candidate.
    pub candidate: Model,
    /// SHA-256 of the policy's text, in hex.
    pub policy_sha256: String,
    /// Where the traffic came from.
    pub traffic: String,
    /// SHA-256 of the traffic file, in hex; null for other sources.
    pub traffic_sha256: Option<String>,
    /// The runtime's version.
    pub runtime: String,
    /// The runtime's file.
    pub runtime_library: String,
    /// `cpu`, `cuda` or `tensorrt`.
    pub device: String,
    /// The execution provider that was asked for.
    pub provider: String,
    /// What the provider was told, such as `use_tf32`.
    pub provider_options: BTreeMap<String, String>,
    /// The graphics processor and its driver; null without one.
    pub gpu: Option<String>,
    /// How requests were paced.
    pub pace: String,
    /// Requests in a call of a model at most.
    pub batch_max: u64,
    /// Threads inside an operator.
    pub threads: u64,
    /// Seeds, by what they are for.
    pub seeds: BTreeMap<String, u64>,
    /// Windvane's version.
    pub windvane: String,
    /// Peak memory of the process that ran the models, in bytes; null where the system does not say.
    pub memory_peak_bytes: Option<u64>,
    /// The most memory of graphics processors that this process was seen to hold, in bytes; null without one, or where it is not told.
    #[serde(default)]
    pub gpu_memory_peak_bytes: Option<u64>,
}

/// A model as it was compared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// The file.
    pub path: String,
    /// SHA-256 of the file, in hex.
    pub sha256: String,
    /// Its size.
    pub bytes: u64,
    /// The operator set of the default domain; null where the runtime does not say.
    pub opset: Option<u32>,
    /// What made the file, as it says.
    pub producer: Option<String>,
    /// What it takes: name, type and shape.
    pub inputs: Vec<String>,
    /// What it answers.
    pub outputs: Vec<String>,
    /// On which provider its nodes ran.
    pub placement: Placement,
    /// Whether requests can go together into one call.
    pub batchable: bool,
}

/// On which provider the nodes of a graph ran.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Placement {
    /// Nodes by execution provider, as counted in a profile of the first request.
    pub nodes: BTreeMap<String, u64>,
    /// Operators that ran on the CPU although another device was asked for.
    pub on_cpu: Vec<String>,
}
