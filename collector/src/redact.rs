//! Redaction at the door: what of an event is never written, neither to the spool nor to ClickHouse. By model.
//!
//! A rule is chosen by the event's model: its name, else the longest `beginning*` that fits, else `*`. Events that belong to no
//! model (exposures, measurements) go by `*`. Keys of units are hashed with a key (HMAC-SHA-256), so that the same unit stays
//! the same unit, and nobody without the key can try out names. What telemetry holds besides goes by [`Telemetry`].

mod telemetry;

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;
use windvane_store::Secret;
use windvane_types::event::{Entries, Exposure, Measurement, Outcome, Payload, Prediction, Text};
use windvane_types::hex;
use windvane_types::rejection::{Code, Fault};

pub(crate) use telemetry::Fate;
pub use telemetry::Telemetry;

/// Hex digits of a hashed unit: 128 bits, so that a billion units do not meet.
const UNIT_CHARS: usize = 32;

/// Which entries of a map are kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Keep {
    /// All.
    #[default]
    All,
    /// Those with these names; a name that ends in `*` stands for all that begin so.
    Only(Vec<String>),
    /// All but those.
    AllBut(Vec<String>),
}

impl Keep {
    pub(crate) fn keeps(&self, name: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|pattern| fits(pattern, name)),
            Self::AllBut(names) => !names.iter().any(|pattern| fits(pattern, name)),
        }
    }

    /// Whether a deny-list has this name.
    pub(crate) fn denies(&self, name: &str) -> bool {
        matches!(self, Self::AllBut(_)) && !self.keeps(name)
    }

    fn apply<V>(&self, entries: &mut Entries<'_, V>) {
        if *self != Self::All {
            entries.retain(|(name, _)| self.keeps(name));
        }
    }
}

fn fits(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => pattern == name,
    }
}

/// What happens to the events of one model.
#[derive(Clone, Default)]
pub struct Rule {
    /// Features.
    pub features: Keep,
    /// Tags.
    pub tags: Keep,
    /// Embeddings can be turned back into what they were made of.
    pub drop_embeddings: bool,
    /// Captured inputs and outputs.
    pub drop_payloads: bool,
    /// The key that units are hashed with; `None`: they stay as they are.
    pub unit_key: Option<Secret>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rule")
            .field("features", &self.features)
            .field("tags", &self.tags)
            .field("drop_embeddings", &self.drop_embeddings)
            .field("drop_payloads", &self.drop_payloads)
            .field("hash_units", &self.unit_key.is_some())
            .finish()
    }
}

impl Rule {
    fn hash_unit(&self, unit: &mut Text<'_>) {
        let Some(key) = &self.unit_key else { return };
        *unit = Text::Owned(hashed(key, unit));
    }
}

/// The hash of a text, hex; of an empty one an empty one.
pub(crate) fn hashed(key: &Secret, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    let mut mac =
        Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    let digest = mac.finalize().into_bytes();
    hex::encode(&digest[..UNIT_CHARS / 2])
}

/// All rules.
#[derive(Debug, Clone, Default)]
pub struct Redaction {
    /// By pattern; the longest first, so that the first that fits is the one.
    rules: Vec<(String, Rule)>,
    /// What of telemetry is never written.
    pub(crate) telemetry: Telemetry,
}

impl Redaction {
    /// Rules by the model's name, or `beginning*`, or `*`.
    #[must_use]
    pub fn new(mut rules: Vec<(String, Rule)>) -> Self {
        // A name comes before a pattern, a longer pattern before a shorter one.
        rules.sort_by_key(|(pattern, _)| (pattern.ends_with('*'), std::cmp::Reverse(pattern.len())));
        Self { rules, telemetry: Telemetry::default() }
    }

    /// The same with what of telemetry is never written.
    #[must_use]
    pub fn with_telemetry(self, telemetry: Telemetry) -> Self {
        Self { telemetry, ..self }
    }

    /// Whether everything is written as it came.
    pub(crate) fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.telemetry == Telemetry::default()
    }

    /// The key of what belongs to no model.
    #[must_use]
    pub fn shared_key(&self) -> Option<&Secret> {
        self.rule(None)?.unit_key.as_ref()
    }

    /// The rule of a model; `None` for an event that belongs to none.
    pub(crate) fn rule(&self, model: Option<&str>) -> Option<&Rule> {
        let is_meant = |pattern: &str| match model {
            Some(model) => fits(pattern, model),
            None => pattern == "*",
        };
        self.rules.iter().find(|(pattern, _)| is_meant(pattern)).map(|(_, rule)| rule)
    }

    /// Whether captured inputs and outputs of a model are dropped.
    #[must_use]
    pub fn drops_payloads(&self, model: &str) -> bool {
        self.rule(Some(model)).is_some_and(|rule| rule.drop_payloads)
    }
}

