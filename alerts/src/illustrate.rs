//! What makes a message easier to understand and is not needed to send it: charts of features, and versions that came just
//! then. ClickHouse has a few seconds to answer; without an answer the message goes as it is.

use std::time::Duration;

use windvane_store::alerts_histogram::{self, Asked};
use windvane_store::{Store, StoreError, alerts_versions};
use windvane_types::span::{self, Span};

use crate::cause;
use crate::notification::{Alert, Feature, Notification, Purpose, State};

/// Alerts that get a chart: those that are told first.
const CHARTS_MAX: usize = 3;
/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The notification with what could be found out in time.
pub(crate) async fn illustrated(store: &Store, notification: Notification) -> Notification {
    let is_told = notification.purpose == Purpose::Inform && notification.state() == State::Firing;
    let is_done = notification.alerts.iter().any(|alert| alert.chart.is_some());
    if !is_told || is_done {
        return notification;
    }
    let mut better = notification.clone();
    let improved = async {
        for alert in better.alerts.iter_mut().filter(|alert| alert.feature.is_some()).take(CHARTS_MAX) {
            improve(store, alert).await?;
        }
        Ok::<_, StoreError>(())
    };
    match tokio::time::timeout(PATIENCE, improved).await {
        Ok(Ok(())) => better,
        Ok(Err(error)) => {
            tracing::warn!(%error, "a message has no charts");
            notification
        }
        Err(_elapsed) => notification,
    }
}

async fn improve(store: &Store, alert: &mut Alert) -> Result<(), StoreError> {
    let Some(feature) = alert.feature.clone() else { return Ok(()) };
    let asked = Asked {
        model: &feature.model,
        version: &feature.version,
        environment: &feature.environment,
        column: &feature.column,
        reference: Span { start_us: feature.reference_us.0, end_us: feature.reference_us.1 },
        window: Span { start_us: feature.window_us.0, end_us: feature.window_us.1 },
    };
    alert.chart = match feature.kind.as_str() {
        "numeric" => alerts_histogram::numeric(store, asked).await?,
        "categorical" => alerts_histogram::categorical(store, asked).await?,
        _ => None,
    };
    // What else fires explains less than a new version does.
    let explained = alert.annotations.get("cause").is_some_and(|cause| !cause::is_same_time(cause));
    if !explained && let Some(cause) = new_version(store, &feature).await? {
        alert.annotations.insert("cause".to_owned(), cause);
    }
    Ok(())
}

/// A version that came with the window, after others.
async fn new_version(store: &Store, feature: &Feature) -> Result<Option<String>, StoreError> {
    let (start_us, window_start_us) = (feature.reference_us.0, feature.window_us.0);
    let span = Span { start_us, end_us: feature.window_us.1 };
    let seen = alerts_versions::first_seen(store, &feature.model, span).await?;
    let before = seen.iter().any(|version| version.first_us < window_start_us);
    let new = seen.iter().find(|version| version.first_us >= window_start_us && before);
    Ok(new.map(|new| format!("version {} was first seen at {}", new.version, span::shown(new.first_us))))
}
