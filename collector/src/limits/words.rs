//! How many words telemetry brings: names of services, spans and metrics, keys of attributes, and all else that has a column with a
//! dictionary. What comes beyond a bound is replaced and not refused: a span is worth keeping whatever its program calls it.
//!
//! What stands in its place is what OpenTelemetry's conventions write for a method that is not one of those known, `_OTHER`, with the method
//! itself in an attribute beside it. Counted since the start of the process and by hashes, as names of events are, but apart from them: no
//! telemetry switches off the bounds of models.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use foldhash::quality::RandomState;
use parking_lot::RwLock;

use super::NameLimits;
use super::hashes::{AsItIs, Hashes};

/// What is written for a word beyond its bound; and the key of the attributes whose keys are.
pub(crate) const OTHER: &str = "_OTHER";

/// What words are, each kind with a bound of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    Service,
    /// Of attributes of anything.
    Key,
    Span,
    SpanEvent,
    Severity,
    ResourceSchema,
    ScopeSchema,
    ScopeVersion,
    Metric,
    MetricDescription,
    MetricUnit,
    /// What follows is of calls of large language models.
    Environment,
    Operation,
    Provider,
    Model,
    FinishReason,
    Status,
}

impl Word {
    pub(crate) const ALL: [Self; 17] = [
        Self::Service,
        Self::Key,
        Self::Span,
        Self::SpanEvent,
        Self::Severity,
        Self::ResourceSchema,
        Self::ScopeSchema,
        Self::ScopeVersion,
        Self::Metric,
        Self::MetricDescription,
        Self::MetricUnit,
        Self::Environment,
        Self::Operation,
        Self::Provider,
        Self::Model,
        Self::FinishReason,
        Self::Status,
    ];

    /// The label of the metric, and the word of the log.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Key => "attribute_key",
            Self::Span => "span",
            Self::SpanEvent => "span_event",
            Self::Severity => "severity",
            Self::ResourceSchema => "resource_schema",
            Self::ScopeSchema => "scope_schema",
            Self::ScopeVersion => "scope_version",
            Self::Metric => "metric",
            Self::MetricDescription => "metric_description",
            Self::MetricUnit => "metric_unit",
            Self::Environment => "llm_environment",
            Self::Operation => "llm_operation",
            Self::Provider => "llm_provider",
            Self::Model => "llm_model",
            Self::FinishReason => "llm_finish_reason",
            Self::Status => "llm_status",
        }
    }

    /// The attribute that keeps a word that was replaced. The others are in attributes already.
    pub(crate) fn kept_as(self) -> Option<&'static str> {
        match self {
            Self::Span => Some("span.name_original"),
            Self::SpanEvent => Some("event.name_original"),
            Self::Severity => Some("severity.text_original"),
            Self::ResourceSchema => Some("resource.schema_url_original"),
            Self::ScopeSchema => Some("scope.schema_url_original"),
            Self::ScopeVersion => Some("scope.version_original"),
            Self::Metric => Some("metric.name_original"),
            Self::MetricDescription => Some("metric.description_original"),
            Self::MetricUnit => Some("metric.unit_original"),
            Self::Service
            | Self::Key
            | Self::Environment
            | Self::Operation
            | Self::Provider
            | Self::Model
            | Self::FinishReason
            | Self::Status => None,
        }
    }

    /// The key of its bound.
    pub(crate) fn bound(self) -> &'static str {
        if self == Self::Service { "limits.services_max" } else { "limits.words_max" }
    }
}

/// Which kinds of words were replaced in a row.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Replaced(u32);

impl Replaced {
    pub(crate) fn add(&mut self, word: Word) {
        self.0 |= 1 << word as u32;
    }

    /// What was replaced in either.
    pub(crate) fn and(self, Self(others): Self) -> Self {
        Self(self.0 | others)
    }

    pub(crate) fn words(self) -> impl Iterator<Item = Word> {
        Word::ALL.into_iter().filter(move |word| self.0 & (1 << *word as u32) != 0)
    }
}

/// What one service has brought.
#[derive(Debug, Default)]
struct Seen {
    /// The words of each kind.
    words: [Hashes; Word::ALL.len()],
    /// Hashes of the keys of whole lists of attributes, all of which are known: nearly every span of a name has the same.
    shapes: Hashes,
    /// Of which kinds the log has said that there are too many.
    told: Replaced,
}

