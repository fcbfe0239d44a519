//! Opsgenie: an alert of its API, version 2. A group is one alert, named by an alias, and closed when it has ended.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use windvane_types::hex;

use crate::message::Message;
use crate::notification::{Notification, State};
use crate::truncate::truncated;

/// Characters of a message, and of a description.
const MESSAGE_MAX: usize = 130;
const DESCRIPTION_MAX: usize = 15_000;

/// What is posted where: the path below the API's address, and the body.
pub fn request(notification: &Notification, message: &Message) -> (String, Value) {
    let alias = alias(notification);
    if notification.state() == State::Resolved {
        let body = json!({ "source": "windvane", "note": truncated(&message.subject, DESCRIPTION_MAX) });
        return (format!("/v2/alerts/{alias}/close?identifierType=alias"), body);
    }
    let body = json!({
        "message": truncated(&message.subject, MESSAGE_MAX),
        "alias": alias,
        "description": truncated(&message.text, DESCRIPTION_MAX),
        "priority": priority(notification.severity()),
        "source": "windvane",
        "tags": ["windvane"],
        "details": notification.common_labels(),
    });
    ("/v2/alerts".to_owned(), body)
}

fn priority(severity: &str) -> &'static str {
    match severity {
        "critical" => "P1",
        "error" => "P2",
        "info" => "P5",
        _ => "P3",
    }
}

/// The same for every notification about a group, and fit for an address.
fn alias(notification: &Notification) -> String {
    let key = format!("{}/{}", notification.receiver, notification.group_key());
    hex::encode(&Sha256::digest(key.as_bytes()))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_group_is_opened_and_closed_under_one_alias() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts[0].annotations.insert("summary".to_owned(), "s".repeat(500));
        let (path, body) = request(&notification, &Message::of(&notification));
        assert_eq!((path.as_str(), &body["priority"]), ("/v2/alerts", &json!("P5")));
        assert_eq!(body["message"].as_str().unwrap().chars().count(), 130);
        notification.alerts[0].state = State::Resolved;
        let (closed, _) = request(&notification, &Message::of(&notification));
        assert_eq!(
            closed,
            format!("/v2/alerts/{}/close?identifierType=alias", body["alias"].as_str().unwrap())
        );
    }
}
