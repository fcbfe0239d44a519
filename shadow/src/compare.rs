//! Whether two models answer alike: request by request, in memory that does not grow with the traffic.

mod classes;
mod numbers;
mod output;
mod sketch;
mod worst;

use std::collections::{BTreeMap, BTreeSet};

use windvane_stats::binomial::{Share, clopper_pearson::clopper_pearson, every_look::every_look};
use windvane_types::gate::{Agreement, NoiseFloor, Segment};

use crate::answer::Answer;
use crate::policy::Policy;
use crate::port::Port;
pub(crate) use output::OutputComparison;
use worst::Worst;

/// Segments that are told apart; of what comes later nothing is known.
pub(crate) const SEGMENTS_MAX: usize = 500;
/// Segments in the document.
const SEGMENTS_SHOWN: usize = 100;

/// What a model gave: an answer, or why it gave none.
pub type Given<'a> = Result<&'a Answer, &'a str>;

/// What was asked: where to find the inputs of one request.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The number of the request in the traffic.
    pub request: u64,
    /// Its row and the batch that holds it.
    pub row: (usize, &'a crate::batch::Batch),
    /// The segment that it belongs to, where segments are asked for.
    pub segment: Option<&'a BTreeMap<String, Option<String>>>,
}

/// The comparison of all answers so far.
#[derive(Debug)]
pub struct Comparison {
    outputs: Vec<OutputComparison>,
    /// How the declared outputs differ; empty where they do not.
    differences: Vec<String>,
    confidence: f64,
    n: u64,
    agree: u64,
    errors: u64,
    first_error: Option<String>,
    segments: BTreeMap<BTreeMap<String, Option<String>>, (u64, u64)>,
    segments_left_out: BTreeSet<BTreeMap<String, Option<String>>>,
    worst: Worst,
}

impl Comparison {
    /// The comparison of two models with these outputs.
    #[must_use]
    pub fn new(champion: &[Port], candidate: &[Port], policy: &Policy) -> Self {
        let find = |ports: &[Port], name: &str| ports.iter().find(|port| port.name == name).cloned();
        let mut differences = Vec::new();
        let mut outputs = Vec::new();
        for port in champion {
            match find(candidate, &port.name) {
                None => differences.push(format!("the candidate has no output `{}` ({port})", port.name)),
                Some(other) if other.element != port.element => {
                    differences.push(format!(
                        "output `{}` is {} and was {}",
                        port.name, other.element, port.element
                    ));
                }
                Some(_) => outputs.push(OutputComparison::new(port, policy)),
            }
        }
        for port in candidate.iter().filter(|port| find(champion, &port.name).is_none()) {
            differences.push(format!(
                "the candidate has an output `{}` that the champion has not ({port})",
                port.name
            ));
        }
        Self {
            outputs,
            differences,
            confidence: policy.gate.confidence,
            n: 0,
            agree: 0,
            errors: 0,
            first_error: None,
            segments: BTreeMap::new(),
            segments_left_out: BTreeSet::new(),
            worst: Worst::new(policy.report.worst),
        }
    }

    /// Compares the answers to one request.
    pub fn push(&mut self, asked: Asked<'_>, champion: Given<'_>, candidate: Given<'_>) {
        self.n += 1;
        let agrees = match (champion, candidate) {
            (Ok(champion), Ok(candidate)) => self.answers(asked, champion, candidate),
            (Err(error), _) | (_, Err(error)) => {
                self.errors += 1;
                self.first_error.get_or_insert_with(|| format!("request {}: {error}", asked.request));
                false
            }
        };
        self.agree += u64::from(agrees);
        if let Some(segment) = asked.segment {
            self.count(segment, agrees);
        }
    }

    fn answers(&mut self, asked: Asked<'_>, champion: &Answer, candidate: &Answer) -> bool {
        let mut agrees = self.differences.is_empty();
        let mut furthest: Option<(f64, String)> = None;
        for output in &mut self.outputs {
            let Some(apart) = output.push(champion, candidate) else { continue };
            if furthest.as_ref().is_none_or(|(times, _)| apart.times > *times) {
                furthest = Some((apart.times, format!("output `{}` {}", output.name(), apart.what)));
            }
            agrees &= apart.agrees;
        }
        if let Some((times, what)) = furthest.filter(|(times, _)| *times > 0.0) {
            self.worst.offer(asked, (times, what), (champion, candidate));
        }
        agrees
    }

    fn count(&mut self, segment: &BTreeMap<String, Option<String>>, agrees: bool) {
        if self.segments.len() >= SEGMENTS_MAX && !self.segments.contains_key(segment) {
            if self.segments_left_out.len() < SEGMENTS_MAX {
                self.segments_left_out.insert(segment.clone());
            }
            return;
        }
        let (agree, n) = self.segments.entry(segment.clone()).or_default();
        *agree += u64::from(agrees);
        *n += 1;
    }

