//! PagerDuty: an event of the Events API, version 2. A group is one incident, named by its key.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::message::Message;
use crate::notification::{Notification, State};
use crate::truncate::truncated;

/// Characters of a summary.
const SUMMARY_MAX: usize = 1_024;
/// Characters of the text among the details: an event holds 512 kB.
const TEXT_MAX: usize = 50_000;
/// Characters of a key.
const KEY_MAX: usize = 255;

/// The body.
pub fn body(notification: &Notification, message: &Message, routing_key: &str) -> Value {
    let action = match notification.state() {
        State::Firing => "trigger",
        State::Resolved => "resolve",
    };
    let source = notification.common_labels().get("model").cloned().unwrap_or_else(|| "windvane".to_owned());
    let mut body = json!({
        "routing_key": routing_key,
        "event_action": action,
        "dedup_key": dedup_key(notification),
        "payload": {
            "summary": truncated(&message.subject, SUMMARY_MAX),
            "source": source,
            "severity": notification.severity(),
            "timestamp": notification.made_at.to_string(),
            "component": "windvane",
            "custom_details": {
                "text": truncated(&message.text, TEXT_MAX),
                "firing": notification.alerts.iter().filter(|alert| alert.state == State::Firing).count(),
                "labels": notification.common_labels(),
            },
        },
    });
    if let Some(url) = &notification.external_url {
        body["client"] = "Windvane".into();
        body["client_url"] = url.as_str().into();
    }
    body
}

/// The same for every notification about a group: its key, or a hash of it where it is too long.
fn dedup_key(notification: &Notification) -> String {
    let key = format!("{}/{}", notification.receiver, notification.group_key());
    match key.chars().count() <= KEY_MAX {
        true => key,
        false => Sha256::digest(key.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_group_triggers_and_resolves_one_incident() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let fired = body(&notification, &Message::of(&notification), "R0");
        assert_eq!((&fired["event_action"], &fired["routing_key"]), (&json!("trigger"), &json!("R0")));
        assert_eq!(fired["payload"]["severity"], "info");
        assert!(fired["payload"]["summary"].as_str().unwrap().starts_with("[TEST]"));
        notification.alerts[0].state = State::Resolved;
        let resolved = body(&notification, &Message::of(&notification), "R0");
        assert_eq!(resolved["event_action"], "resolve");
        assert_eq!(resolved["dedup_key"], fired["dedup_key"]);
    }

    #[test]
    fn a_long_key_is_hashed() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.group.insert("model".to_owned(), "m".repeat(500));
        assert_eq!(dedup_key(&notification).len(), 64);
    }
}
