//! From numbers to words: the correction over the family, the verdict of each comparison, and what the ledger says of both. Pure.

use windvane_stats::{correction, experiment::effect::Alternative};
use windvane_types::counting::counted;
use windvane_types::experiment::{Better, Comparison, GuardrailVerdict, Kind, Srm, SrmVerdict, Verdict};

use super::{
    deciding::Deciding,
    inference::{Belief, Inference, Rope},
    looks::Place,
    request::{FamilyCorrection, Rule},
    sequence_method::SequenceMethod,
};

/// A comparison and whether its metric decides, for a correction that prefers some.
pub(super) struct Member<'a> {
    pub(super) comparison: &'a mut Comparison,
    pub(super) primary: bool,
}

/// Corrects the deciding p-values as one family; answers how many there are.
pub(super) fn correct(family: &mut [Member<'_>], rule: &Rule, segments: usize) -> usize {
    let bayesian = matches!(rule.inference, Inference::Bayesian { .. });
    let p_of = |member: &Member<'_>| match bayesian {
        true => member.comparison.p_value,
        false => member.comparison.decision.p_value,
    };
    let ranked = ranked(family, p_of);
    let mut adjusted = rule.correction.adjust(&ranked).into_iter();
    let told = ranked.len() > 1 && !rule.correction.is_none();
    for member in family.iter_mut() {
        let Some(p_value) = p_of(member) else { continue };
        let comparison = &mut *member.comparison;
        comparison.p_adjusted = adjusted.next();
        if !bayesian {
            comparison.decision.p_adjusted = comparison.p_adjusted;
        }
        if let Some(adjusted) = comparison.p_adjusted.filter(|_| told) {
            let within = match segments {
                0 => String::new(),
                segments => format!(", those of {segments} segments among them"),
            };
            comparison.ledger.push(format!(
                "corrected: p {} to {} by {} over {} p-values{within}; intervals are not widened",
                shown(p_value),
                shown(adjusted),
                rule.correction.as_str(),
                ranked.len()
            ));
        }
    }
    if !bayesian {
        correct_equivalence(family, rule);
    }
    ranked.len()
}

/// The p-values of those that have one, in their order.
fn ranked(family: &[Member<'_>], p_of: impl Fn(&Member<'_>) -> Option<f64>) -> Vec<correction::Ranked> {
    let of =
        |member: &Member<'_>| Some(correction::Ranked { p_value: p_of(member)?, primary: member.primary });
    family.iter().filter_map(of).collect()
}

