//! Telegram: a message of a bot into a chat, as plain text, so that nothing in a label is markup.

use serde_json::{Value, json};

use crate::message::Message;
use crate::truncate::truncated;

/// Characters of a message.
const TEXT_MAX: usize = 4_096;

/// The body.
pub fn body(message: &Message, chat_id: &str) -> Value {
    json!({
        "chat_id": chat_id,
        "text": truncated(&format!("{}\n\n{}", message.subject, message.text), TEXT_MAX),
        "link_preview_options": { "is_disabled": true },
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::notification::Notification;

    #[test]
    fn a_message_is_plain_text_and_short_enough() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.alerts = vec![notification.alerts[0].clone(); 200];
        notification.alerts[0].annotations.insert("description".to_owned(), "long ".repeat(5_000));
        let body = body(&Message::of(&notification), "-100");
        let text = body["text"].as_str().unwrap();
        assert!(text.chars().count() == 4_096 && text.starts_with("[TEST]") && text.ends_with("… (cut)"));
        assert!(body.get("parse_mode").is_none());
    }
}
