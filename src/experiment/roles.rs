//! What each metric is for, and which differences of it do not matter: options that name metrics.

use windvane_analyzer::experiment::{FamilyCorrection, PRIMARY_SHARE};
use windvane_stats::correction::Correction;
use windvane_types::experiment::Role;

use super::arguments::usage;
use crate::drift::words::number;
use crate::exit::Failure;

/// The margins and roles that were given.
#[derive(Debug, Default)]
pub struct Roles {
    margin: Option<f64>,
    margins: Vec<(String, f64)>,
    primary: Vec<String>,
    guardrails: Vec<String>,
}

impl Roles {
    /// Reads `SHARE` and `NAME=SHARE` of margins, and the names of both roles.
    ///
    /// # Errors
    /// A usage error that says what would have been accepted.
    pub fn parse(margins: &[String], primary: &[String], guardrails: &[String]) -> Result<Self, Failure> {
        let mut roles =
            Self { primary: primary.to_vec(), guardrails: guardrails.to_vec(), ..Self::default() };
        if let Some(name) = primary.iter().find(|name| guardrails.contains(name)) {
            return Err(usage(format!(
                "`{name}` is given by --primary and by --guardrail; it can be one of them"
            )));
        }
        for text in margins {
            let (name, share) = match text.rsplit_once('=') {
                Some((name, share)) => (Some(name), share),
                None => (None, text.as_str()),
            };
            let share = share.parse::<f64>().ok().filter(|share| *share > 0.0 && share.is_finite());
            let share = share.ok_or_else(|| {
                usage(format!(
                    "`--margin {text}` is no margin: give a share above 0 such as 0.01, or NAME=0.01"
                ))
            })?;
            match name {
                Some(name) => roles.margins.push((name.to_owned(), share)),
                None => roles.margin = Some(share),
            }
        }
        Ok(roles)
    }

    /// The margin of a metric.
    pub fn margin(&self, name: &str) -> Option<f64> {
        let own = self.margins.iter().rev().find(|(of, _)| of == name);
        own.map(|(_, share)| *share).or(self.margin)
    }

    /// What a metric is for; `otherwise` where no option says so.
    pub fn role(&self, name: &str, otherwise: Role) -> Role {
        let named = |names: &[String]| names.iter().any(|given| given == name);
        match (named(&self.primary), named(&self.guardrails)) {
            (true, _) => Role::Primary,
            (false, true) => Role::Guardrail,
            (false, false) if !self.primary.is_empty() => Role::Secondary,
            (false, false) => otherwise,
        }
    }

    /// Whether every name is that of a metric.
    ///
    /// # Errors
    /// A usage error that names the metrics.
    pub fn check<'a>(&self, names: impl Iterator<Item = &'a str>) -> Result<(), Failure> {
        let names: Vec<&str> = names.collect();
        let margins =
            self.margins.iter().map(|(name, share)| (name, format!("margin {name}={}", number(*share))));
        let primary = self.primary.iter().map(|name| (name, format!("primary {name}")));
        let guardrails = self.guardrails.iter().map(|name| (name, format!("guardrail {name}")));
        let mut given = margins.chain(primary).chain(guardrails);
        match given.find(|(name, _)| !names.contains(&name.as_str())) {
            None => Ok(()),
            Some((_, option)) => {
                Err(usage(format!("`--{option}` is of no metric; there are {}", names.join(", "))))
            }
        }
    }
}

/// The correction that prefers primary metrics, where there are some.
///
/// # Errors
/// A usage error where the share is out of range, or goes with another correction.
pub fn correction(
    alike: Option<Correction>,
    primary_share: Option<f64>,
) -> Result<FamilyCorrection, Failure> {
    match (alike, primary_share) {
        (Some(correction), None) => Ok(FamilyCorrection::Alike(correction)),
        (Some(_), Some(_)) => {
            Err(usage("`--primary-share` goes with --correction preferential_bonferroni only".to_owned()))
        }
        (None, share) => {
            let primary_share = share.unwrap_or(PRIMARY_SHARE);
            if primary_share > 0.0 && primary_share < 1.0 {
                return Ok(FamilyCorrection::Preferential { primary_share });
            }
            Err(usage(format!("`--primary-share {primary_share}` is out of range: above 0 and below 1")))
        }
    }
}
