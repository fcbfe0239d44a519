//! Microsoft Teams: a workflow that posts an Adaptive Card. The older message cards are refused by workflows.

use serde_json::{Value, json};

use crate::message::Message;
use crate::notification::{Alert, Notification, Purpose, State};
use crate::truncate::truncated;

/// Alerts that are shown: a card holds 28 KB, and an alert with its bounds below at most 3.
const ALERTS_SHOWN: usize = 8;
/// Characters of a text.
const TEXT_MAX: usize = 1_000;
/// Labels of an alert that are shown, and characters of each.
const FACTS_MAX: usize = 12;
const FACT_MAX: usize = 120;

/// The body.
pub fn body(notification: &Notification, message: &Message) -> Value {
    let mut blocks = vec![json!({
        "type": "TextBlock", "text": truncated(&message.subject, TEXT_MAX), "weight": "Bolder", "size": "Medium", "wrap": true,
    })];
    if notification.purpose == Purpose::Test {
        let text = "Test: this message only shows that the receiver works. Nothing is wrong.";
        blocks.push(json!({ "type": "TextBlock", "text": text, "wrap": true }));
    }
    if let Some(note) = &notification.note {
        blocks.push(json!({ "type": "TextBlock", "text": truncated(note, TEXT_MAX), "wrap": true }));
    }
    for alert in notification.alerts.iter().take(ALERTS_SHOWN) {
        blocks.extend(words(alert));
    }
    let more = notification.alerts.len().saturating_sub(ALERTS_SHOWN) as u64 + notification.left_out;
    if more > 0 {
        blocks.push(json!({ "type": "TextBlock", "text": format!("… and {more} more"), "wrap": true }));
    }
    let links = notification.alerts.iter().filter_map(|alert| alert.link.as_deref()).take(1);
    let actions: Vec<Value> = links
        .map(|url| json!({ "type": "Action.OpenUrl", "title": "Look at the finding", "url": url }))
        .collect();
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "body": blocks,
                "actions": actions,
            },
        }],
    })
}

fn words(alert: &Alert) -> Vec<Value> {
    let color = match alert.state {
        State::Firing => "Attention",
        State::Resolved => "Good",
    };
    let summary = alert.annotations.get("summary").map_or(alert.name(), String::as_str);
    let mut blocks = vec![json!({
        "type": "TextBlock", "text": truncated(summary, TEXT_MAX), "color": color, "wrap": true, "separator": true,
    })];
    if let Some(description) = alert.annotations.get("description") {
        blocks.push(json!({ "type": "TextBlock", "text": truncated(description, TEXT_MAX), "wrap": true }));
    }
    let facts = alert.labels.iter().take(FACTS_MAX);
    let facts: Vec<Value> = facts
        .map(|(name, value)| json!({ "title": truncated(name, FACT_MAX), "value": truncated(value, FACT_MAX) }))
        .collect();
    blocks.push(json!({ "type": "FactSet", "facts": facts }));
    blocks
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_card_is_an_adaptive_one_that_says_it_is_a_test() {
        let notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let body = body(&notification, &Message::of(&notification));
        let attachment = &body["attachments"][0];
        assert_eq!(body["type"], "message");
        assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
        assert_eq!(attachment["content"]["type"], "AdaptiveCard");
        assert!(attachment["content"]["body"][1]["text"].as_str().unwrap().starts_with("Test:"));
    }

    #[test]
    fn a_card_stays_within_28_kilobytes() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let alert = &mut notification.alerts[0];
        for label in 0..50 {
            alert.labels.insert(format!("label{label}"), "v".repeat(500));
        }
        alert.annotations.insert("description".to_owned(), "long ".repeat(5_000));
        notification.alerts = vec![notification.alerts[0].clone(); 100];
        let body = body(&notification, &Message::of(&notification)).to_string();
        assert!(body.len() <= 28_000, "{}", body.len());
        assert!(body.contains("92 more"));
    }
}
