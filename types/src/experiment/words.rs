//! Words about an experiment that a terminal and a page share: what a verdict needs, how likely an arm is better, what was
//! done on the way.

use super::{Comparison, Document};

/// A metric with what tells metrics of one column apart: `latency_us p99`, `clicks/views`; names are written by `name`.
#[must_use]
pub fn named(
    metric: &str,
    (quantile, denominator): (Option<f64>, Option<&str>),
    name: impl Fn(&str) -> String,
) -> String {
    let metric = name(metric);
    match (quantile, denominator) {
        // A hundred times 0.07 is 7.000000000000001 in doubles.
        (Some(q), _) => format!("{metric} p{}", (q * 1e12).round() / 1e10),
        (None, Some(denominator)) => format!("{metric}/{}", name(denominator)),
        (None, None) => metric,
    }
}

/// What a verdict needs, and on which side it looks; `sure` is how much of the posterior decides, as a person reads it.
#[must_use]
pub fn needed(document: &Document, sure: &str) -> String {
    let decides = match document.inference.as_str() {
        "bayesian" => format!("the posterior decides at {sure}"),
        "sequential" => format!("a verdict needs an always-valid p < {}", document.alpha),
        "group_sequential" => format!("a verdict needs a repeated p < {} at this look", document.alpha),
        _ => format!("a verdict needs p < {}", document.alpha),
    };
    let side = match document.alternative.as_str() {
        "greater" => ", only above the control",
        "less" => ", only below the control",
        _ => "",
    };
    format!("{decides}{side}")
}

/// How likely the arm is better, with the prior that was given.
#[must_use]
pub fn chance(comparison: &Comparison) -> String {
    let beta = comparison.beta_binomial.as_ref().map(|posterior| posterior.probability_better);
    let normal = comparison.bayesian.as_ref().map(|posterior| posterior.probability_better);
    likely(beta.or(normal))
}

/// A probability to a hundredth of a per cent: never a certainty.
#[must_use]
pub fn likely(probability: Option<f64>) -> String {
    match probability {
        None => "–".to_owned(),
        Some(p) if p > 0.9999 => "> 99.99 %".to_owned(),
        Some(p) if p < 0.0001 => "< 0.01 %".to_owned(),
        Some(p) => format!("{:.2} %", p * 100.0),
    }
}

/// The p-value that decides, corrected; where a posterior does, that of one look. `None` where nothing is tested, also where many looks have no
/// p-value of their own: that of one look decides nothing then.
#[must_use]
pub fn deciding_p(comparison: &Comparison) -> Option<f64> {
    match comparison.decision.inference.as_str() {
        "sequential" | "group_sequential" => comparison.p_adjusted,
        _ => comparison.p_adjusted.or(comparison.p_value.filter(|_| comparison.reason.is_none())),
    }
}

/// What was done on the way, each line that is `shown` once, with the comparisons that it is `about` where it is not about
/// all.
#[must_use]
pub fn ledger(document: &Document, shown: fn(&str) -> bool, about: fn(&Comparison) -> String) -> Vec<String> {
    let mut lines: Vec<(&str, Vec<String>)> = Vec::new();
    for comparison in &document.comparisons {
        for line in comparison.ledger.iter().map(String::as_str).filter(|line| shown(line)) {
            match lines.iter_mut().find(|(known, _)| *known == line) {
                Some((_, subjects)) => subjects.push(about(comparison)),
                None => lines.push((line, vec![about(comparison)])),
            }
        }
    }
    let all = document.comparisons.len();
    let told = lines.into_iter().map(|(line, subjects)| match subjects.len() {
        n if n == all => line.to_owned(),
        _ => format!("{line} ({})", subjects.join(", ")),
    });
    told.collect()
}

#[cfg(test)]
mod tests {
    use super::likely;

    #[test]
    fn a_chance_is_never_a_certainty() {
        for (probability, words) in
            [(None, "–"), (Some(1.0), "> 99.99 %"), (Some(0.0), "< 0.01 %"), (Some(0.975), "97.50 %")]
        {
            assert_eq!(likely(probability), words);
        }
    }
}
