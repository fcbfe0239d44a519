//! The policy of a gate: which checks there are, their bounds, and how sure an answer has to be.

use std::collections::BTreeMap;

use serde::Deserialize;
use thiserror::Error;

use crate::port::Port;
use crate::tensor::Element;

/// The policy that is used where none is named, explained.
pub const DEFAULT: &str = include_str!("policy.toml");

/// Requests that a report keeps whole at most.
const WORST_MAX: usize = 1_000;

/// A policy; a section that is not there is not checked.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What holds for all checks.
    #[serde(default)]
    pub gate: Gate,
    /// Whether the candidate answers as the champion does.
    pub agreement: Option<AgreementBounds>,
    /// Whether it answers in time.
    pub latency: Option<LatencyBounds>,
    /// Whether it answers as well, by outcomes.
    pub quality: Option<QualityBounds>,
    /// Whether its predictions are spread alike.
    pub drift: Option<DriftBounds>,
    /// What the report keeps.
    #[serde(default)]
    pub report: Report,
}

/// What holds for all checks.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// Fewer requests than this are never enough.
    pub min_requests: u64,
    /// Of intervals, above 0 and below 1.
    pub confidence: f64,
    /// Whether to stop asking once the gate is lost.
    pub stop_when_lost: bool,
    /// The share of requests that may be impossible to ask.
    pub skipped_share_max: f64,
    /// The seed of samples and resamples.
    pub seed: u64,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            min_requests: 1,
            confidence: 0.95,
            stop_when_lost: false,
            skipped_share_max: 0.01,
            seed: 20_130_101,
        }
    }
}

/// Bounds of agreement.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgreementBounds {
    /// The share of requests that agree.
    #[serde(default = "rate_min")]
    pub rate_min: f64,
    /// The absolute tolerance of floats.
    pub atol: Option<f64>,
    /// The relative one.
    pub rtol: Option<f64>,
    /// The share within every segment.
    pub segment_rate_min: Option<f64>,
    /// Tolerances of single outputs.
    #[serde(default)]
    pub outputs: BTreeMap<String, OutputBounds>,
}

fn rate_min() -> f64 {
    0.99
}

/// Tolerances of one output.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputBounds {
    /// The absolute one.
    pub atol: Option<f64>,
    /// The relative one.
    pub rtol: Option<f64>,
}

/// Bounds of latency.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LatencyBounds {
    /// The candidate's over the champion's.
    pub ratio_max: Option<f64>,
    /// At which quantile.
    #[serde(default = "median")]
    pub ratio_quantile: f64,
    /// The candidate's 99 % quantile, in microseconds.
    pub p99_us_max: Option<f64>,
}

fn median() -> f64 {
    0.5
}

/// Bounds of quality, and where outcomes and predictions are.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QualityBounds {
    /// The column of the traffic with the outcome.
    pub target: Option<String>,
    /// The outcome that scores are the chance of.
    pub positive: Option<String>,
    /// The output with scores or values.
    pub score_output: Option<String>,
    /// Which of its elements is the score.
    pub score_index: Option<usize>,
    /// The output with labels.
    pub label_output: Option<String>,
    /// How much accuracy may fall.
    pub accuracy_drop_max: Option<f64>,
    /// How much the area under the ROC curve may fall.
    pub roc_auc_drop_max: Option<f64>,
    /// How much the log loss may rise.
    pub log_loss_rise_max: Option<f64>,
    /// How much the Brier score may rise.
    pub brier_rise_max: Option<f64>,
    /// How much the expected calibration error may rise.
    pub ece_rise_max: Option<f64>,
    /// How much the root of the mean squared error may rise, in the unit of the outcome.
    pub rmse_rise_max: Option<f64>,
    /// How much the mean absolute error may rise.
    pub mae_rise_max: Option<f64>,
}

impl QualityBounds {
    /// The metrics with a bound: name and how much worse the candidate may be.
    #[must_use]
    pub fn margins(&self) -> Vec<(&'static str, f64)> {
        let all = [
            ("accuracy", self.accuracy_drop_max),
            ("roc_auc", self.roc_auc_drop_max),
            ("log_loss", self.log_loss_rise_max),
            ("brier", self.brier_rise_max),
            ("ece", self.ece_rise_max),
            ("rmse", self.rmse_rise_max),
            ("mae", self.mae_rise_max),
        ];
        all.into_iter().filter_map(|(name, margin)| Some((name, margin?))).collect()
    }
}

