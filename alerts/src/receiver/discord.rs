//! Discord: an incoming webhook with an embed an alert.

use serde_json::{Value, json};

use crate::message::Message;
use crate::notification::{Alert, Notification, State};
use crate::truncate::truncated;

/// Characters of the text above the embeds.
const CONTENT_MAX: usize = 2_000;
/// Embeds of a message, and characters of a title and of a description: all embeds together may have 6,000.
const EMBEDS_MAX: usize = 10;
const TITLE_MAX: usize = 150;
const DESCRIPTION_MAX: usize = 400;
const RED: u32 = 0x00B4_2318;
const GREEN: u32 = 0x001A_7F37;

/// The body; nobody is mentioned by it, whatever a label says.
pub fn body(notification: &Notification, message: &Message) -> Value {
    let more = notification.alerts.len().saturating_sub(EMBEDS_MAX) as u64 + notification.left_out;
    let mut content = message.subject.clone();
    if let Some(note) = &notification.note {
        content += &format!("\n{note}");
    }
    if more > 0 {
        content += &format!("\n… and {more} more");
    }
    json!({
        "content": truncated(&content, CONTENT_MAX),
        "embeds": notification.alerts.iter().take(EMBEDS_MAX).map(embed).collect::<Vec<_>>(),
        "allowed_mentions": { "parse": [] },
    })
}

fn embed(alert: &Alert) -> Value {
    let summary = alert.annotations.get("summary").map_or(alert.name(), String::as_str);
    let parts = ["description", "cause", "next"].iter().filter_map(|name| alert.annotations.get(*name));
    let description = parts.map(String::as_str).collect::<Vec<_>>().join("\n");
    let mut embed = json!({
        "title": truncated(summary, TITLE_MAX),
        "description": truncated(&description, DESCRIPTION_MAX),
        "color": if alert.state == State::Firing { RED } else { GREEN },
        "timestamp": alert.starts_at.to_string(),
    });
    if let Some(link) = &alert.link {
        embed["url"] = link.as_str().into();
    }
    embed
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn a_message_stays_within_discords_bounds_and_mentions_nobody() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let alert = &mut notification.alerts[0];
        alert.annotations.insert("summary".to_owned(), "@everyone ".repeat(100));
        alert.annotations.insert("description".to_owned(), "long ".repeat(5_000));
        notification.alerts = vec![notification.alerts[0].clone(); 100];
        let body = body(&notification, &Message::of(&notification));
        let embeds = body["embeds"].as_array().unwrap();
        let length = |value: &Value| value.as_str().unwrap().chars().count();
        let all: usize =
            embeds.iter().map(|embed| length(&embed["title"]) + length(&embed["description"])).sum();
        assert!(embeds.len() == 10 && all <= 6_000 && length(&body["content"]) <= 2_000, "{all}");
        assert!(body["content"].as_str().unwrap().contains("90 more"));
        assert_eq!(body["allowed_mentions"]["parse"], json!([]));
    }
}