    /// How the declared outputs differ, in words.
    #[must_use]
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// The first request on which a model gave an error, and the error.
    #[must_use]
    pub fn first_error(&self) -> Option<&str> {
        self.first_error.as_deref()
    }

    /// Requests, and those that agree.
    #[must_use]
    pub fn counts(&self) -> (u64, u64) {
        (self.n, self.agree)
    }

    /// Whether what was seen fails every gate: another output, a value that is not finite, another shape, or an error.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        !self.differences.is_empty()
            || self.errors > 0
            || self.outputs.iter().any(OutputComparison::is_broken)
    }

    /// What was found, without a noise floor.
    #[must_use]
    pub fn finish(&self) -> Agreement {
        let mut segments = self.segments();
        let hidden = segments.len().saturating_sub(SEGMENTS_SHOWN);
        let all = 1.0 - (1.0 - self.confidence) / self.outputs.len().max(1) as f64;
        segments.truncate(SEGMENTS_SHOWN);
        Agreement {
            rate: (self.n > 0).then(|| self.agree as f64 / self.n as f64),
            agree: self.agree,
            n: self.n,
            ci: interval(self.agree, self.n, self.confidence),
            outputs: self.outputs.iter().map(|output| output.finish(self.confidence, all)).collect(),
            errors: self.errors,
            segments,
            segments_left_out: hidden as u64 + self.segments_unknown(),
            worst: self.worst.finish(),
            noise: None,
        }
    }

    /// All segments that are told apart, the worst first, at a confidence that holds for all of them together.
    #[must_use]
    pub fn segments(&self) -> Vec<Segment> {
        let corrected = 1.0 - (1.0 - self.confidence) / self.segments.len().max(1) as f64;
        let segment = |(segment, (agree, n)): (&BTreeMap<_, _>, &(u64, u64))| Segment {
            segment: segment.clone(),
            rate: *agree as f64 / *n as f64,
            agree: *agree,
            n: *n,
            ci: interval(*agree, *n, corrected),
        };
        let mut segments: Vec<Segment> = self.segments.iter().map(segment).collect();
        let upper = |segment: &Segment| segment.ci.map_or(1.0, |ci| ci[1]);
        segments.sort_by(|a, b| upper(a).total_cmp(&upper(b)).then(b.n.cmp(&a.n)));
        segments
    }

    /// How many more segments there are at least, of which nothing is known.
    #[must_use]
    pub fn segments_unknown(&self) -> u64 {
        self.segments_left_out.len() as u64
    }
}

/// Clopper-Pearson's interval of a share; `None` without requests.
pub(crate) fn interval(k: u64, n: u64, confidence: f64) -> Option<[f64; 2]> {
    let found = clopper_pearson(Share::new(k, n)?, confidence)?;
    Some([found.interval.lo, found.interval.hi])
}

/// The interval of a share that holds at every look; `None` without requests.
pub(crate) fn sequence(k: u64, n: u64, confidence: f64) -> Option<[f64; 2]> {
    let found = every_look(Share::new(k, n)?, confidence)?;
    Some([found.interval.lo, found.interval.hi])
}

/// The champion against itself.
#[derive(Debug)]
pub struct Noise {
    outputs: Vec<OutputComparison>,
    n: u64,
    agree: u64,
    batch: u64,
    /// Requests on which only the candidate disagrees with the champion, and only the champion with itself.
    discordant: (u64, u64),
}

impl Noise {
    /// Nothing asked twice yet.
    #[must_use]
    pub fn new(champion: &[Port], policy: &Policy) -> Self {
        let outputs = champion.iter().map(|port| OutputComparison::new(port, policy)).collect();
        Self { outputs, n: 0, agree: 0, batch: 1, discordant: (0, 0) }
    }

    /// Compares two answers of the champion to one request, the second of them in a call of `batch` requests; `candidate` says
    /// whether the candidate agreed on it.
    pub fn push(&mut self, (first, second): (&Answer, &Answer), batch: usize, candidate: bool) {
        let mut agrees = true;
        for output in &mut self.outputs {
            agrees &= output.push(first, second).is_none_or(|apart| apart.agrees);
        }
        self.n += 1;
        self.agree += u64::from(agrees);
        self.batch = self.batch.max(batch as u64);
        self.discordant.0 += u64::from(agrees && !candidate);
        self.discordant.1 += u64::from(!agrees && candidate);
    }

    /// Requests that were asked twice.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.n
    }

    /// What was found; `None` where nothing was asked twice.
    #[must_use]
    pub fn finish(&self) -> Option<NoiseFloor> {
        let pairs = windvane_stats::paired::mcnemar::Pairs::new(self.discordant.0, self.discordant.1, self.n);
        (self.n > 0).then(|| NoiseFloor {
            n: self.n,
            agree: self.agree,
            batch: self.batch,
            max_abs: self.outputs.iter().filter_map(OutputComparison::max_abs).reduce(f64::max),
            p_value: pairs.map(|pairs| pairs.test().exact),
            again: None,
        })
    }
}

#[cfg(test)]
mod tests;
