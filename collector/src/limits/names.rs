//! How many models, feature names, categories and labels there are: what comes beyond a bound is rejected, because ClickHouse keeps a
//! dictionary of each, and a program that puts ids into names would fill it without end.
//!
//! Counted since the start of the process, by 64-bit hashes: 100,000 values take about a megabyte. Words of telemetry are counted apart, in
//! `collector/src/limits/words.rs`.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use foldhash::quality::RandomState;
use parking_lot::RwLock;
use windvane_types::event::{Exposure, Measurement, Outcome, Payload, Prediction};
use windvane_types::rejection::{Code, Fault};

use super::hashes::{AsItIs, Hashes};

/// The bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NameLimits {
    /// Models.
    pub models_max: usize,
    /// Names of features of one model, tags included.
    pub feature_names_max: usize,
    /// Values of one categorical feature, tag, or of the labels of a model.
    pub categories_max: usize,
    /// Versions of a model, and as many environments, statuses, experiments, arms and names of embeddings; of exposures and measurements,
    /// which belong to no model, experiments, arms and metrics of all together.
    pub labels_max: usize,
    /// Services that telemetry comes from.
    pub services_max: usize,
    /// Names of spans of a service, and as many keys of attributes and words of each other column with a dictionary.
    pub words_max: usize,
    /// Values that are remembered of all models together, and as many words of all services; what comes beyond is taken and not counted.
    pub remembered_max: u64,
}

impl Default for NameLimits {
    /// Wide models have a few thousand features; a category with a million values is none. A version a quarter of an hour makes 10,000 in
    /// a hundred days. 4 million hashes are about 40 MB.
    fn default() -> Self {
        Self {
            models_max: 1_000,
            feature_names_max: 10_000,
            categories_max: 1_000_000,
            labels_max: 10_000,
            services_max: 1_000,
            words_max: 10_000,
            remembered_max: 4_000_000,
        }
    }
}

/// Words of an event that are neither features nor classes, each of which has a column with a dictionary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Label {
    Version,
    Environment,
    Status,
    Experiment,
    Arm,
    Embedding,
    Metric,
}

impl Label {
    const COUNT: usize = Self::Metric as usize + 1;

    fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Environment => "environment",
            Self::Status => "status",
            Self::Experiment => "experiment",
            Self::Arm => "arm",
            Self::Embedding => "name of an embedding",
            Self::Metric => "metric",
        }
    }
}

/// What one model has brought.
#[derive(Debug, Default)]
struct Model {
    /// The values of each name; numeric features have none.
    names: HashMap<u64, Hashes, BuildHasherDefault<AsItIs>>,
    /// Hashes of the numeric names of whole events, all of which are known: nearly every event of a model has the same.
    shapes: Hashes,
    /// The values of each [`Label`].
    labels: [Hashes; Label::COUNT],
    /// Hashes of the labels of whole events, all of which are known: one version in one environment has few.
    combinations: Hashes,
}

/// Shapes that are remembered of a model; names of others are looked up one by one.
const SHAPES_MAX: usize = 64;

/// The same for combinations of labels: several experiments at once make many of few.
const COMBINATIONS_MAX: usize = 1_024;

/// What all models have brought. Each name and value of an event is hashed, some thirty a prediction, so the hash is a quick one; it is
/// seeded, and whoever made two values alike all the same would have one counted less.
#[derive(Debug)]
pub(crate) struct Names {
    limits: NameLimits,
    hashing: RandomState,
    models: RwLock<HashMap<String, Arc<RwLock<Model>>>>,
    /// What belongs to no model.
    nobodys: RwLock<Model>,
    remembered: AtomicU64,
}

/// The name that labels are counted under; no feature is called so, because names are not empty.
const LABEL: &str = "";

impl Names {
    pub(crate) fn new(limits: NameLimits) -> Self {
        let (models, nobodys, remembered) = (RwLock::default(), RwLock::default(), AtomicU64::new(0));
        Self { limits, hashing: RandomState::default(), models, nobodys, remembered }
    }

