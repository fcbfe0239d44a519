//! Prometheus' Alertmanager: alerts as its API, version 2, takes them. It then groups and routes them by rules of its own.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::notification::{Alert, Labels, Notification, State};

/// The path below Alertmanager's address.
pub const PATH: &str = "/api/v2/alerts";
/// How long an alert that fires counts there without being sent again: longer than a route's repeat_interval.
const HOLDS: SignedDuration = SignedDuration::from_hours(24);

/// The body, with all alerts: one that is left out would be unknown there, or still fire where it has ended.
pub fn body(notification: &Notification) -> Value {
    notification.alerts.iter().map(|alert| one(alert, notification.made_at)).collect()
}

fn one(alert: &Alert, made_at: Timestamp) -> Value {
    let ends_at = match (alert.state, alert.ends_at) {
        (State::Resolved, Some(end)) => end,
        (State::Resolved, None) => made_at,
        (State::Firing, _) => made_at.checked_add(HOLDS).unwrap_or(made_at),
    };
    json!({
        "labels": named(&alert.labels),
        "annotations": named(&alert.annotations),
        "startsAt": alert.starts_at.to_string(),
        "endsAt": ends_at.to_string(),
        "generatorURL": alert.link.as_deref().unwrap_or_default(),
    })
}

/// Labels under names that Alertmanager takes; a column of a query may have any name.
fn named(labels: &Labels) -> Labels {
    let name = |name: &str| -> String {
        let fits = |at: usize, c: char| c == '_' || c.is_ascii_alphabetic() || (at > 0 && c.is_ascii_digit());
        name.chars().enumerate().map(|(at, c)| if fits(at, c) { c } else { '_' }).collect()
    };
    labels.iter().map(|(key, value)| (name(key), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fires_ends_later_and_what_ended_has_ended() {
        let mut notification = Notification::test("am", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts[0].labels.insert("2 nd".to_owned(), "x".to_owned());
        let fires = body(&notification);
        assert_eq!(
            (&fires[0]["startsAt"], &fires[0]["endsAt"]),
            (&json!("1970-01-01T00:00:00Z"), &json!("1970-01-02T00:00:00Z"))
        );
        assert_eq!(fires[0]["labels"]["__nd"], "x");
        notification.alerts[0].state = State::Resolved;
        assert_eq!(body(&notification)[0]["endsAt"], "1970-01-01T00:00:00Z");
    }

    #[test]
    fn nothing_is_cut() {
        let mut notification = Notification::test("am", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts = vec![notification.alerts[0].clone(); 1_000];
        assert_eq!(body(&notification).as_array().map(Vec::len), Some(1_000));
    }
}
