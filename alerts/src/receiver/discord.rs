//! Discord: an incoming webhook with an embed an alert.

use serde_json::{Value, json};

use crate::cause::labelled;
use crate::message::{Message, standing};
use crate::notification::{Alert, Notification, State};
use crate::truncate::truncated;

/// Characters of the text above the embeds.
const CONTENT_MAX: usize = 2_000;
/// Embeds of a message, and characters that the texts of all of them may have together.
const EMBEDS_MAX: usize = 10;
const CHARACTERS_MAX: usize = 6_000;
/// Characters of a title, of a description, and of a field's value.
const TITLE_MAX: usize = 256;
const DESCRIPTION_MAX: usize = 4_096;
const FIELD_MAX: usize = 1_024;
/// What the name of the field and the footer take.
const LABELS: &str = "labels";
const FOOTER_MAX: usize = 70;
const RED: u32 = 0x00B4_2318;
const GREEN: u32 = 0x001A_7F37;

/// The body; nobody is mentioned by it, whatever a label says.
pub fn body(notification: &Notification, message: &Message) -> Value {
    let shown = notification.alerts.len().min(EMBEDS_MAX);
    let more = (notification.alerts.len() - shown) as u64 + notification.left_out;
    let mut content = message.subject.clone();
    if let Some(note) = &notification.note {
        content += &format!("\n{note}");
    }
    if more > 0 {
        content += &format!("\n… and {more} more");
    }
    let room = CHARACTERS_MAX / shown.max(1);
    let embeds: Vec<Value> = notification.alerts.iter().take(shown).map(|alert| embed(alert, room)).collect();
    json!({
        "content": truncated(&content, CONTENT_MAX),
        "embeds": embeds,
        "allowed_mentions": { "parse": [] },
    })
}

/// An embed with so many characters at most: a quarter for the title, a quarter for the labels, the rest for the words.
fn embed(alert: &Alert, room: usize) -> Value {
    let annotation = |name: &str| alert.annotations.get(name).map(String::as_str);
    let room = room - FOOTER_MAX - LABELS.len();
    let title = truncated(annotation("summary").unwrap_or(alert.name()), TITLE_MAX.min(room / 4));
    let labels: Vec<String> = alert.labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let labels = truncated(&labels.join("\n"), FIELD_MAX.min(room / 4));
    let left = DESCRIPTION_MAX.min(room - title.chars().count() - labels.chars().count());
    let mut embed = json!({
        "title": title,
        "description": words(alert, left),
        "color": if alert.state == State::Firing { RED } else { GREEN },
        "timestamp": alert.ends_at.unwrap_or(alert.starts_at).to_string(),
        "footer": { "text": truncated(&standing(alert), FOOTER_MAX) },
        "fields": [],
    });
    // A field without a value is refused.
    if !labels.is_empty() {
        embed["fields"] = json!([{ "name": LABELS, "value": labels }]);
    }
    if let Some(link) = &alert.link {
        embed["url"] = link.as_str().into();
    }
    embed
}

/// How much, a cause, what to look at, and the bars where there is room for all of them: half a block would swallow the rest.
fn words(alert: &Alert, room: usize) -> String {
    let annotation = |name: &str| alert.annotations.get(name).map(String::as_str);
    let next = annotation("next").filter(|_| alert.state == State::Firing).map(|next| ("Look next", next));
    let hints = annotation("cause").map(labelled).into_iter().chain(next);
    let hints = hints.map(|(word, told)| format!("**{word}:** {told}"));
    let lines: Vec<String> = annotation("description").map(str::to_owned).into_iter().chain(hints).collect();
    let lines = truncated(&lines.join("\n"), room);
    let bars = alert.chart.as_ref().map(|chart| format!("\n```\n{}\n```", crate::chart::text(chart)));
    match bars.filter(|bars| lines.chars().count() + bars.chars().count() <= room) {
        Some(bars) => lines + &bars,
        None => lines,
    }
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
        let all: usize = embeds
            .iter()
            .map(|embed| {
                let field = &embed["fields"][0];
                let texts = [&embed["title"], &embed["description"], &embed["footer"]["text"]];
                texts.into_iter().map(length).sum::<usize>()
                    + length(&field["name"])
                    + length(&field["value"])
            })
            .sum();
        assert!(embeds.len() == 10 && all <= 6_000 && length(&body["content"]) <= 2_000, "{all}");
        assert!(body["content"].as_str().unwrap().contains("90 more"));
        assert_eq!(body["allowed_mentions"]["parse"], json!([]));
        // One alone has room for more.
        notification.alerts.truncate(1);
        let body = super::body(&notification, &Message::of(&notification));
        assert_eq!(length(&body["embeds"][0]["title"]), TITLE_MAX);
        assert_eq!(length(&body["embeds"][0]["description"]), DESCRIPTION_MAX);
    }
}