/// Shapes that are remembered of a service; keys of others are looked up one by one.
const SHAPES_MAX: usize = 1_024;

/// Characters of a word that the log writes.
const TOLD_CHARS_MAX: usize = 64;

/// What all services have brought.
#[derive(Debug)]
pub(crate) struct Words {
    limits: NameLimits,
    hashing: RandomState,
    services: RwLock<HashMap<u64, Arc<RwLock<Seen>>, BuildHasherDefault<AsItIs>>>,
    /// Of all services beyond the bound together.
    others: Arc<RwLock<Seen>>,
    are_services_told: AtomicBool,
    remembered: AtomicU64,
}

/// The words of one service.
#[derive(Debug, Clone)]
pub(crate) struct OfService<'w> {
    words: &'w Words,
    service: &'w str,
    is_known: bool,
    seen: Arc<RwLock<Seen>>,
}

impl Words {
    pub(crate) fn new(limits: NameLimits) -> Self {
        Self {
            limits,
            hashing: RandomState::default(),
            services: RwLock::default(),
            others: Arc::default(),
            are_services_told: AtomicBool::new(false),
            remembered: AtomicU64::new(0),
        }
    }

    /// Services, and words of all of them that are remembered.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.services.read().len() as u64, self.remembered.load(Ordering::Relaxed))
    }

    /// The words of the service of this name, which may be empty.
    pub(crate) fn of<'w>(&'w self, service: &'w str) -> OfService<'w> {
        let hash = self.hashing.hash_one(service);
        let known = self.services.read().get(&hash).cloned();
        let known = known.or_else(|| self.learn(service, hash));
        let is_known = known.is_some() || service.is_empty();
        OfService { words: self, service, is_known, seen: known.unwrap_or_else(|| Arc::clone(&self.others)) }
    }

    fn learn(&self, service: &str, hash: u64) -> Option<Arc<RwLock<Seen>>> {
        let mut services = self.services.write();
        let max = self.limits.services_max;
        if services.len() >= max && !services.contains_key(&hash) {
            if !self.are_services_told.swap(true, Ordering::Relaxed) {
                tell(Word::Service, (service, service), max);
            }
            return None;
        }
        Some(Arc::clone(services.entry(hash).or_default()))
    }

    fn is_full(&self) -> bool {
        self.remembered.load(Ordering::Relaxed) >= self.limits.remembered_max
    }
}

impl<'w> OfService<'w> {
    /// The name of the service as it is written.
    pub(crate) fn name(&self) -> &'w str {
        if self.is_known { self.service } else { OTHER }
    }

    /// Whether that is another than its own.
    pub(crate) fn replaced(&self) -> Replaced {
        let mut replaced = Replaced::default();
        if !self.is_known {
            replaced.add(Word::Service);
        }
        replaced
    }

    /// A word as it is written.
    pub(crate) fn written<'v>(&self, word: Word, value: &'v str, replaced: &mut Replaced) -> &'v str {
        if self.takes(word, value) {
            return value;
        }
        replaced.add(word);
        OTHER
    }

    /// Whether a word is within its bound, and remembers it if so; an empty one is none.
    pub(crate) fn takes(&self, word: Word, value: &str) -> bool {
        if value.is_empty() {
            return true;
        }
        let hash = self.words.hashing.hash_one(value);
        // Nearly always it has come before: then nobody waits for anybody.
        let is_known = self.seen.read().words[word as usize].contains(&hash);
        is_known || self.learn(&mut self.seen.write(), word, (value, hash))
    }

    /// Whether all keys of a list of attributes are within the bound.
    pub(crate) fn takes_keys<'k>(&self, keys: impl Iterator<Item = &'k str> + Clone) -> bool {
        let keys = keys.filter(|key| !key.is_empty());
        let hashed = |key: &'k str| (key, self.words.hashing.hash_one(key));
        let mut together = self.words.hashing.build_hasher();
        keys.clone().for_each(|key| key.hash(&mut together));
        let shape = together.finish();
        let is_known = {
            let seen = self.seen.read();
            let known = &seen.words[Word::Key as usize];
            seen.shapes.contains(&shape)
                || (seen.shapes.len() >= SHAPES_MAX
                    && keys.clone().map(hashed).all(|(_, hash)| known.contains(&hash)))
        };
        if is_known {
            return true;
        }
        let mut seen = self.seen.write();
        let mut are_all_taken = true;
        for key in keys.map(hashed) {
            are_all_taken &= self.learn(&mut seen, Word::Key, key);
        }
        if are_all_taken && seen.shapes.len() < SHAPES_MAX {
            seen.shapes.insert(shape);
        }
        are_all_taken
    }

    /// Remembers a word, unless it would be one more than so many. The log says it once of each kind and service, and of services there are
    /// only so many.
    fn learn(&self, seen: &mut Seen, word: Word, (value, hash): (&str, u64)) -> bool {
        let known = &mut seen.words[word as usize];
        if known.contains(&hash) {
            return true;
        }
        let max = self.words.limits.words_max;
        if known.len() >= max {
            let told = seen.told;
            seen.told.add(word);
            if seen.told != told {
                tell(word, (self.service, value), max);
            }
            return false;
        }
        if !self.words.is_full() {
            known.insert(hash);
            self.words.remembered.fetch_add(1, Ordering::Relaxed);
        }
        true
    }
}

