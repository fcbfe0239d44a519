//! What makes a message easier to understand and is not needed to send it: charts of features, and versions that came just
//! then. ClickHouse has a few seconds to answer; without an answer the message goes as it is.

use std::time::Duration;

use tokio::time::{Instant, timeout_at};
use windvane_store::alerts::versions::FirstSeen;
use windvane_store::alerts::{self, histogram::Asked};
use windvane_store::{Store, StoreError};
use windvane_types::span::{self, Span};

use crate::cause;
use crate::notification::{Alert, Notification, Origin, Purpose, State};

/// Alerts that get a chart: those that are told first.
const CHARTS_MAX: usize = 3;
/// Alerts that get a likely cause.
const CAUSES_MAX: usize = 3;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The notification with what could be found out in time.
pub(crate) async fn illustrated(store: &Store, notification: Notification) -> Notification {
    let is_told = notification.purpose == Purpose::Inform && notification.state() == State::Firing;
    let is_done = notification.alerts.iter().any(|alert| alert.chart.is_some());
    if !is_told || is_done {
        return notification;
    }
    let until = Instant::now() + PATIENCE;
    let mut told = notification;
    // What took too long, or failed, does not take the other one with it.
    let mut drawn = told.clone();
    if in_time(until, draw(store, &mut drawn.alerts)).await {
        told = drawn;
    }
    let mut explained = told.clone();
    if in_time(until, explain(store, &mut explained.alerts)).await {
        told = explained;
    }
    told
}

/// Whether work was done, and in time.
async fn in_time(until: Instant, work: impl Future<Output = Result<(), StoreError>>) -> bool {
    match timeout_at(until, work).await {
        Ok(Ok(())) => true,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a message lacks its charts or likely causes");
            false
        }
        Err(_elapsed) => false,
    }
}

/// Draws the features of the alerts that are told first, before and now.
async fn draw(store: &Store, alerts: &mut [Alert]) -> Result<(), StoreError> {
    for alert in alerts.iter_mut().filter(|alert| alert.feature.is_some()).take(CHARTS_MAX) {
        let Some(feature) = &alert.feature else { continue };
        let asked = Asked {
            model: &feature.model,
            version: &feature.version,
            environment: &feature.environment,
            column: &feature.column,
            reference: Span { start_us: feature.reference_us.0, end_us: feature.reference_us.1 },
            window: Span { start_us: feature.window_us.0, end_us: feature.window_us.1 },
        };
        alert.chart = match feature.kind.as_str() {
            "numeric" => alerts::histogram::numeric(store, asked).await?,
            "categorical" => alerts::histogram::categorical(store, asked).await?,
            _ => None,
        };
    }
    Ok(())
}

/// Names versions that came when it went wrong. That is asked once: a message that is sent again says the same.
async fn explain(store: &Store, alerts: &mut [Alert]) -> Result<(), StoreError> {
    // Most alerts of a group are about one window.
    let mut known: Vec<(Origin, Option<String>)> = Vec::new();
    for alert in alerts.iter_mut().filter(|alert| alert.origin.is_some()).take(CAUSES_MAX) {
        let Some(origin) = alert.origin.take() else { continue };
        // What else fires explains less than a new version does; what somebody has written explains more.
        if alert.annotations.get("cause").is_some_and(|cause| !cause::is_same_time(cause)) {
            continue;
        }
        let cause = match known.iter().find(|(asked, _)| *asked == origin) {
            Some((_, cause)) => cause.clone(),
            None => {
                let span = Span { start_us: origin.before_us, end_us: origin.window_us.1 };
                let seen = alerts::versions::first_seen(store, &origin.model, span).await?;
                let cause = new_version(&seen, origin.window_us.0);
                known.push((origin, cause.clone()));
                cause
            }
        };
        if let Some(cause) = cause {
            alert.annotations.insert("cause".to_owned(), cause);
        }
    }
    for alert in alerts {
        alert.origin = None;
    }
    Ok(())
}

/// A version that came with the window, after others.
fn new_version(seen: &[FirstSeen], window_start_us: i64) -> Option<String> {
    let before = seen.iter().any(|version| version.first_us < window_start_us);
    let new = seen.iter().find(|version| version.first_us >= window_start_us && before)?;
    Some(format!("version {} was first seen at {}", new.version, span::shown(new.first_us)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_came_with_the_window_after_others_is_named() {
        let seen = |versions: &[(&str, i64)]| -> Vec<FirstSeen> {
            versions
                .iter()
                .map(|(version, first_us)| FirstSeen { version: (*version).to_owned(), first_us: *first_us })
                .collect()
        };
        let said = Some("version 8 was first seen at 1970-01-01T00:00:07Z".to_owned());
        for (versions, expected) in [
            (&[("7", 1_000_000), ("8", 7_000_000)][..], said),
            (&[("7", 1_000_000), ("8", 4_000_000)][..], None),
            // A model that is new has no version before.
            (&[("8", 7_000_000)][..], None),
            (&[][..], None),
        ] {
            assert_eq!(new_version(&seen(versions), 5_000_000), expected, "{versions:?}");
        }
    }

    #[test]
    fn a_cause_is_looked_for_behind_what_monitors_find_of_all_versions() {
        let origin = |kind: &str| Origin::of(&alerts::sources::kind(kind).unwrap().sample());
        let drift = origin("drift").unwrap();
        assert_eq!((drift.model.as_str(), drift.before_us), ("delay", 1_356_998_400_000_000));
        for kind in ["quality", "performance", "latency", "fairness", "attribution"] {
            let origin = origin(kind).unwrap();
            let (start_us, _) = origin.window_us;
            assert_eq!(start_us - origin.before_us, 7 * 86_400_000_000, "{kind}: seven days before one");
        }
        for kind in ["experiment", "sample_ratio", "gate", "monitor", "ingestion", "outcomes"] {
            assert_eq!(origin(kind), None, "{kind}");
        }
        let mut one = alerts::sources::kind("drift").unwrap().sample();
        one.labels.insert("version".to_owned(), "7".to_owned());
        assert_eq!(Origin::of(&one), None, "another version is no cause of what this one does");
    }
}
