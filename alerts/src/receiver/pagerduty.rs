//! PagerDuty: an event of the Events API, version 2. A group is one incident, named by its key.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use windvane_types::hex;

use crate::message::Message;
use crate::notification::{Alert, Notification, State};
use crate::truncate::truncated;

/// Characters of a summary.
const SUMMARY_MAX: usize = 1_024;
/// Characters of the text among the details: an event holds 512 kB.
const TEXT_MAX: usize = 50_000;
/// Alerts that a link is shown of, and characters of its text.
const LINKS_MAX: usize = 10;
const LINK_TEXT_MAX: usize = 200;
/// Characters of a key.
const KEY_MAX: usize = 255;

/// The body.
pub fn body(notification: &Notification, message: &Message, routing_key: &str) -> Value {
    let action = match notification.state() {
        State::Firing => "trigger",
        State::Resolved => "resolve",
    };
    let labels = notification.common_labels();
    let source = labels.get("model").map_or("windvane", String::as_str);
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
                "labels": labels,
            },
        },
        "links": notification.alerts.iter().filter_map(link).take(LINKS_MAX).collect::<Vec<_>>(),
    });
    if let Some(name) = labels.get("alertname") {
        body["payload"]["class"] = name.as_str().into();
    }
    if let Some(url) = &notification.external_url {
        body["client"] = "Windvane".into();
        body["client_url"] = url.as_str().into();
    }
    body
}

/// The page of a finding, as the incident shows it.
fn link(alert: &Alert) -> Option<Value> {
    let text = alert.annotations.get("summary").map_or(alert.name(), String::as_str);
    Some(json!({ "href": alert.link.as_deref()?, "text": truncated(text, LINK_TEXT_MAX) }))
}

/// The same for every notification about a group: its key, or a hash of it where it is too long.
fn dedup_key(notification: &Notification) -> String {
    let key = format!("{}/{}", notification.receiver, notification.group_key());
    match key.chars().count() <= KEY_MAX {
        true => key,
        false => hex::encode(&Sha256::digest(key.as_bytes())),
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
    fn an_incident_has_the_pages_of_the_first_findings() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts = vec![notification.alerts[0].clone(); 20];
        assert_eq!(body(&notification, &Message::of(&notification), "R0")["links"], json!([]));
        for alert in &mut notification.alerts {
            alert.link = Some("https://w.example.org/pipeline".to_owned());
        }
        let links = &body(&notification, &Message::of(&notification), "R0")["links"];
        assert_eq!(links.as_array().map(Vec::len), Some(LINKS_MAX));
        let text = "This is a test notification; nothing is wrong";
        assert_eq!(links[0], json!({ "href": "https://w.example.org/pipeline", "text": text }));
    }

    #[test]
    fn a_long_key_is_hashed() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.group.insert("model".to_owned(), "m".repeat(500));
        assert_eq!(dedup_key(&notification).len(), 64);
    }
}
