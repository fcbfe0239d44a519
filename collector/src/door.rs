//! What every event passes before it is written, whichever way it came in: redaction, and the bounds on names.

use windvane_types::rejection::Fault;

use crate::decode::ToRow;
use crate::limits::{Names, Words};
use crate::redact::Redaction;

/// The rules of one collector.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Door<'c> {
    /// What is never written.
    pub(crate) redaction: &'c Redaction,
    /// What models have brought so far.
    pub(crate) names: &'c Names,
    /// What services have.
    pub(crate) words: &'c Words,
}

impl Door<'_> {
    /// Takes out of an event what is not to be written, and holds the rest against the bounds.
    pub(crate) fn admit<'a, E: ToRow<'a>>(&self, event: &mut E) -> Result<(), Fault> {
        event.redact(self.redaction)?;
        self.admit_redacted(event)
    }

    /// The same for an event that was read out of what is redacted already: a hash is not hashed again.
    pub(crate) fn admit_redacted<'a, E: ToRow<'a>>(&self, event: &mut E) -> Result<(), Fault> {
        event.name(self.names)
    }
}

#[cfg(test)]
impl Door<'static> {
    /// A door that lets everything in.
    pub(crate) fn open() -> Self {
        use std::sync::LazyLock;

        use crate::limits::NameLimits;

        static RULES: LazyLock<(Redaction, Names, Words)> = LazyLock::new(|| {
            let limits = NameLimits::default();
            (Redaction::default(), Names::new(limits), Words::new(limits))
        });
        Self { redaction: &RULES.0, names: &RULES.1, words: &RULES.2 }
    }
}
