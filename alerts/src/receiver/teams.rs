//! Microsoft Teams: a workflow that posts an Adaptive Card. The older message cards are refused by workflows.

use serde_json::{Value, json};

use crate::cause::labelled;
use crate::message::{Message, standing};
use crate::notification::{Alert, Notification, Purpose, State};
use crate::truncate::truncated;

/// Alerts that are shown at most, and bytes of all blocks together: a message holds 28 KB.
const ALERTS_SHOWN: usize = 8;
const BLOCKS_BYTES_MAX: usize = 26_000;
/// Characters of the subject and of a note, of a summary, of a description, and of a cause or of what to look at. With its labels
/// one alert always has room, also where every character is escaped.
const HEADING_MAX: usize = 300;
const SUMMARY_MAX: usize = 300;
const DESCRIPTION_MAX: usize = 1_000;
const HINT_MAX: usize = 400;
/// Labels of an alert that are shown, and characters of a name and of a value.
const FACTS_MAX: usize = 12;
const NAME_MAX: usize = 60;
const VALUE_MAX: usize = 120;

/// The body.
pub fn body(notification: &Notification, message: &Message) -> Value {
    let subject = truncated(&message.subject, HEADING_MAX);
    let mut heading = text(&subject);
    (heading["weight"], heading["size"]) = ("Bolder".into(), "Medium".into());
    let mut blocks = vec![heading];
    if notification.purpose == Purpose::Test {
        blocks.push(text("Test: this message only shows that the receiver works. Nothing is wrong."));
    }
    if let Some(note) = &notification.note {
        blocks.push(text(&truncated(note, HEADING_MAX)));
    }
    let mut shown = 0;
    let mut size = bytes(&blocks);
    for alert in notification.alerts.iter().take(ALERTS_SHOWN) {
        let own = words(alert);
        size += bytes(&own);
        if size > BLOCKS_BYTES_MAX {
            break;
        }
        blocks.extend(own);
        shown += 1;
    }
    let more = (notification.alerts.len() - shown) as u64 + notification.left_out;
    if more > 0 {
        blocks.push(text(&format!("… and {more} more")));
    }
    let pages = notification.external_url.iter().map(|url| open("Open Windvane", url));
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "fallbackText": subject,
                "msteams": { "width": "Full" },
                "body": blocks,
                "actions": pages.collect::<Vec<_>>(),
            },
        }],
    })
}

/// The same parts as in every message for people: what, since when, how much, the bars, a cause, what to look at, labels, a link.
fn words(alert: &Alert) -> Vec<Value> {
    let annotation = |name: &str| alert.annotations.get(name).map(String::as_str);
    let mut summary = text(&truncated(annotation("summary").unwrap_or(alert.name()), SUMMARY_MAX));
    let color = match alert.state {
        State::Firing => "Attention",
        State::Resolved => "Good",
    };
    (summary["color"], summary["weight"], summary["separator"]) =
        (color.into(), "Bolder".into(), true.into());
    let mut since = text(&standing(alert));
    (since["isSubtle"], since["spacing"]) = (true.into(), "None".into());
    let mut blocks = vec![summary, since];
    if let Some(description) = annotation("description") {
        blocks.push(text(&truncated(description, DESCRIPTION_MAX)));
    }
    if let Some(histogram) = &alert.chart {
        // A line break within a text is none in Teams.
        for line in crate::chart::text(histogram).lines() {
            let mut bars = text(&truncated(line, SUMMARY_MAX));
            (bars["fontType"], bars["spacing"]) = ("Monospace".into(), "None".into());
            blocks.push(bars);
        }
    }
    let next = annotation("next").filter(|_| alert.state == State::Firing).map(|next| ("Look next", next));
    for (word, told) in annotation("cause").map(labelled).into_iter().chain(next) {
        blocks.push(text(&format!("**{word}:** {}", truncated(told, HINT_MAX))));
    }
    let facts = alert.labels.iter().take(FACTS_MAX);
    let facts: Vec<Value> = facts
        .map(|(name, value)| json!({ "title": truncated(name, NAME_MAX), "value": truncated(value, VALUE_MAX) }))
        .collect();
    blocks.push(json!({ "type": "FactSet", "facts": facts }));
    if let Some(link) = &alert.link {
        blocks.push(json!({ "type": "ActionSet", "actions": [open("Look at the finding", link)] }));
    }
    blocks
}

fn text(text: &str) -> Value {
    json!({ "type": "TextBlock", "text": text, "wrap": true })
}

fn open(title: &str, url: &str) -> Value {
    json!({ "type": "Action.OpenUrl", "title": title, "url": url })
}

/// How long blocks are in a body.
fn bytes(blocks: &[Value]) -> usize {
    blocks.iter().map(|block| block.to_string().len() + 1).sum()
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
        // One that is as long as it can be is told all the same.
        let alert = &mut notification.alerts[0];
        for name in ["summary", "description", "cause", "next"] {
            alert.annotations.insert(name.to_owned(), "\u{1}".repeat(5_000));
        }
        for label in 0..50 {
            alert.labels.insert(format!("label{label}"), "\"".repeat(500));
        }
        let body = super::body(&notification, &Message::of(&notification)).to_string();
        assert!(body.len() <= 28_000, "{}", body.len());
        assert!(body.contains("label0"), "{body}");
    }
}