/// What can be redacted.
pub(crate) trait Redact {
    /// Removes and hashes what the rules say.
    ///
    /// # Errors
    /// Nothing of it may be written.
    fn redact(&mut self, redaction: &Redaction) -> Result<(), Fault>;
}

impl Redact for Prediction<'_> {
    fn redact(&mut self, redaction: &Redaction) -> Result<(), Fault> {
        let Some(rule) = redaction.rule(Some(&self.model)) else { return Ok(()) };
        rule.features.apply(&mut self.num);
        rule.features.apply(&mut self.cat);
        rule.tags.apply(&mut self.tags);
        if rule.drop_embeddings {
            self.embeddings.clear();
        }
        rule.hash_unit(&mut self.unit_id);
        Ok(())
    }
}

impl Redact for Outcome<'_> {
    /// An outcome holds its event's id and the truth; neither is redacted.
    fn redact(&mut self, _: &Redaction) -> Result<(), Fault> {
        Ok(())
    }
}

impl Redact for Exposure<'_> {
    fn redact(&mut self, redaction: &Redaction) -> Result<(), Fault> {
        if let Some(rule) = redaction.rule(None) {
            rule.hash_unit(&mut self.unit_id);
        }
        Ok(())
    }
}

impl Redact for Measurement<'_> {
    fn redact(&mut self, redaction: &Redaction) -> Result<(), Fault> {
        if let Some(rule) = redaction.rule(None) {
            rule.hash_unit(&mut self.unit_id);
        }
        Ok(())
    }
}

impl Redact for Payload<'_> {
    /// Inputs go by the list of features, each by its name; of a tensor of many features it is all or none. A model is not to be asked with some of
    /// its inputs, but what is not to be written is not written.
    fn redact(&mut self, redaction: &Redaction) -> Result<(), Fault> {
        let Some(rule) = redaction.rule(Some(&self.model)) else { return Ok(()) };
        let why = if rule.drop_payloads {
            "are not kept here (redaction.drop_payloads)"
        } else {
            self.inputs.retain(|tensor| rule.features.keeps(&tensor.name));
            if !self.inputs.is_empty() {
                return Ok(());
            }
            "have no input that is kept here (redaction.features_allow, redaction.features_deny)"
        };
        let message = format!("payloads of model `{}` {why}; accepted are those of other models", self.model);
        Err(Fault::new(Code::PayloadNotKept, message))
    }
}

#[cfg(test)]
mod tests {
    use windvane_types::event::Tensor;

    use super::*;

