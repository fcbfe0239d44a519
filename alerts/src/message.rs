//! What a notification says: a subject, a text and an HTML body, from templates.

use std::sync::LazyLock;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;

use crate::notification::{Alert, Notification, Purpose, State};

/// Characters of a subject: more is cut by most mail programs.
const SUBJECT_CHARACTERS_MAX: usize = 200;

/// A notification in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A whole HTML document, without anything from elsewhere.
    pub html: String,
}

/// An alert as a template sees it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    state: &'static str,
    name: &'a str,
    summary: Option<&'a str>,
    description: Option<&'a str>,
    labels: Vec<(&'a str, &'a str)>,
    since: String,
    until: Option<String>,
    link: Option<&'a str>,
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
        true => AutoEscape::Html,
        false => AutoEscape::None,
    });
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters go together"));
    for (name, source) in [
        ("message.txt", include_str!("../templates/message.txt")),
        ("message.html", include_str!("../templates/message.html")),
    ] {
        environment.add_template(name, source).expect("a test renders every template of ours");
    }
    environment
});

impl Message {
    /// The words of a notification.
    #[must_use]
    pub fn of(notification: &Notification) -> Self {
        let subject = subject(notification);
        let context = context! {
            subject => subject.as_str(),
            test => notification.purpose == Purpose::Test,
            receiver => notification.receiver.as_str(),
            alerts => Value::from(Serde(notification.alerts.iter().map(shown).collect::<Vec<_>>())),
            external_url => notification.external_url.as_deref(),
        };
        let render = |name: &str| {
            let rendered = TEMPLATES.get_template(name).and_then(|template| template.render(&context));
            // A message must leave even where its template fails: then the subject says what there is to say.
            rendered.unwrap_or_else(|error| {
                tracing::error!(template = name, error = %error, "a template failed; the plain subject is sent");
                subject.clone()
            })
        };
        Self { text: render("message.txt"), html: render("message.html"), subject }
    }
}

fn subject(notification: &Notification) -> String {
    let firing = notification.alerts.iter().filter(|alert| alert.state == State::Firing).count();
    let state = match (notification.purpose, notification.state()) {
        (Purpose::Test, _) => "TEST".to_owned(),
        (_, State::Firing) if firing == 1 => "FIRING".to_owned(),
        (_, State::Firing) => format!("FIRING:{firing}"),
        (_, State::Resolved) => "RESOLVED".to_owned(),
    };
    let what = match notification.alerts.as_slice() {
        [alert] => alert.annotations.get("summary").map_or(alert.name(), String::as_str).to_owned(),
        alerts => {
            let group: Vec<&str> = notification.group.values().map(String::as_str).collect();
            format!("{} ({} alerts)", group.join(" "), alerts.len())
        }
    };
    // A line break would end the header.
    let line: String =
        format!("[{state}] {what}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    crate::truncate::truncated(&line, SUBJECT_CHARACTERS_MAX)
}

fn shown(alert: &Alert) -> Shown<'_> {
    let annotation = |name: &str| alert.annotations.get(name).map(String::as_str);
    Shown {
        state: alert.state.as_str(),
        name: alert.name(),
        summary: annotation("summary"),
        description: annotation("description"),
        labels: alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        since: minute(alert.starts_at),
        until: alert.ends_at.map(minute),
        link: alert.link.as_deref(),
    }
}

/// A time for people, to the minute, UTC.
fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_says_that_it_is_one() {
        let message = Message::of(&Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH));
        insta::assert_snapshot!(format!("{}\n---\n{}", message.subject, message.text), @r#"
        [TEST] This is a test notification; nothing is wrong
        ---
        TEST: this message only shows that the receiver "ops" works. Nothing is wrong.

        [firing] This is a test notification; nothing is wrong
        Somebody ran `windvane alerts test` to see whether this receiver works. It does.
          since 1970-01-01 00:00 UTC
          alertname: WindvaneTest
          severity: info
          test: true

        -- 
        Windvane
        "#);
        assert!(message.html.contains("This is a test notification"));
    }

    #[test]
    fn what_a_label_says_is_no_markup_and_no_header() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        let alert = &mut notification.alerts[0];
        alert.labels.insert("model".to_owned(), "<script>alert(1)</script>".to_owned());
        alert.annotations.insert("summary".to_owned(), "a\r\nBcc: everyone@example.org".to_owned());
        let message = Message::of(&notification);
        assert!(!message.html.contains("<script>"), "{}", message.html);
        assert!(!message.subject.contains(['\r', '\n']), "{}", message.subject);
    }

    #[test]
    fn many_alerts_are_one_subject() {
        let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
        notification.purpose = Purpose::Inform;
        notification.alerts = vec![notification.alerts[0].clone(); 40];
        assert_eq!(Message::of(&notification).subject, "[FIRING:40] WindvaneTest (40 alerts)");
    }
}
