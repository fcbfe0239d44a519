//! The rules that are there without a configuration: what everybody wants to know. A table of the same name changes parts.

mod findings;
mod service;

use std::time::Duration;

use crate::machine::NoData;
use crate::rule::Side;

/// A rule as it stands here, before the configuration has had its say.
#[derive(Debug, Clone, Copy)]
pub struct Usual {
    /// Its name.
    pub name: &'static str,
    /// What it looks at.
    pub source: &'static str,
    /// What is measured.
    pub measure: &'static str,
    /// When it is wrong, and when it is right again.
    pub condition: (Side, f64, f64),
    /// How long it has to be wrong.
    pub hold: Duration,
    /// How long it has to be right.
    pub keep_firing_for: Duration,
    /// What no data means.
    pub no_data: NoData,
    /// Less evidence is no data.
    pub evidence_min: f64,
    /// How often it is looked at, at most.
    pub every: Duration,
    /// How urgent it is.
    pub severity: &'static str,
    /// What people read.
    pub words: Words,
}

/// Templates of what people read; an empty one is left out.
#[derive(Debug, Clone, Copy)]
pub struct Words {
    /// What is wrong, in a line.
    pub summary: &'static str,
    /// How it is known.
    pub description: &'static str,
    /// What to do.
    pub next: &'static str,
}

impl Words {
    const NONE: Self = Self { summary: "", description: "", next: "" };
}

impl Usual {
    /// Its words by the names of annotations.
    pub fn annotations(&self) -> impl Iterator<Item = (&'static str, &'static str)> {
        let Words { summary, description, next } = self.words;
        let named = [("summary", summary), ("description", description), ("next", next)];
        named.into_iter().filter(|(_, text)| !text.is_empty())
    }
}

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

/// A verdict of another part: 1 is wrong, and nothing has to be waited for.
const VERDICT: Usual = Usual {
    name: "",
    source: "",
    measure: "",
    condition: (Side::Above, 0.5, 0.5),
    hold: Duration::ZERO,
    keep_firing_for: Duration::ZERO,
    no_data: NoData::Keep,
    evidence_min: 0.0,
    every: Duration::ZERO,
    severity: "warning",
    words: Words::NONE,
};

/// A measurement of this process: it is there or all is well.
const OWN: Usual = Usual { source: "own", no_data: NoData::Ok, severity: "critical", ..VERDICT };

/// All of them.
pub fn rules() -> impl Iterator<Item = &'static Usual> {
    findings::RULES.iter().chain(service::RULES)
}

#[cfg(test)]
mod tests;