    fn prediction(model: &str) -> Prediction<'_> {
        let text = |name: &'static str| (Text::Borrowed(name), Text::Borrowed("v"));
        Prediction {
            model: model.into(),
            unit_id: "alice".into(),
            num: vec![("age".into(), 1.0), ("pay_1".into(), 2.0)],
            cat: vec![text("name"), text("pay_kind")],
            tags: vec![text("region")],
            embeddings: vec![("text".into(), vec![0.5])],
            ..Prediction::default()
        }
    }

    fn names(prediction: &Prediction<'_>) -> String {
        let num = prediction.num.iter().map(|(name, _)| name.as_ref());
        let all = num.chain(prediction.cat.iter().map(|(name, _)| name.as_ref()));
        all.collect::<Vec<_>>().join(" ")
    }

    fn list(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn lists_keep_and_drop_features_by_name_and_beginning() {
        for (features, kept) in [
            (Keep::All, "age pay_1 name pay_kind"),
            (Keep::Only(list(&["age", "pay_*"])), "age pay_1 pay_kind"),
            (Keep::Only(Vec::new()), ""),
            (Keep::AllBut(list(&["name"])), "age pay_1 pay_kind"),
            (Keep::AllBut(list(&["pay_*"])), "age name"),
            (Keep::AllBut(list(&["*"])), ""),
        ] {
            let rule = Rule { features: features.clone(), ..Rule::default() };
            let mut event = prediction("m");
            event.redact(&Redaction::new(vec![("m".to_owned(), rule)])).unwrap();
            assert_eq!(names(&event), kept, "{features:?}");
            assert_eq!((event.tags.len(), event.embeddings.len(), event.unit_id.as_ref()), (1, 1, "alice"));
        }
    }

    #[test]
    fn the_nearest_rule_holds_and_events_without_a_model_go_by_the_star() {
        let dropping = |names: &[&str]| Rule { features: Keep::AllBut(list(names)), ..Rule::default() };
        let redaction = Redaction::new(vec![
            ("*".to_owned(), dropping(&["age"])),
            ("fraud*".to_owned(), dropping(&["name"])),
            ("fraud-eu".to_owned(), dropping(&["pay_1"])),
        ]);
        for (model, kept) in [
            ("delay", "pay_1 name pay_kind"),
            ("fraud-us", "age pay_1 pay_kind"),
            ("fraud-eu", "age name pay_kind"),
        ] {
            let mut event = prediction(model);
            event.redact(&redaction).unwrap();
            assert_eq!(names(&event), kept, "{model}");
        }
        let only_fraud = Redaction::new(vec![(
            "fraud*".to_owned(),
            Rule { unit_key: Some(Secret::new("k")), ..Rule::default() },
        )]);
        let mut exposure = Exposure { unit_id: "alice".into(), ..Exposure::default() };
        exposure.redact(&only_fraud).unwrap();
        assert_eq!(exposure.unit_id, "alice");
    }

    #[test]
    fn a_unit_stays_the_same_unit_under_one_key_only() {
        let under = |key: &str, unit: &str| {
            let rule = Rule { unit_key: Some(Secret::new(key)), ..Rule::default() };
            let redaction = Redaction::new(vec![("*".to_owned(), rule)]);
            let mut event = Prediction { unit_id: unit.to_owned().into(), ..prediction("m") };
            event.redact(&redaction).unwrap();
            let mut exposure = Exposure { unit_id: unit.to_owned().into(), ..Exposure::default() };
            exposure.redact(&redaction).unwrap();
            let mut measurement = Measurement { unit_id: unit.to_owned().into(), ..Measurement::default() };
            measurement.redact(&redaction).unwrap();
            assert!(event.unit_id == exposure.unit_id && event.unit_id == measurement.unit_id);
            event.unit_id.into_owned()
        };
        // printf alice | openssl dgst -sha256 -hmac key
        let expected = "76fb55e929c06b97b01c35950ee5f72f";
        assert_eq!(under("key", "alice"), expected);
        assert_ne!(under("key", "bob"), under("key", "alice"));
        assert_ne!(under("other", "alice"), under("key", "alice"));
        assert_eq!(under("key", ""), "", "no unit stays no unit");
    }

    #[test]
    fn payloads_of_a_model_are_refused_where_they_are_not_kept() {
        let redaction =
            Redaction::new(vec![("m".to_owned(), Rule { drop_payloads: true, ..Rule::default() })]);
        let refused = |model: &'static str| {
            let mut payload = Payload { model: model.into(), ..Payload::default() };
            payload.redact(&redaction).err().map(|fault| fault.code)
        };
        assert_eq!((refused("m"), refused("n")), (Some(Code::PayloadNotKept), None));
    }

    #[test]
    fn inputs_of_a_payload_go_by_the_list_of_features() {
        let kept = |features: Keep| {
            let tensor = |name: &'static str| Tensor { name: name.into(), ..Tensor::default() };
            let inputs = vec![tensor("age"), tensor("email")];
            let mut payload = Payload { model: "m".into(), inputs, ..Payload::default() };
            let rule = Rule { features, ..Rule::default() };
            payload.redact(&Redaction::new(vec![("m".to_owned(), rule)])).map_err(|fault| fault.code)?;
            Ok(payload.inputs.iter().map(|tensor| tensor.name.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(kept(Keep::All), Ok(list(&["age", "email"])));
        assert_eq!(kept(Keep::AllBut(list(&["e*"]))), Ok(list(&["age"])));
        assert_eq!(kept(Keep::Only(list(&["email"]))), Ok(list(&["email"])));
        assert_eq!(kept(Keep::AllBut(list(&["*"]))), Err(Code::PayloadNotKept));
    }

    #[test]
    fn debug_does_not_print_the_key() {
        let rule = Rule { unit_key: Some(Secret::new("hunter2")), ..Rule::default() };
        assert!(!format!("{:?}", Redaction::new(vec![("*".to_owned(), rule)])).contains("hunter2"));
    }
}
