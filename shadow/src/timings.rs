//! How long answers took, in memory that does not grow with their number.

use std::collections::BTreeMap;
use std::time::Duration;

use windvane_stats::experiment::quantile::ranks;
use windvane_stats::moments::Moments;
use windvane_stats::quantile_sketch::QuantileSketch;
use windvane_stats::survival;
use windvane_types::gate::Latencies;

/// Points of a distribution function that is drawn.
const CURVE_POINTS: u32 = 100;
/// The quantiles that are told with an interval.
const QUANTILES: [(&str, f64); 5] =
    [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99), ("p999", 0.999)];
/// Parts of a run that are compared to tell whether it is steady, and requests that each needs.
const PARTS: usize = 10;
const PART_REQUESTS_MIN: u64 = 30;
/// How much the mean of the last parts may move.
const STEADY: f64 = 1.1;

/// The latencies of one model, in microseconds.
#[derive(Debug, Default)]
pub struct Timings {
    latency: QuantileSketch,
    service: QuantileSketch,
    moments: Moments,
    max: f64,
    parts: Vec<Moments>,
    calls: u64,
    /// Time spent in calls of the model.
    busy: Duration,
    /// Requests that took longer than the bound, where there is one.
    over: u64,
    bound: Option<f64>,
    start: Start,
}

/// What is paid once.
#[derive(Debug, Clone, Copy, Default)]
pub struct Start {
    /// Opening the model.
    pub open: Option<Duration>,
    /// The first answer.
    pub cold: Option<Duration>,
}

impl Timings {
    /// Nothing timed yet; requests that take longer than `bound` microseconds are counted.
    #[must_use]
    pub fn new(bound: Option<f64>) -> Self {
        Self { bound, ..Self::default() }
    }

    /// The same, with what was paid before.
    #[must_use]
    pub fn after(self, start: Start) -> Self {
        Self { start, ..self }
    }

    /// What was paid once.
    #[must_use]
    pub fn start(&self) -> Start {
        self.start
    }

    /// Says how long the first answer took; later ones are no longer the first.
    pub fn first(&mut self, took: Duration) {
        self.start.cold.get_or_insert(took);
    }

    /// Adds a call: how long the model took, and since when each request of it was due. `place` is how far the run has come, 0 to 1.
    pub fn push(&mut self, service: Duration, latencies: impl IntoIterator<Item = Duration>, place: f64) {
        self.calls += 1;
        self.busy += service;
        if self.parts.is_empty() {
            self.parts = vec![Moments::default(); PARTS];
        }
        let part = part(place);
        for latency in latencies {
            let latency = microseconds(latency);
            self.latency.push(latency, 1);
            self.service.push(microseconds(service), 1);
            self.moments.push(latency, 1);
            self.parts[part].push(latency, 1);
            self.max = self.max.max(latency);
            self.over += u64::from(self.bound.is_some_and(|bound| latency > bound));
        }
    }

    /// Requests.
    #[must_use]
    pub fn n(&self) -> u64 {
        self.moments.n()
    }

    /// Requests that took longer than the bound.
    #[must_use]
    pub fn over(&self) -> u64 {
        self.over
    }

    /// Requests a second while the model was at work.
    #[must_use]
    pub fn busy_rate(&self) -> Option<f64> {
        let seconds = self.busy.as_secs_f64();
        (seconds > 0.0).then(|| self.n() as f64 / seconds)
    }

    /// A quantile.
    #[must_use]
    pub fn quantile(&self, q: f64) -> Option<f64> {
        self.latency.quantile(q).map(|found| found.value)
    }

    /// The interval of a quantile by order statistics; `None` with too few requests for it.
    #[must_use]
    pub fn interval(&self, q: f64, confidence: f64) -> Option<(f64, f64)> {
        let n = self.n();
        // The refusal for few rows is that of quantiles everywhere; the width is of this confidence.
        ranks(n, q)?.ends?;
        let z = survival::normal_exceeded((1.0 - confidence) / 2.0);
        let half = z * (q * (1.0 - q) / n as f64).sqrt();
        let lo = self.latency.quantile((q - half).max(0.0))?.low;
        let hi = self.latency.quantile((q + half).min(1.0))?.high;
        Some((lo, hi))
    }