/// Bounds of the spread of predictions.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DriftBounds {
    /// The largest distance between both models' predictions, 0 to 1.
    pub distance_max: f64,
}

/// What the report keeps.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Report {
    /// Requests that are furthest apart, kept whole.
    pub worst: usize,
}

impl Default for Report {
    fn default() -> Self {
        Self { worst: 10 }
    }
}

/// How far floats may be apart: `atol + rtol · |champion|`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// The absolute part.
    pub atol: f64,
    /// The relative part.
    pub rtol: f64,
}

/// Why a policy is none: every fault of it.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// It is no TOML, or has a key that there is not, or of another type.
    #[error(transparent)]
    Read(#[from] Box<toml::de::Error>),
    /// Values out of range.
    #[error("the policy has faults: {}", .0.join("; "))]
    Faults(Vec<String>),
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`] says what is wrong and what would have been accepted.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let policy: Self = toml::from_str(text).map_err(Box::new)?;
        let faults = policy.faults();
        if faults.is_empty() { Ok(policy) } else { Err(PolicyError::Faults(faults)) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        let mut check = |key: &str, value: Option<f64>, allowed: &str, holds: fn(f64) -> bool| {
            if let Some(value) = value.filter(|value| !holds(*value)) {
                faults.push(format!("{key} = {value} is out of range: {allowed}"));
            }
        };
        let share = |x: f64| (0.0..=1.0).contains(&x);
        let inside = |x: f64| x > 0.0 && x < 1.0;
        let amount = |x: f64| x >= 0.0 && x.is_finite();
        check("gate.confidence", Some(self.gate.confidence), "above 0 and below 1", inside);
        check("gate.skipped_share_max", Some(self.gate.skipped_share_max), "0 to 1", share);
        if let Some(bounds) = &self.agreement {
            check("agreement.rate_min", Some(bounds.rate_min), "0 to 1", share);
            check("agreement.segment_rate_min", bounds.segment_rate_min, "0 to 1", share);
            check("agreement.atol", bounds.atol, "0 or more", amount);
            check("agreement.rtol", bounds.rtol, "0 or more", amount);
            for (name, output) in &bounds.outputs {
                check(&format!("agreement.outputs.{name}.atol"), output.atol, "0 or more", amount);
                check(&format!("agreement.outputs.{name}.rtol"), output.rtol, "0 or more", amount);
            }
        }
        if let Some(bounds) = &self.latency {
            let positive = |x: f64| x > 0.0 && x.is_finite();
            check("latency.ratio_max", bounds.ratio_max, "above 0", positive);
            check("latency.ratio_quantile", Some(bounds.ratio_quantile), "above 0 and below 1", inside);
            check("latency.p99_us_max", bounds.p99_us_max, "above 0", positive);
        }
        for (name, margin) in self.quality.iter().flat_map(QualityBounds::margins) {
            check(&format!("the margin of {name} in [quality]"), Some(margin), "0 or more", amount);
        }
        check("drift.distance_max", self.drift.as_ref().map(|drift| drift.distance_max), "0 to 1", share);
        if self.report.worst > WORST_MAX {
            faults.push(format!("report.worst = {} is out of range: 0 to {WORST_MAX}", self.report.worst));
        }
        faults
    }

    /// The outputs that are named and that a model with these does not have, each with the key that names it.
    #[must_use]
    pub fn unknown_outputs(&self, outputs: &[Port]) -> Vec<(String, &str)> {
        let tolerances = self.agreement.iter().flat_map(|bounds| bounds.outputs.keys());
        let tolerances = tolerances.map(|name| (format!("agreement.outputs.{name}"), name.as_str()));
        let quality = self.quality.iter().flat_map(|bounds| {
            [("quality.score_output", &bounds.score_output), ("quality.label_output", &bounds.label_output)]
        });
        let quality = quality.filter_map(|(key, name)| Some((key.to_owned(), name.as_deref()?)));
        tolerances.chain(quality).filter(|(_, name)| outputs.iter().all(|port| port.name != *name)).collect()
    }

    /// The tolerance of an output. Of its own bounds or the general ones, one that is left out beside the other is 0; where both
    /// are left out the type decides.
    #[must_use]
    pub fn tolerance(&self, output: &str, element: Element) -> Tolerance {
        let bounds = self.agreement.as_ref();
        let own = bounds.and_then(|bounds| bounds.outputs.get(output)).map(|own| (own.atol, own.rtol));
        let general = bounds.map(|bounds| (bounds.atol, bounds.rtol));
        let named = [own, general].into_iter().flatten().find(|pair| *pair != (None, None));
        if let Some((atol, rtol)) = named {
            return Tolerance { atol: atol.unwrap_or(0.0), rtol: rtol.unwrap_or(0.0) };
        }
        match element {
            Element::F16 => Tolerance { atol: 1e-3, rtol: 1e-2 },
            Element::F64 => Tolerance { atol: 1e-8, rtol: 1e-6 },
            _ => Tolerance { atol: 1e-5, rtol: 1e-4 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_policy_reads_with_and_without_its_comments() {
        let policy = Policy::parse(DEFAULT).unwrap();
        assert_eq!((policy.gate.min_requests, policy.gate.confidence), (1000, 0.95));
        // What it explains is accepted, too.
        let commented = DEFAULT.lines().filter_map(|line| {
            let rest = line.strip_prefix("# ").unwrap_or(line);
            let is_key = rest.split_once(" = ").is_some_and(|(key, _)| {
                key.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit())
            });
            (is_key || (rest.starts_with('[') && rest.ends_with(']') && !rest.contains(' '))).then_some(rest)
        });
        let everything = commented.collect::<Vec<_>>().join("\n");
        let policy = Policy::parse(&everything).unwrap_or_else(|error| panic!("{error}\n{everything}"));
        assert!(policy.quality.is_some_and(|quality| quality.margins().len() == 5));
        assert!(policy.drift.is_some());
    }

    #[test]
    fn the_shipped_policy_explains_every_key() {
        for section in ["gate", "agreement", "agreement.outputs.y", "latency", "quality", "drift", "report"] {
            let error = Policy::parse(&format!("[{section}]\nnone = 1\n")).unwrap_err().to_string();
            let (_, known) = error.split_once("expected ").unwrap_or_else(|| panic!("{section}: {error}"));
            let keys: Vec<&str> =
                known.split('`').skip(1).step_by(2).filter(|key| *key != "outputs").collect();
            assert!(!keys.is_empty(), "{section}: {error}");
            keys.iter().for_each(|key| assert!(DEFAULT.contains(key), "{key} of [{section}]"));
        }
    }

    #[test]
    fn outputs_that_are_named_and_not_there_are_told() {
        let policy = "[agreement.outputs.y]\natol = 1.0\n[agreement.outputs.z]\natol = 1.0\n[quality]\nlabel_output = \"l\"\n";
        let port = Port { name: "y".to_owned(), element: Element::F32, shape: vec![None] };
        let policy = Policy::parse(policy).unwrap();
        let expected = [("agreement.outputs.z".to_owned(), "z"), ("quality.label_output".to_owned(), "l")];
        assert_eq!(policy.unknown_outputs(&[port]), expected);
    }

    #[test]
    fn unknown_keys_are_refused_with_those_that_there_are() {
        for text in [
            "[gates]\n",
            "[gate]\nmin_request = 5\n",
            "[gate]\nname = \"delay-8\"\n",
            "[agreement.outputs.y]\natl = 1\n",
            "[latency]\nmax = 1\n",
        ] {
            let error = Policy::parse(text).unwrap_err();
            let told = error.to_string();
            assert!(told.contains("unknown field") && told.contains("expected"), "{text}: {told}");
            // Whoever prints the causes too would print it again.
            assert!(std::error::Error::source(&error).is_none(), "{error:?}");
        }
    }

    #[test]
    fn all_values_out_of_range_are_told_at_once() {
        let error =
            Policy::parse("[gate]\nconfidence = 1.0\n[agreement]\nrate_min = 99\natol = -1.0\n").unwrap_err();
        let told = error.to_string();
        for part in ["gate.confidence = 1", "agreement.rate_min = 99", "agreement.atol = -1"] {
            assert!(told.contains(part), "{told}");
        }
    }

    #[test]
    fn a_tolerance_is_the_outputs_own_or_the_general_or_the_types() {
        let policy = Policy::parse("[agreement]\natol = 0.5\n[agreement.outputs.y]\nrtol = 0.1\n").unwrap();
        assert_eq!(policy.tolerance("y", Element::F32), Tolerance { atol: 0.0, rtol: 0.1 });
        assert_eq!(policy.tolerance("x", Element::F32), Tolerance { atol: 0.5, rtol: 0.0 });
        let policy = Policy::parse("[agreement]\n").unwrap();
        assert_eq!(policy.tolerance("x", Element::F16), Tolerance { atol: 1e-3, rtol: 1e-2 });
    }
}