fn tell(word: Word, (service, value): (&str, &str), max: usize) {
    let start = |text: &str| text.chars().take(TOLD_CHARS_MAX).collect::<String>();
    tracing::warn!(
        service = start(service),
        word = word.as_str(),
        value = start(value),
        max,
        bound = word.bound(),
        "telemetry has more words than are kept apart; further ones are written {OTHER}, and counted by windvane_collector_replaced_words_total. Are they ids?"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(services_max: usize, words_max: usize) -> Words {
        Words::new(NameLimits { services_max, words_max, ..NameLimits::default() })
    }

    #[test]
    fn each_kind_of_word_of_each_service_has_a_bound_of_its_own() {
        let words = words(2, 2);
        let (shop, cart) = (words.of("shop"), words.of("cart"));
        for word in Word::ALL {
            for of in [&shop, &cart] {
                let taken = ["a", "b", "", "c", "a"].map(|value| of.takes(word, value));
                assert_eq!(taken, [true, true, true, false, true], "{word:?}");
            }
        }
        let written = [("a", "a"), ("c", OTHER), ("", "")];
        for (value, expected) in written {
            let mut replaced = Replaced::default();
            assert_eq!(shop.written(Word::Span, value, &mut replaced), expected);
            let kinds: Vec<_> = replaced.words().collect();
            assert_eq!(kinds, if expected == OTHER { vec![Word::Span] } else { vec![] }, "{value}");
        }
        assert_eq!(words.counts(), (2, 2 * 2 * Word::ALL.len() as u64));
    }

    #[test]
    fn services_beyond_the_bound_are_one_that_has_no_name() {
        let words = words(1, 1);
        assert_eq!(words.of("shop").name(), "shop");
        for other in ["cart", "bank"] {
            let of = words.of(other);
            assert_eq!((of.name(), of.replaced().words().next()), (OTHER, Some(Word::Service)));
            assert!(of.takes(Word::Span, "a"));
            assert!(!of.takes(Word::Span, other), "{other} shares the bound of the others");
        }
        assert_eq!((words.of("").name(), words.of("").replaced()), ("", Replaced::default()));
        assert_eq!(words.of("shop").name(), "shop");
    }

    /// Lists of more shapes than are remembered, of keys each of which is known.
    #[test]
    fn keys_are_held_to_the_bound_whatever_lists_they_come_in() {
        let words = words(1, 100);
        let of = words.of("shop");
        let keys: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        for first in &keys {
            for second in keys.iter().step_by(5) {
                let list = [first.as_str(), second.as_str()];
                assert!(of.takes_keys(list.into_iter()), "{list:?}");
            }
        }
        let seen = of.seen.read().shapes.len();
        assert_eq!(seen, SHAPES_MAX);
        assert!(!of.takes_keys(["0", "one more"].into_iter()));
        assert!(!of.takes_keys(["0", "one more"].into_iter()), "it stays unknown");
        assert!(of.takes_keys(["1", "", "99"].into_iter()));
        assert_eq!(words.counts(), (1, 100));
    }

    #[test]
    fn beyond_what_can_be_remembered_words_are_taken_uncounted() {
        let words = Words::new(NameLimits { remembered_max: 3, words_max: 10, ..NameLimits::default() });
        let of = words.of("shop");
        for n in 0..50 {
            assert!(of.takes(Word::Metric, &n.to_string()));
        }
        assert_eq!(words.counts(), (1, 3));
    }
}