    /// Everything, for the document; `is_service` says that latency and service are one.
    #[must_use]
    pub fn finish(&self, is_service: bool) -> Latencies {
        let service = |q| self.service.quantile(q).map(|found| found.value).filter(|_| !is_service);
        let point = |i: u32| {
            let share = f64::from(i) / f64::from(CURVE_POINTS);
            self.quantile(share).map(|value| [value, share])
        };
        Latencies {
            p50: self.quantile(0.5),
            p90: self.quantile(0.9),
            p95: self.quantile(0.95),
            p99: self.quantile(0.99),
            p999: self.quantile(0.999),
            mean: self.moments.mean(),
            max: (self.n() > 0).then_some(self.max),
            n: self.n(),
            cold_start: self.start.cold.map(microseconds),
            open: self.start.open.map(microseconds),
            service_p50: service(0.5),
            service_p99: service(0.99),
            steady: self.steady(),
            batch_mean: (self.calls > 0).then(|| self.n() as f64 / self.calls as f64),
            curve: (1..=CURVE_POINTS).filter_map(point).collect(),
            ci: BTreeMap::new(),
        }
    }

    /// The intervals of the quantiles of the document, as far as there are requests enough.
    #[must_use]
    pub fn intervals(&self, confidence: f64) -> BTreeMap<String, [f64; 2]> {
        let interval =
            |(name, q): (&str, f64)| self.interval(q, confidence).map(|(lo, hi)| (name.to_owned(), [lo, hi]));
        QUANTILES.into_iter().filter_map(interval).collect()
    }

    /// Whether the means of the last three parts are alike; `None` where a part has too few requests.
    pub(crate) fn steady(&self) -> Option<bool> {
        let last = self.parts.get(PARTS - 3..)?;
        let means: Vec<f64> =
            last.iter().filter(|part| part.n() >= PART_REQUESTS_MIN).filter_map(Moments::mean).collect();
        let (min, max) = (means.iter().copied().reduce(f64::min)?, means.iter().copied().reduce(f64::max)?);
        (means.len() == last.len()).then_some(max <= min * STEADY)
    }
}

fn microseconds(duration: Duration) -> f64 {
    duration.as_nanos() as f64 / 1e3
}

#[expect(clippy::cast_sign_loss, reason = "a place of a run is not negative")]
fn part(place: f64) -> usize {
    ((place.max(0.0) * PARTS as f64) as usize).min(PARTS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn timings(latencies: impl IntoIterator<Item = u64>) -> Timings {
        let mut timings = Timings::new(Some(500.0));
        for (i, us) in latencies.into_iter().enumerate() {
            timings.push(Duration::from_micros(us), [Duration::from_micros(us)], i as f64 / 1000.0);
        }
        timings
    }

    #[test]
    fn quantiles_are_values_that_were_seen() {
        let found = timings(1..=1000).finish(true);
        assert_eq!(
            (found.p50, found.p99, found.max, found.n),
            (Some(500.0), Some(990.0), Some(1000.0), 1000)
        );
        assert_eq!(timings(1..=1000).over(), 500);
        assert_eq!(found.curve.len(), 100);
        assert_eq!(timings([]).finish(true).p50, None);
    }

    #[test]
    fn the_interval_of_a_quantile_holds_it_and_needs_requests() {
        let (lo, hi) = timings(1..=1000).interval(0.5, 0.95).unwrap();
        // n/2 ± 1.96·√n/2: 469 to 531.
        assert!((lo - 469.0).abs() <= 1.0 && (hi - 531.0).abs() <= 1.0, "{lo} to {hi}");
        assert_eq!(timings(1..=100).interval(0.99, 0.95), None);
        let told = timings(1..=100).intervals(0.95);
        assert!(told["p50"][0] < 50.0 && told["p50"][1] > 50.0 && !told.contains_key("p99"), "{told:?}");
    }

    #[test]
    fn a_run_that_slows_down_is_not_steady() {
        assert_eq!(timings((0..1000).map(|_| 100)).finish(true).steady, Some(true));
        assert_eq!(timings((0..1000).map(|i| 100 + i)).finish(true).steady, Some(false));
        assert_eq!(timings((0..20).map(|_| 100)).finish(true).steady, None);
    }
}
