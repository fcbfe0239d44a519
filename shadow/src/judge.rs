//! The gate: evidence in, one verdict a check out. Pure: the same evidence has the same verdict.
//!
//! Nothing passes for want of evidence. A bound is met where the interval lies within it, missed where it lies outside, and
//! everything else is inconclusive.

use windvane_stats::binomial::early_stopping::{Claim, Standing};
use windvane_stats::binomial::{Share, clopper_pearson::clopper_pearson};
use windvane_types::counting::{counted, form};
use windvane_types::gate::{Agreement, Check, Metric, Output, Quality, Segment, SkippedRequests, Verdict};

use crate::compare::SEGMENTS_MAX;
use crate::policy::{AgreementBounds, LatencyBounds, Policy};
use crate::timings::Timings;

/// The share of requests that a bound on the 99 % quantile is about.
const P99: f64 = 0.99;

/// What a gate is judged by.
#[derive(Debug)]
pub struct Evidence<'a> {
    /// How alike answers are.
    pub agreement: &'a Agreement,
    /// All segments that are told apart, the worst first, and how many more there are at least.
    pub segments: (&'a [Segment], u64),
    /// How the declared outputs differ, in words.
    pub differences: &'a [String],
    /// The first request on which a model gave an error, and the error.
    pub first_error: Option<&'a str>,
    /// Requests on which a model gave an error when it was asked again at the pace, and the first of them.
    pub timed_errors: (u64, Option<&'a str>),
    /// Latencies of champion and candidate.
    pub timings: (&'a Timings, &'a Timings),
    /// What outcomes say.
    pub quality: &'a Quality,
    /// Requests that could not be asked.
    pub skipped: &'a SkippedRequests,
}

/// All checks of the policy, in their order.
#[must_use]
pub fn judge(policy: &Policy, evidence: &Evidence<'_>) -> Vec<Check> {
    let n = evidence.agreement.n;
    let mut checks = vec![min_requests(policy.gate.min_requests, n)];
    checks.extend(skipped(policy.gate.skipped_share_max, evidence.skipped, n));
    checks.extend([outputs(evidence), finite(evidence.agreement), errors(evidence)]);
    if let Some(bounds) = &policy.agreement {
        checks.push(agreement((bounds, policy.gate.confidence), evidence.agreement));
        checks.extend(segments(bounds, evidence.segments));
    }
    if let Some(bounds) = &policy.latency {
        checks.extend(ratio(bounds, evidence.timings, policy.gate.confidence));
        checks.extend(p99(bounds, evidence.timings.1, policy.gate.confidence));
    }
    let margins = policy.quality.iter().flat_map(|bounds| bounds.margins());
    checks.extend(margins.map(|(metric, margin)| quality((metric, margin), evidence.quality)));
    if let Some(bounds) = &policy.drift {
        checks.push(drift(bounds.distance_max, evidence.agreement));
    }
    checks
}

fn check(name: &str, verdict: Verdict, n: u64, reason: String) -> Check {
    Check { check: name.to_owned(), verdict, observed: None, bound: None, ci: None, n, reason, subject: None }
}

fn min_requests(least: u64, n: u64) -> Check {
    let (verdict, reason) = match n {
        0 => (Verdict::Inconclusive, "there are no requests, so that nothing is shown".to_owned()),
        n if n < least => (
            Verdict::Inconclusive,
            format!(
                "{n} {} fewer than the {least} that the policy asks for",
                form(n, "request is", "requests are")
            ),
        ),
        n => (
            Verdict::Pass,
            format!("{n} {}, and the policy asks for {least}", form(n, "request", "requests")),
        ),
    };
    Check { observed: Some(n as f64), bound: Some(least as f64), ..check("min_requests", verdict, n, reason) }
}

/// Requests that could not be asked: nothing is known of them, so that too many leave the gate in doubt.
fn skipped(bound: f64, skipped: &SkippedRequests, asked: u64) -> Option<Check> {
    let share = skipped.share.filter(|_| skipped.n > 0)?;
    let verdict = if share <= bound { Verdict::Pass } else { Verdict::Inconclusive };
    let first = skipped.first.first();
    let first = first.map_or(String::new(), |first| format!(", the first `{}`: {}", first.id, first.reason));
    let reason = format!(
        "{} of {} {} cannot be asked ({} may){first}",
        skipped.n,
        skipped.n + asked,
        form(skipped.n + asked, "request", "requests"),
        percent(bound)
    );
    Some(Check {
        observed: Some(share),
        bound: Some(bound),
        ..check("skipped", verdict, skipped.n + asked, reason)
    })
}

/// What must never happen: a fail where it was seen, doubt where nothing was looked at.
fn never(name: &str, (seen, n): (u64, u64), told: impl Fn() -> String, well: &str) -> Check {
    let (verdict, reason) = match (seen, n) {
        (0, 0) => (Verdict::Inconclusive, "no request was asked".to_owned()),
        (0, _) => (Verdict::Pass, well.to_owned()),
        _ => (Verdict::Fail, told()),
    };
    Check { observed: Some(seen as f64), bound: Some(0.0), ..check(name, verdict, n, reason) }
}

fn outputs(evidence: &Evidence<'_>) -> Check {
    let agreement = evidence.agreement;
    let differ = agreement.outputs.iter().filter(|output| output.shape_differs > 0);
    let shapes: Vec<String> = differ
        .map(|output| {
            format!(
                "output `{}` has another shape on {}",
                output.output,
                counted(output.shape_differs, "request", "requests")
            )
        })
        .collect();
    let told = || evidence.differences.iter().chain(&shapes).cloned().collect::<Vec<_>>().join("; ");
    let seen = (evidence.differences.len() + shapes.len()) as u64;
    // What the models declare is known without any request.
    let n = if seen > 0 { agreement.n.max(1) } else { agreement.n };
    let mut check =
        never("outputs", (seen, n), told, "both models have the same outputs with the same types and shapes");
    check.n = agreement.n;
    check
}

fn finite(agreement: &Agreement) -> Check {
    let seen: u64 = agreement.outputs.iter().map(|output| output.nonfinite).sum();
    let told = || {
        let broken = agreement.outputs.iter().filter(|output| output.nonfinite > 0);
        let one = |output: &Output| {
            format!(
                "the candidate gave {} NaN or infinite in output `{}` (the champion {})",
                counted(output.nonfinite, "value that is", "values that are"),
                output.output,
                output.nonfinite_champion
            )
        };
        broken.map(one).collect::<Vec<_>>().join("; ")
    };
    never("finite", (seen, agreement.n), told, "every number of the candidate is finite")
}

fn errors(evidence: &Evidence<'_>) -> Check {
    let (compared, (timed, first_timed)) = (evidence.agreement.errors, evidence.timed_errors);
    let told = || {
        let first = |first: Option<&str>| first.unwrap_or("unknown").to_owned();
        let of_compared = (compared > 0).then(|| {
            let first = first(evidence.first_error);
            format!(
                "{} got an error in place of an answer, the first: {first}",
                counted(compared, "request", "requests")
            )
        });
        let of_timed = (timed > 0).then(|| {
            format!(
                "{} timed, the first: {}",
                counted(timed, "request got an error when it was", "requests got an error when they were"),
                first(first_timed)
            )
        });
        of_compared.into_iter().chain(of_timed).collect::<Vec<_>>().join("; ")
    };
    never("errors", (compared + timed, evidence.agreement.n), told, "both models answered every request")
}

/// Where an interval lies to a bound from below.
fn at_least(ci: Option<[f64; 2]>, bound: f64) -> Verdict {
    match ci {
        Some([lo, _]) if lo >= bound => Verdict::Pass,
        Some([_, hi]) if hi < bound => Verdict::Fail,
        _ => Verdict::Inconclusive,
    }
}

fn agreement((bounds, confidence): (&AgreementBounds, f64), found: &Agreement) -> Check {
    let bound = bounds.rate_min;
    let verdict = at_least(found.ci, bound);
    let seen = format!("{} of {} {} agree", found.agree, found.n, form(found.n, "request", "requests"));
    let reason = match (verdict, found.ci) {
        (_, None) => "there are no requests to agree on".to_owned(),
        (Verdict::Pass, Some([lo, _])) => {
            format!("{seen}; the true share is {} or more, and {} is asked for", percent(lo), percent(bound))
        }
        (Verdict::Fail, Some([_, hi])) => {
            format!(
                "{seen}; the true share is {} at most, and {} is asked for{}",
                percent(hi),
                percent(bound),
                worst_output(found)
            )
        }
        (Verdict::Inconclusive, Some([lo, hi])) => format!(
            "{seen}; the true share lies between {} and {}, which does not tell whether it is {}; {}",
            percent(lo),
            percent(hi),
            percent(bound),
            more_needed(found.n - found.agree, bound, confidence)
        ),
    };
    Check {
        observed: found.rate,
        bound: Some(bound),
        ci: found.ci,
        ..check("agreement", verdict, found.n, reason)
    }
}

fn worst_output(found: &Agreement) -> String {
    let rate = |output: &&Output| output.rate.unwrap_or(0.0);
    let worst = found.outputs.iter().min_by(|a, b| rate(a).total_cmp(&rate(b)));
    worst.map_or(String::new(), |output| {
        let by = output.max_abs.map_or(String::new(), |max| format!(", by up to {max:.4}"));
        format!("; most differ in output `{}` ({} of {} agree{by})", output.output, output.agree, output.n)
    })
}

/// How many requests would do if no further one differs.
fn more_needed(differ: u64, bound: f64, confidence: f64) -> String {
    if bound >= 1.0 {
        return "no number of requests shows that all agree, so that a bound below 100 % has to be asked for"
            .to_owned();
    }
    let needed = Claim::new(bound, confidence).map(|claim| claim.requests_two_sided(differ));
    needed.map_or_else(
        || "more traffic is needed".to_owned(),
        |needed| {
            format!(
                "{needed} requests would do at {} confidence if no further one differs",
                percent(confidence)
            )
        },
    )
}

/// One segment below the bound fails, and one of which that is not known leaves the gate in doubt, however many others there are.
fn segments(bounds: &AgreementBounds, (found, unknown): (&[Segment], u64)) -> Option<Check> {
    let bound = bounds.segment_rate_min?;
    let first = |verdict| found.iter().find(|segment| at_least(segment.ci, bound) == verdict);
    let (verdict, told) = match (first(Verdict::Fail), first(Verdict::Inconclusive)) {
        (Some(segment), _) => (Verdict::Fail, Some(segment)),
        (None, Some(segment)) => (Verdict::Inconclusive, Some(segment)),
        (None, None) => (
            if found.is_empty() || unknown > 0 { Verdict::Inconclusive } else { Verdict::Pass },
            found.first(),
        ),
    };
    let name = |segment: &Segment| {
        let part = |(key, value): (&String, &Option<String>)| {
            format!("{key}={}", value.as_deref().unwrap_or("(missing)"))
        };
        segment.segment.iter().map(part).collect::<Vec<_>>().join(", ")
    };
    let mut reason = match told {
        None => "no segments were asked for (--segment-by)".to_owned(),
        Some(segment) => format!(
            "of {} segments the worst is {}: {} of {} requests agree, and {} is asked for in each",
            found.len(),
            name(segment),
            segment.agree,
            segment.n,
            percent(bound)
        ),
    };
    if unknown > 0 {
        reason += &format!(
            "; nothing is known of {unknown} or more further segments, because up to {SEGMENTS_MAX} are told apart"
        );
    }
    Some(Check {
        observed: told.map(|segment| segment.rate),
        bound: Some(bound),
        ci: told.and_then(|segment| segment.ci),
        subject: told.map(name),
        ..check("segments", verdict, told.map_or(0, |segment| segment.n), reason)
    })
}

fn ratio(
    bounds: &LatencyBounds,
    (champion, candidate): (&Timings, &Timings),
    confidence: f64,
) -> Option<Check> {
    let bound = bounds.ratio_max?;
    let q = bounds.ratio_quantile;
    let observed =
        champion.quantile(q).zip(candidate.quantile(q)).map(|(a, b)| b / a).filter(|ratio| ratio.is_finite());
    // Each side at half of the error, so that both hold together.
    let half = 1.0 - (1.0 - confidence) / 2.0;
    let ci = champion.interval(q, half).zip(candidate.interval(q, half)).filter(|((lo, _), _)| *lo > 0.0);
    let ci = ci.map(|((lo, hi), (from, to))| [from / hi, to / lo]);
    let verdict = match ci {
        Some([_, hi]) if hi <= bound => Verdict::Pass,
        Some([lo, _]) if lo > bound => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let quantile = format!("{} % quantile", q * 100.0);
    let reason = match (observed, ci) {
        (Some(ratio), Some([lo, hi])) => format!(
            "at the {quantile} the candidate takes {ratio:.2} times as long as the champion ({lo:.2} to {hi:.2}), and {bound} is allowed"
        ),
        _ => format!("too few requests tell the {quantile}"),
    };
    Some(Check { observed, bound: Some(bound), ci, ..check("latency_ratio", verdict, candidate.n(), reason) })
}

fn p99(bounds: &LatencyBounds, candidate: &Timings, confidence: f64) -> Option<Check> {
    let bound = bounds.p99_us_max?;
    let (n, over) = (candidate.n(), candidate.over());
    let claim = Claim::new(P99, confidence);
    let verdict = match claim.map(|claim| claim.standing(over, n)) {
        Some(Standing::Met) => Verdict::Pass,
        Some(Standing::Missed) => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let needed = claim.map(|claim| claim.requests_two_sided(over)).unwrap_or_default();
    let reason = match verdict {
        Verdict::Inconclusive => format!(
            "{over} of {n} requests took longer than {bound} µs; {needed} requests are needed to prove that at most 1 % do"
        ),
        _ => format!("{over} of {n} requests took longer than {bound} µs, and 1 % may"),
    };
    let within = Share::new(n - over, n).and_then(|share| clopper_pearson(share, confidence));
    let slow = within.map_or(String::new(), |w| {
        format!(" (between {} and {} are within it)", percent(w.interval.lo), percent(w.interval.hi))
    });
    let ci = candidate.interval(P99, confidence).map(|(lo, hi)| [lo, hi]);
    Some(Check {
        observed: candidate.quantile(P99),
        bound: Some(bound),
        ci,
        ..check("p99_us", verdict, n, reason + &slow)
    })
}

fn quality((name, margin): (&str, f64), quality: &Quality) -> Check {
    let Some(metric) = quality.metrics.iter().find(|metric| metric.metric == name) else {
        let reason = match quality.labelled {
            0 => "no request has an outcome".to_owned(),
            n => format!(
                "{} tell {name}: it needs another kind of outcome or output",
                counted(n, "outcome does not", "outcomes do not")
            ),
        };
        return Check { bound: Some(margin), ..check(name, Verdict::Inconclusive, quality.labelled, reason) };
    };
    // How much worse the candidate is, whichever way the metric points.
    let worse = |difference: f64| if metric.higher_is_better { -difference } else { difference };
    let ci = metric.ci.map(|[lo, hi]| if metric.higher_is_better { [-hi, -lo] } else { [lo, hi] });
    let verdict = match ci {
        Some([_, hi]) if hi <= margin => Verdict::Pass,
        Some([lo, _]) if lo > margin => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    Check {
        observed: Some(worse(metric.difference)),
        bound: Some(margin),
        ci,
        ..check(name, verdict, metric.n, quality_reason(metric, margin, verdict))
    }
}

fn quality_reason(metric: &Metric, margin: f64, verdict: Verdict) -> String {
    let word = if metric.higher_is_better { "fall" } else { "rise" };
    let range = metric.ci.map_or(String::new(), |[lo, hi]| format!(" ({lo:+.4} to {hi:+.4})"));
    let doubt = if verdict == Verdict::Inconclusive { "; more outcomes are needed to tell" } else { "" };
    format!(
        "{} is {:.4} and was {:.4}: {:+.4}{range}, and it may {word} by {margin}{doubt}",
        metric.metric, metric.candidate, metric.champion, metric.difference
    )
}

fn drift(bound: f64, agreement: &Agreement) -> Check {
    let standing = |output: &Output| match output.drift_ci {
        Some([_, hi]) if hi <= bound => Verdict::Pass,
        Some([lo, _]) if lo > bound => Verdict::Fail,
        _ => Verdict::Inconclusive,
    };
    let furthest = |verdict| {
        let with = agreement.outputs.iter().filter_map(|output| Some((output, output.drift?)));
        with.filter(|(output, _)| standing(output) == verdict).max_by(|a, b| a.1.total_cmp(&b.1))
    };
    let told = [Verdict::Fail, Verdict::Inconclusive, Verdict::Pass].into_iter();
    let told = told.map(|verdict| (verdict, furthest(verdict))).find(|(_, found)| found.is_some());
    let (verdict, worst) = told.unwrap_or((Verdict::Inconclusive, None));
    let reason = worst.map_or_else(
        || "there are no predictions to compare".to_owned(),
        |(output, distance)| {
            let range = output.drift_ci.map_or(String::new(), |[lo, hi]| format!(" ({lo:.4} to {hi:.4})"));
            let doubt =
                if verdict == Verdict::Inconclusive { "; more requests are needed to tell" } else { "" };
            let name = &output.output;
            format!(
                "predictions of output `{name}` are {distance:.4} apart{range}, and {bound} is allowed{doubt}"
            )
        },
    );
    Check {
        observed: worst.map(|(_, distance)| distance),
        bound: Some(bound),
        ci: worst.and_then(|(output, _)| output.drift_ci),
        subject: worst.map(|(output, _)| output.output.clone()),
        ..check("drift", verdict, agreement.n, reason)
    }
}

/// Whether no further answer can turn a missed agreement: even if all that are left agree, the final interval lies below the
/// bound. The verdict of the whole run is known then, and no chance of error is spent on looking early.
#[must_use]
pub fn is_lost(policy: &Policy, (agree, n): (u64, u64), total: u64) -> bool {
    let Some(bounds) = &policy.agreement else { return false };
    let best = Share::new(total - (n - agree), total)
        .and_then(|share| clopper_pearson(share, policy.gate.confidence));
    best.is_some_and(|best| best.interval.hi < bounds.rate_min)
}

/// A share in words, with as many digits as tell it from 0 and from 1.
fn percent(share: f64) -> String {
    let digits = match share.min(1.0 - share) {
        rest if rest > 0.0 && rest < 0.001 => 3,
        rest if rest > 0.0 && rest < 0.01 => 2,
        _ => 1,
    };
    format!("{:.digits$} %", share * 100.0)
}

#[cfg(test)]
mod tests;