    /// Models, and values of all of them that are remembered.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.models.read().len() as u64, self.remembered.load(Ordering::Relaxed))
    }

    /// Holds a prediction against the bounds, and remembers what is new in it.
    pub(crate) fn prediction(&self, event: &Prediction<'_>) -> Result<(), Fault> {
        let model = self.model(&event.model)?;
        let alone = [
            (Label::Version, event.version.as_ref()),
            (Label::Environment, event.environment.as_ref()),
            (Label::Status, event.status.as_ref()),
        ];
        let experiments = event.arms.iter().map(|(experiment, _)| (Label::Experiment, experiment.as_ref()));
        let arms = event.arms.iter().map(|(_, arm)| (Label::Arm, arm.as_ref()));
        let embeddings = event.embeddings.iter().map(|(name, _)| (Label::Embedding, name.as_ref()));
        self.labels(&model, alone.into_iter().chain(experiments).chain(arms).chain(embeddings))?;
        let num = event.num.iter().map(|(name, _)| name.as_ref());
        let cat = event.cat.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let tags = event.tags.iter().map(|(name, value)| (name.as_ref(), value.as_ref()));
        let label = event.answer.label.iter().map(|label| (LABEL, label.as_ref()));
        let classes = event.answer.probabilities.iter().map(|(class, _)| (LABEL, class.as_ref()));
        self.features(&model, num, cat.chain(tags).chain(label).chain(classes))
    }

    /// The same for an outcome.
    pub(crate) fn outcome(&self, event: &Outcome<'_>) -> Result<(), Fault> {
        let model = self.model(&event.model)?;
        self.features(&model, std::iter::empty(), event.label.iter().map(|label| (LABEL, label.as_ref())))
    }

    /// The same for a payload; names of its tensors are in no dictionary.
    pub(crate) fn payload(&self, event: &Payload<'_>) -> Result<(), Fault> {
        let model = self.model(&event.model)?;
        let labels =
            [(Label::Version, event.version.as_ref()), (Label::Environment, event.environment.as_ref())];
        self.labels(&model, labels.into_iter())
    }

    /// The same for an exposure.
    pub(crate) fn exposure(&self, event: &Exposure<'_>) -> Result<(), Fault> {
        let labels = [(Label::Experiment, event.experiment.as_ref()), (Label::Arm, event.arm.as_ref())];
        self.labels(&self.nobodys, labels.into_iter())
    }

    /// The same for a measurement.
    pub(crate) fn measurement(&self, event: &Measurement<'_>) -> Result<(), Fault> {
        self.labels(&self.nobodys, std::iter::once((Label::Metric, event.metric.as_ref())))
    }

    /// The labels of an event, of which an empty one is none.
    fn labels<'e>(
        &self,
        model: &RwLock<Model>,
        labels: impl Iterator<Item = (Label, &'e str)> + Clone,
    ) -> Result<(), Fault> {
        let labels = labels.filter(|(_, value)| !value.is_empty());
        let mut together = self.hashing.build_hasher();
        labels.clone().for_each(|label| label.hash(&mut together));
        let together = together.finish();
        // Nearly always this very combination has come before: then it is one look.
        let is_known = {
            let model = model.read();
            let knows = |(label, value): (Label, &str)| {
                model.labels[label as usize].contains(&self.hashing.hash_one(value))
            };
            model.combinations.contains(&together)
                || (model.combinations.len() >= COMBINATIONS_MAX && labels.clone().all(knows))
        };
        if is_known {
            return Ok(());
        }
        let mut model = model.write();
        for (label, value) in labels {
            let hashed = (value, self.hashing.hash_one(value));
            let bound = (self.limits.labels_max, "limits.labels_max", || label.as_str().to_owned());
            self.learn_value(&mut model.labels[label as usize], hashed, bound)?;
        }
        if model.combinations.len() < COMBINATIONS_MAX {
            model.combinations.insert(together);
        }
        Ok(())
    }

    /// Remembers a value, unless it would be one more than so many; `what` it is, and the key of the bound.
    fn learn_value(
        &self,
        values: &mut Hashes,
        (value, hash): (&str, u64),
        (max, key, what): (usize, &str, impl FnOnce() -> String),
    ) -> Result<(), Fault> {
        if values.contains(&hash) {
            return Ok(());
        }
        if values.len() >= max {
            let (what, value) = (what(), value.chars().take(64).collect::<String>());
            let message = format!(
                "`{value}` is one more {what} than the {max} that are accepted; is it an id? `unit_id` takes those ({key})"
            );
            return Err(Fault::new(Code::TooManyCategories, message));
        }
        if !self.is_full() {
            values.insert(hash);
            self.remembered.fetch_add(1, Ordering::Relaxed);
        }
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.remembered.load(Ordering::Relaxed) >= self.limits.remembered_max
    }

    /// Names of numbers, and names with a value each.
    fn features<'e>(
        &self,
        model: &RwLock<Model>,
        numbers: impl Iterator<Item = &'e str> + Clone,
        words: impl Iterator<Item = (&'e str, &'e str)> + Clone,
    ) -> Result<(), Fault> {
        let hash = |text: &str| self.hashing.hash_one(text);
        let shape = self.shape(numbers.clone());
        // Nearly always everything is known: then nobody waits for anybody.
        let (is_known, is_shape_known) = {
            let model = model.read();
            let is_shape_known = model.shapes.contains(&shape);
            let knows = |name: &str| model.names.get(&hash(name));
            let are_known = (is_shape_known || numbers.clone().all(|name| knows(name).is_some()))
                && words
                    .clone()
                    .all(|(name, value)| knows(name).is_some_and(|values| values.contains(&hash(value))));
            (are_known, is_shape_known || model.shapes.len() >= SHAPES_MAX)
        };
        if is_known && is_shape_known {
            return Ok(());
        }
        let mut model = model.write();
        for name in numbers {
            self.learn(&mut model, (name, hash(name)), None)?;
        }
        if model.shapes.len() < SHAPES_MAX {
            model.shapes.insert(shape);
        }
        for (name, value) in words {
            self.learn(&mut model, (name, hash(name)), Some((value, hash(value))))?;
        }
        Ok(())
    }

    fn shape<'e>(&self, names: impl Iterator<Item = &'e str>) -> u64 {
        let mut hasher = self.hashing.build_hasher();
        names.for_each(|name| name.hash(&mut hasher));
        hasher.finish()
    }

    fn learn(
        &self,
        model: &mut Model,
        (name, name_hash): (&str, u64),
        value: Option<(&str, u64)>,
    ) -> Result<(), Fault> {
        let NameLimits { feature_names_max, categories_max, .. } = self.limits;
        if !model.names.contains_key(&name_hash) {
            // Labels are no feature, and always find a place.
            if name != LABEL && model.names.len() >= feature_names_max {
                let message = format!(
                    "the feature `{name}` is one more than the {feature_names_max} names that a model may have; accepted are those known so far (limits.feature_names_max)"
                );
                return Err(Fault::new(Code::TooManyFeatureNames, message));
            }
            if self.is_full() {
                return Ok(());
            }
            model.names.insert(name_hash, Hashes::default());
            self.remembered.fetch_add(1, Ordering::Relaxed);
        }
        let (Some(value), Some(values)) = (value, model.names.get_mut(&name_hash)) else {
            return Ok(());
        };
        let what = || if name == LABEL { "label".to_owned() } else { format!("category of `{name}`") };
        self.learn_value(values, value, (categories_max, "limits.categories_max", what))
    }

    fn model(&self, name: &str) -> Result<Arc<RwLock<Model>>, Fault> {
        if let Some(model) = self.models.read().get(name) {
            return Ok(Arc::clone(model));
        }
        let mut models = self.models.write();
        let max = self.limits.models_max;
        if models.len() >= max && !models.contains_key(name) {
            let message = format!(
                "the model `{name}` is one more than the {max} that are accepted (limits.models_max)"
            );
            return Err(Fault::new(Code::TooManyModels, message));
        }
        Ok(Arc::clone(models.entry(name.to_owned()).or_default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(
        models_max: usize,
        feature_names_max: usize,
        categories_max: usize,
        remembered_max: u64,
    ) -> Names {
        let usual = NameLimits::default();
        Names::new(NameLimits { models_max, feature_names_max, categories_max, remembered_max, ..usual })
    }

    fn code(names: &Names, model: &str, entries: &[(&str, Option<&str>)]) -> Option<Code> {
        let numbers = entries.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| *name);
        let words = entries.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
        let admitted = names.model(model).and_then(|model| names.features(&model, numbers, words));
        admitted.err().map(|fault| fault.code)
    }

    fn label_code(names: &Names, labels: &[(Label, &str)]) -> Option<Code> {
        let model = names.model("m").unwrap();
        names.labels(&model, labels.iter().copied()).err().map(|fault| fault.code)
    }

    #[test]
    fn labels_are_held_to_the_bound_each_kind_by_itself() {
        use Label::{Arm, Environment, Version};

        let names = Names::new(NameLimits { labels_max: 2, ..NameLimits::default() });
        assert_eq!(label_code(&names, &[(Version, "1"), (Environment, "prod")]), None);
        assert_eq!(label_code(&names, &[(Version, "2"), (Environment, ""), (Arm, "1")]), None);
        assert_eq!(label_code(&names, &[(Version, "3")]), Some(Code::TooManyCategories));
        assert_eq!(label_code(&names, &[(Version, "1"), (Environment, "test")]), None);
        assert_eq!(label_code(&names, &[(Environment, "dev")]), Some(Code::TooManyCategories));
        assert_eq!(label_code(&names, &[(Version, "2"), (Environment, "test"), (Arm, "2")]), None);
        assert_eq!(names.counts().1, 6);
        let other = names.model("n").unwrap();
        let own = names.labels(&other, [(Version, "3")].into_iter());
        assert!(own.is_ok(), "another model has its own bound");
    }

    /// More combinations than are remembered, of labels each of which is known.
    #[test]
    fn combinations_of_known_labels_are_taken_however_many_they_are() {
        let names = Names::new(NameLimits { labels_max: 100, ..NameLimits::default() });
        let words: Vec<String> = (0..100).map(|n| n.to_string()).collect();
        for version in &words {
            for arm in &words {
                let labels = [(Label::Version, version.as_str()), (Label::Arm, arm.as_str())];
                assert_eq!(label_code(&names, &labels), None, "{version} {arm}");
            }
        }
        let more = [(Label::Version, "0"), (Label::Arm, "one more")];
        assert_eq!(label_code(&names, &more), Some(Code::TooManyCategories));
        assert_eq!(names.counts().1, 200);
    }

    #[test]
    fn what_is_beyond_a_bound_is_rejected_and_what_is_known_goes_on() {
        let names = names(2, 3, 2, 1000);
        assert_eq!(code(&names, "m", &[("a", None), ("b", Some("x")), ("c", None)]), None);
        assert_eq!(code(&names, "m", &[("d", None)]), Some(Code::TooManyFeatureNames));
        assert_eq!(code(&names, "m", &[("a", None), ("c", None)]), None);
        assert_eq!(code(&names, "m", &[("b", Some("y"))]), None);
        assert_eq!(code(&names, "m", &[("b", Some("z"))]), Some(Code::TooManyCategories));
        assert_eq!(code(&names, "m", &[("b", Some("x"))]), None);
        assert_eq!(code(&names, "n", &[("d", None)]), None, "another model has its own bound");
        assert_eq!(code(&names, "o", &[]), Some(Code::TooManyModels));
        assert_eq!(code(&names, "n", &[]), None);
    }

    /// Events of more shapes than are remembered, each in an order of its own.
    #[test]
    fn names_are_held_to_the_bound_whatever_events_they_come_in() {
        let all: Vec<String> = (0..100).map(|n| format!("feature_{n}")).collect();
        let names = names(1, all.len(), 10, 1000);
        for first in 0..2 * all.len() {
            let turned: Vec<_> = (0..3).map(|n| (all[(first + n * n) % all.len()].as_str(), None)).collect();
            assert_eq!(code(&names, "m", &turned), None, "{turned:?}");
            if first >= all.len() {
                let one_more = [turned[0], ("one_more", None)];
                assert_eq!(code(&names, "m", &one_more), Some(Code::TooManyFeatureNames), "{turned:?}");
            }
        }
        assert_eq!(names.counts(), (1, all.len() as u64));
    }

    #[test]
    fn beyond_what_can_be_remembered_values_are_taken_uncounted() {
        let names = names(2, 100, 100, 3);
        for n in 0..50 {
            let value = n.to_string();
            assert_eq!(code(&names, "m", &[("a", Some(value.as_str()))]), None);
        }
        assert_eq!(names.counts(), (1, 3));
    }
}
