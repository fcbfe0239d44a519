//! Slack: an incoming webhook with a header, one section an alert and a plain text for notifications on a phone.

use serde_json::{Value, json};

use crate::message::{Message, standing};
use crate::notification::{Alert, Notification, Purpose, State};
use crate::truncate::truncated;

/// Characters of a header block.
const HEADER_MAX: usize = 150;
/// Characters of a section's text.
const SECTION_MAX: usize = 3_000;
/// Alerts with a section of their own: a message holds 50 blocks.
const ALERTS_SHOWN: usize = 40;

/// The body.
pub fn body(notification: &Notification, message: &Message) -> Value {
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": truncated(&message.subject, HEADER_MAX) },
    })];
    if notification.purpose == Purpose::Test {
        blocks.push(section("*Test:* this message only shows that the receiver works. Nothing is wrong."));
    }
    if let Some(note) = &notification.note {
        blocks.push(section(&format!("_{}_", escaped(note))));
    }
    blocks.extend(notification.alerts.iter().take(ALERTS_SHOWN).map(|alert| section(&words(alert))));
    let more = notification.alerts.len().saturating_sub(ALERTS_SHOWN) as u64 + notification.left_out;
    if more > 0 {
        blocks.push(section(&format!("… and {more} more")));
    }
    json!({ "text": truncated(&escaped(&message.subject), SECTION_MAX), "blocks": blocks })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": truncated(text, SECTION_MAX) } })
}

fn words(alert: &Alert) -> String {
    let mark = match alert.state {
        State::Firing => ":red_circle:",
        State::Resolved => ":large_green_circle:",
    };
    let annotation = |name: &str| alert.annotations.get(name).map(|text| escaped(text));
    let mut text = format!("{mark} *{}*", annotation("summary").unwrap_or_else(|| escaped(alert.name())));
    text += &format!("\n{}", standing(alert));
    if let Some(description) = annotation("description") {
        text += &format!("\n{description}");
    }
    let cause = alert.annotations.get("cause").map(|cause| crate::cause::labelled(cause));
    let next = alert.annotations.get("next").filter(|_| alert.state == State::Firing);
    let next = next.map(|next| ("Look next", next.as_str()));
    for (word, told) in cause.into_iter().chain(next) {
        text += &format!("\n*{word}:* {}", escaped(told));
    }
    if let Some(histogram) = &alert.chart {
        text += &format!("\n```{}```", escaped(&crate::chart::text(histogram)));
    }
    let labels: Vec<String> =
        alert.labels.iter().map(|(name, value)| format!("{}: `{}`", escaped(name), escaped(value))).collect();
    text += &format!("\n{}", labels.join("  "));
    if let Some(link) = &alert.link {
        text += &format!("\n<{}|Look at the finding>", escaped(link));
    }
    text
}

/// Slack's three control characters.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_test_is_marked_in_header_and_text() {
        let notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let body = body(&notification, &Message::of(&notification));
        assert_eq!(body["text"], "[TEST] This is a test notification; nothing is wrong");
        assert_eq!(body["blocks"][0]["type"], "header");
        assert!(body["blocks"][1]["text"]["text"].as_str().unwrap().starts_with("*Test:*"));
    }

    #[test]
    fn a_message_stays_within_slacks_bounds() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let alert = &mut notification.alerts[0];
        alert.annotations.insert("description".to_owned(), "<!channel> ".repeat(1_000));
        notification.alerts = vec![notification.alerts[0].clone(); 100];
        let body = body(&notification, &Message::of(&notification));
        let blocks = body["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50, "{}", blocks.len());
        for block in blocks {
            let text = block["text"]["text"].as_str().unwrap();
            assert!(text.chars().count() <= 3_000 && !text.contains("<!channel>"), "{text}");
        }
        assert!(blocks.last().unwrap()["text"]["text"].as_str().unwrap().contains("60 more"));
    }
}