/// Corrects the p-values of equivalence, a family of their own: who holds many metrics against margins finds one within by chance, too.
fn correct_equivalence(family: &mut [Member<'_>], rule: &Rule) {
    let p_of = |member: &Member<'_>| member.comparison.margin_test?.equivalence_p_value;
    let ranked = ranked(family, p_of);
    let told = ranked.len() > 1 && !rule.correction.is_none();
    let mut adjusted = rule.correction.adjust(&ranked).into_iter();
    for member in family {
        let Some(p_value) = p_of(member) else { continue };
        let comparison = &mut *member.comparison;
        let (Some(test), Some(adjusted)) = (&mut comparison.margin_test, adjusted.next()) else { continue };
        test.equivalence_p_adjusted = Some(adjusted);
        if told {
            comparison.ledger.push(format!(
                "corrected: p {} of a difference beyond the margin to {} by {} over {} p-values",
                shown(p_value),
                shown(adjusted),
                rule.correction.as_str(),
                ranked.len()
            ));
        }
    }
}

/// A p-value with digits that count, however small.
pub(super) fn shown(p: f64) -> String {
    if p < 0.0001 { format!("{p:.1e}") } else { format!("{p:.6}") }
}

/// How the verdict is reached, where it is not the two-sided test at a fixed horizon.
pub(super) fn told(comparison: &Comparison, deciding: &Deciding<'_>) -> Vec<String> {
    let rule = deciding.rule;
    let mut lines = Vec::new();
    let told_below = rule.inference == Inference::Sequential || comparison.sequential.is_none();
    if rule.sequence != SequenceMethod::Asymptotic && !told_below {
        lines.push(format!("at any time: by {} of the relative difference", rule.sequence.name()));
    }
    match rule.alternative {
        Alternative::TwoSided => {}
        Alternative::Greater => lines.push(
            "one-sided: only an arm above the control is looked for; intervals have no upper end".to_owned(),
        ),
        Alternative::Less => lines.push(
            "one-sided: only an arm below the control is looked for; intervals have no lower end".to_owned(),
        ),
    }
    match &rule.inference {
        Inference::Fixed => {}
        Inference::Sequential if deciding.anytime.is_some() => lines.push(format!(
            "decided: by the always-valid p-value of no difference between the quantiles, from counts of rows, strongest at {} units: \
             exact however few there are; its interval holds too, and is wider than the p-value needs",
            rule.tuning
        )),
        Inference::Sequential => lines.push(format!(
            "decided: by the always-valid p-value of the {} difference{}, which holds at every look{}",
            comparison.decision.scale,
            match rule.sequence {
                SequenceMethod::Asymptotic => format!(", narrowest at {} units", rule.tuning),
                method => format!(" by {}", method.name()),
            },
            match comparison.kind {
                Kind::Quantile => "; counts of rows would need one row a unit",
                Kind::Mean | Kind::Proportion | Kind::Ratio => "",
            }
        )),
        Inference::GroupSequential(_) => lines.extend(look_told(comparison, deciding.place)),
        Inference::Bayesian { .. } => lines.push(posterior_told(comparison, rule)),
    }
    let below = |p: Option<f64>| p.is_some_and(|p| p < rule.alpha);
    let apparent = below(comparison.sequential.and_then(|sequential| sequential.p_value));
    if rule.inference == Inference::Sequential && apparent && !below(comparison.decision.p_value) {
        lines.push(
            "beside it: the interval of the change is clear of 0; its error is small where an arm has little by chance, so it does not decide"
                .to_owned(),
        );
    }
    lines
}

/// Which look this is and by what it could decide, and what is to be known of those before.
fn look_told(comparison: &Comparison, place: Option<&Place>) -> Vec<String> {
    let closed = place.and_then(|place| place.closed);
    let decided = match (&comparison.group_sequential, closed) {
        (None, _) => "decided: not at all, because no unit of the plan has come".to_owned(),
        (Some(group), None) => {
            let fractions: Vec<String> = group.fractions.iter().map(|one| format!("{one:.4}")).collect();
            let boundary =
                group.boundary.map_or("none is left".to_owned(), |it| format!("{it:.4} standard errors"));
            format!(
                "decided: at look {} of a plan by {} at the fractions {}; boundary {boundary}, alpha spent {:.6}",
                group.fractions.len(),
                group.spending,
                fractions.join(", "),
                group.alpha_spent
            )
        }
        (Some(group), Some(closed)) => {
            let stands = comparison.decision.p_value.filter(|p| *p < 1.0);
            let stands =
                stands.map(|p| format!("; what was said then stands, with a repeated p of {}", shown(p)));
            format!(
                "decided: not by this look, because {}; {} before it, alpha spent {:.6}{}",
                closed.as_str(),
                counted(group.fractions.len() as u64, "look counts", "looks count"),
                group.alpha_spent,
                stands.unwrap_or_default()
            )
        }
    };
    let told = place.into_iter().flat_map(|place| place.told.iter().cloned());
    std::iter::once(decided).chain(told).collect()
}

fn posterior_told(comparison: &Comparison, rule: &Rule) -> String {
    let of = match (&comparison.beta_binomial, rule.belief) {
        (Some(_), _) => format!("of both shares with the prior {}", rule.belief.name()),
        (None, Belief::Beta { .. }) => {
            "of the relative difference with a flat prior, for it is no plain proportion".to_owned()
        }
        (None, belief) => format!("of the relative difference with a prior that is {}", belief.name()),
    };
    let region = rule
        .rope
        .map_or(String::new(), |Rope { lo, hi }| format!("; differences within [{lo}, {hi}] do not matter"));
    format!("decided: by the posterior {of}{region}; p-values and their correction decide nothing")
}

/// Which way a difference is shown to go.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    Up,
    Down,
    /// Neither, and what it is lies within the region that does not matter.
    Within,
    Nothing,
}

