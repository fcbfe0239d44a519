//! Looking: reads what rules observe, and silences and acknowledgements beside it, in one go that the loop does not wait for.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use windvane_store::alerts::acknowledgements::Acknowledgement;
use windvane_store::alerts::{
    self,
    sources::{Asked, Observation, Past},
};
use windvane_store::{Store, StoreError};
use windvane_types::alert::Silence;

use crate::notification::Labels;
use crate::plan::Plan;
use crate::rule::{Rule, Source};

/// How far back windows are looked for: three months and a bit, for monitors with windows of a month.
const LOOK_BACK_US: i64 = 100 * 86_400 * 1_000_000;
/// What one statement may take.
const STATEMENT_MEMORY_BYTES_MAX: u64 = 1 << 30;
const STATEMENT_MAX: Duration = Duration::from_secs(60);
/// Statements at the same time.
const STATEMENTS_MAX: usize = 2;

/// Something that this process measures of itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// What: a word of [`crate::rule::OWN_MEASURES`].
    pub measure: &'static str,
    /// Of what.
    pub labels: Labels,
    /// How much.
    pub value: f64,
    /// What else templates may say of it.
    pub fields: serde_json::Map<String, serde_json::Value>,
}

impl Measured {
    /// A measurement of which nothing else is said.
    #[must_use]
    pub fn new(measure: &'static str, labels: Labels, value: f64) -> Self {
        Self { measure, labels, value, fields: serde_json::Map::new() }
    }
}

/// Where measurements of the process come from.
pub type Own = Arc<dyn Fn() -> Vec<Measured> + Send + Sync>;

/// What was seen.
#[derive(Debug, Default)]
pub(crate) struct Sight {
    /// When, microseconds since 1970 UTC.
    pub(crate) now_us: i64,
    /// What rules observe, by the place of the rule; a rule whose statement failed has why.
    pub(crate) observed: Vec<(usize, Result<Vec<Observation>, StoreError>)>,
    /// Whether ClickHouse did not answer at all, so that no statement was tried.
    pub(crate) store_away: bool,
    /// Silences and acknowledgements, where they could be read.
    pub(crate) told: Option<(Vec<Silence>, Vec<Acknowledgement>)>,
}

/// Looks at the rules of these places.
pub(crate) async fn look(
    store: Store,
    plan: Arc<Plan>,
    (places, own): (Vec<usize>, Vec<Measured>),
    now_us: i64,
) -> Sight {
    let alive = store.ping().await;
    let store_away = alive.is_err();
    let unavailable = Measured::new("store_unavailable", Labels::new(), if store_away { 1.0 } else { 0.0 });
    let own: Vec<Measured> = own.into_iter().chain([unavailable]).collect();
    let bounded = store.bounded(STATEMENT_MEMORY_BYTES_MAX, STATEMENT_MAX);
    let observed = stream::iter(places)
        .map(|place| {
            let (rule, bounded, alive, own) = (&plan.rules[place], &bounded, &alive, &own);
            async move {
                let observed = match (&rule.source, alive) {
                    (Source::Own { measure }, _) => Ok(of_own(own, measure, now_us)),
                    (_, Err(error)) => Err(error.clone()),
                    (_, Ok(())) => observe(bounded, rule, now_us).await,
                };
                (place, observed)
            }
        })
        .buffered(STATEMENTS_MAX)
        .collect()
        .await;
    let told = match alive {
        Ok(()) => told(&store, now_us).await,
        Err(error) => Err(error),
    };
    if let Err(error) = &told {
        tracing::warn!(%error, "silences cannot be read; those read last hold");
    }
    Sight { now_us, observed, store_away, told: told.ok() }
}

async fn told(store: &Store, now_us: i64) -> Result<(Vec<Silence>, Vec<Acknowledgement>), StoreError> {
    Ok((alerts::silences::read(store, now_us).await?, alerts::acknowledgements::read(store).await?))
}

/// What a rule observes in the store.
///
/// # Errors
/// ClickHouse does not answer or refuses.
pub async fn observe(store: &Store, rule: &Rule, now_us: i64) -> Result<Vec<Observation>, StoreError> {
    match &rule.source {
        Source::Stored { kind, measure } => {
            let asked = Asked {
                measure,
                from_us: now_us.saturating_sub(LOOK_BACK_US),
                to_us: now_us,
                latest: rule.windows.of,
                past: Past::Current,
            };
            alerts::sources::read(store, kind, asked).await
        }
        Source::Query(sql) => alerts::sources::ask(store, sql, now_us).await,
        Source::Own { .. } => Ok(Vec::new()),
    }
}

/// What a rule observes of what this process measures of itself.
pub(crate) fn of_own(own: &[Measured], measure: &str, now_us: i64) -> Vec<Observation> {
    let measured = own.iter().filter(|measured| measured.measure == measure);
    measured
        .map(|measured| Observation {
            labels: measured.labels.clone(),
            window_start_us: 0,
            window_end_us: now_us,
            value: Some(measured.value),
            evidence: 1.0,
            fields: measured.fields.clone(),
        })
        .collect()
}

/// Rules that are due: never looked at, or not for as long as they want.
pub(crate) fn due(plan: &Plan, looked_us: &BTreeMap<String, i64>, now_us: i64) -> Vec<usize> {
    let is_due = |rule: &Rule| {
        let last = looked_us.get(&rule.name).copied();
        last.is_none_or(|last| now_us.saturating_sub(last) >= crate::group::us(rule.every))
    };
    plan.rules.iter().enumerate().filter(|(_, rule)| is_due(rule)).map(|(place, _)| place).collect()
}