/// Says the verdict.
pub(super) fn decide(comparison: &mut Comparison, srm: &Srm, rule: &Rule) {
    let shown = match &rule.inference {
        Inference::Bayesian { loss_max } => by_posterior(comparison, rule, *loss_max),
        _ => by_p_value(comparison, rule),
    };
    // Posteriors are not corrected.
    let beyond =
        comparison.margin_test.and_then(|test| test.equivalence_p_adjusted.or(test.equivalence_p_value));
    let equivalent = beyond.is_some_and(|p| p < rule.alpha);
    let mut verdict = match (shown, comparison.better) {
        (Shown::Up, Better::Higher) | (Shown::Down, Better::Lower) => Verdict::Better,
        (Shown::Up, Better::Lower) | (Shown::Down, Better::Higher) => Verdict::Worse,
        (Shown::Within, _) => Verdict::Equivalent,
        (Shown::Nothing, _) if equivalent => Verdict::Equivalent,
        (Shown::Nothing, _) => Verdict::Inconclusive,
    };
    let by_margin = (verdict == Verdict::Equivalent && shown == Shown::Nothing).then_some(beyond).flatten();
    if let Some((p, margin)) = by_margin.zip(comparison.margin) {
        let (margin, p) = (margin * 100.0, self::shown(p));
        comparison.ledger.push(match rule.inference {
            Inference::Bayesian { .. } => {
                format!("equivalent: by the posterior, of which at most {p} lies beyond a margin of {margin} % on either side")
            }
            _ => format!(
                "equivalent: by two one-sided tests against a margin of {margin} %, of which the larger p-value is {p}"
            ),
        });
    }
    if let Some(guardrail) = &comparison.guardrail {
        comparison.ledger.push(format!(
            "guardrail: {} against a margin of {} %, tested by itself because every guardrail has to hold",
            guardrail.verdict.as_str(),
            guardrail.margin * 100.0
        ));
    }
    if srm.verdict == SrmVerdict::Mismatch {
        let said = comparison.guardrail.as_ref().map(|guardrail| guardrail.verdict);
        if verdict != Verdict::Inconclusive || said.is_some_and(|said| said != GuardrailVerdict::Undecided) {
            comparison.ledger.push(format!(
                "withheld: the verdict `{}`, because the arms do not have their share of units (p {:.2e})",
                verdict.as_str(),
                srm.deciding_p_value(rule.inference.as_str()).unwrap_or_default()
            ));
        }
        verdict = Verdict::Inconclusive;
        if let Some(guardrail) = &mut comparison.guardrail {
            guardrail.verdict = GuardrailVerdict::Undecided;
        }
    }
    comparison.verdict = verdict;
}

/// Says no verdict of an arm that gets no units: who was left in it is no longer dealt out at random beside the others.
pub(super) fn leave_out(comparison: &mut Comparison, arm: &str) {
    let why =
        format!("arm `{arm}` has the weight 0, so there is no verdict, and the correction does not count it");
    comparison.ledger.retain(|line| !line.starts_with("decided: "));
    comparison.ledger.push(format!("left out of the test: {why}"));
    comparison.reason = Some(format!("left out of the test: {why}"));
    comparison.verdict = Verdict::Inconclusive;
    comparison.guardrail = None;
}

fn by_p_value(comparison: &Comparison, rule: &Rule) -> Shown {
    let significant = comparison.p_adjusted.is_some_and(|p| p < rule.alpha);
    match comparison.absolute.estimate.filter(|_| significant) {
        Some(estimate) if estimate > 0.0 && rule.alternative != Alternative::Less => Shown::Up,
        Some(estimate) if estimate < 0.0 && rule.alternative != Alternative::Greater => Shown::Down,
        _ => Shown::Nothing,
    }
}

fn by_posterior(comparison: &Comparison, rule: &Rule, loss_max: Option<f64>) -> Shown {
    // What a wrong choice costs, as a share of the control's value: of the arm, and of staying with the control.
    let (loss, gain, shown) = match (&comparison.beta_binomial, &comparison.bayesian) {
        (Some(beta), _) => (
            beta.expected_loss / beta.mean_control,
            beta.expected_gain / beta.mean_control,
            by_interval(comparison, rule.rope),
        ),
        (None, Some(posterior)) => {
            (posterior.expected_loss, posterior.expected_gain, by_interval(comparison, rule.rope))
        }
        (None, None) => return Shown::Nothing,
    };
    let good = match shown {
        Shown::Up => comparison.better == Better::Higher,
        Shown::Down => comparison.better == Better::Lower,
        other => return other,
    };
    let cost = if good { loss } else { gain };
    if loss_max.is_some_and(|max| cost > max) { Shown::Nothing } else { shown }
}

/// The interval against the region that does not matter, which is 0 alone where none was given.
fn by_interval(comparison: &Comparison, rope: Option<Rope>) -> Shown {
    let Some([lo, hi]) = comparison.decision.ci else { return Shown::Nothing };
    let region = rope.unwrap_or(Rope { lo: 0.0, hi: 0.0 });
    if lo.is_some_and(|lo| lo > region.hi) {
        return Shown::Up;
    }
    if hi.is_some_and(|hi| hi < region.lo) {
        return Shown::Down;
    }
    let of_shares =
        comparison.beta_binomial.as_ref().and_then(|posterior| posterior.ci).map(|ci| ci.map(Some));
    let credible = of_shares.or_else(|| comparison.bayesian.as_ref().and_then(|posterior| posterior.ci));
    match credible {
        Some([Some(lo), Some(hi)]) if rope.is_some() && lo >= region.lo && hi <= region.hi => Shown::Within,
        _ => Shown::Nothing,
    }
}

impl FamilyCorrection {
    fn adjust(self, family: &[correction::Ranked]) -> Vec<f64> {
        match self {
            Self::Alike(correction) => {
                let p_values: Vec<f64> = family.iter().map(|ranked| ranked.p_value).collect();
                correction.adjust(&p_values)
            }
            Self::Preferential { primary_share } => {
                correction::preferential_bonferroni(family, primary_share)
            }
        }
    }
}
