//! What a notification says: a subject, a text and an HTML body, from templates.

use std::sync::LazyLock;

use jiff::Timestamp;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Value, context};
use serde::Serialize;
use windvane_types::counting::counted;

use crate::cause::labelled;
use crate::chart;
use crate::group::Why;
use crate::notification::{Alert, Notification, Purpose, State};

/// Characters of a subject: more is cut by most mail programs.
const SUBJECT_CHARACTERS_MAX: usize = 200;
/// Alerts that are told in full; of the others there is a line each, up to the second number.
const DETAILED_MAX: usize = 5;
const LISTED_MAX: usize = 100;

/// A notification in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// A whole HTML document, without anything from elsewhere but the images below.
    pub html: String,
    /// Images that the HTML shows by their names.
    pub images: Vec<Image>,
}

/// An image of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// Its name, `chart-1`.
    pub name: String,
    /// A PNG.
    pub png: Vec<u8>,
}

/// An alert as a template sees it.
#[derive(Debug, Serialize)]
struct Shown<'a> {
    state: &'static str,
    name: &'a str,
    summary: Option<&'a str>,
    description: Option<&'a str>,
    cause: Option<(&'static str, &'a str)>,
    next: Option<&'a str>,
    labels: Vec<(&'a str, &'a str)>,
    since: String,
    until: Option<String>,
    link: Option<&'a str>,
    chart: Option<String>,
    image: Option<String>,
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
        let images = images(notification);
        let (detailed, rest) = notification.alerts.split_at(notification.alerts.len().min(DETAILED_MAX));
        let (listed, beyond) = rest.split_at(rest.len().min(LISTED_MAX));
        let shown = |alerts: &[Alert]| -> Vec<Value> {
            let shown = alerts.iter().enumerate().map(|(at, alert)| shown(alert, name_of_image(at, &images)));
            shown.map(|alert| Value::from(Serde(alert))).collect()
        };
        let context = context! {
            subject => subject.as_str(),
            test => notification.purpose == Purpose::Test,
            note => notification.note.as_deref(),
            receiver => notification.receiver.as_str(),
            alerts => shown(detailed),
            listed => shown(listed),
            beyond => beyond.len() as u64 + notification.left_out,
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
        Self { text: render("message.txt"), html: render("message.html"), subject, images }
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
            let group = match group.as_slice() {
                // The group of a digest is its number.
                _ if notification.reason == Why::Digest.as_str() => "messages that were held back".to_owned(),
                [] => "alerts".to_owned(),
                group => group.join(" "),
            };
            // How many fire stands before it.
            match (firing, alerts.len()) {
                (0, all) if notification.group.is_empty() => counted(all as u64, "alert", "alerts"),
                (0, all) => format!("{group} ({})", counted(all as u64, "alert", "alerts")),
                (firing, all) if firing < all => format!("{group} ({} resolved)", all - firing),
                _ => group,
            }
        }
    };
    // A line break would end the header.
    let line: String =
        format!("[{state}] {what}").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    crate::truncate::truncated(&line, SUBJECT_CHARACTERS_MAX)
}

/// The charts of the alerts that are told in full, named by their place.
fn images(notification: &Notification) -> Vec<Image> {
    let charts = notification.alerts.iter().take(DETAILED_MAX).enumerate();
    let drawn = charts.filter_map(|(at, alert)| Some((at, chart::image(alert.chart.as_ref()?))));
    drawn
        .filter_map(|(at, png)| match png {
            Ok(png) => Some(Image { name: format!("chart-{}", at + 1), png }),
            Err(error) => {
                tracing::error!(%error, "a chart cannot be drawn; the message has its text alone");
                None
            }
        })
        .collect()
}

fn name_of_image(at: usize, images: &[Image]) -> Option<String> {
    let name = format!("chart-{}", at + 1);
    images.iter().any(|image| image.name == name).then_some(name)
}

fn shown(alert: &Alert, image: Option<String>) -> Shown<'_> {
    let annotation = |name: &str| alert.annotations.get(name).map(String::as_str);
    let chart = alert.chart.as_ref().map(chart::text);
    Shown {
        state: alert.state.as_str(),
        name: alert.name(),
        summary: annotation("summary"),
        description: annotation("description"),
        cause: annotation("cause").map(labelled),
        // Of what has ended there is nothing to look at.
        next: annotation("next").filter(|_| alert.state == State::Firing),
        labels: alert.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
        since: minute(alert.starts_at),
        until: alert.ends_at.map(minute),
        link: alert.link.as_deref(),
        image: image.filter(|_| chart.is_some()),
        chart,
    }
}

/// Whether an alert holds, and since when: `firing since …`, `resolved …, fired since …`.
pub(crate) fn standing(alert: &Alert) -> String {
    let start = minute(alert.starts_at);
    match alert.ends_at {
        Some(end) => format!("{} {}, fired since {start}", alert.state.as_str(), minute(end)),
        None => format!("{} since {start}", alert.state.as_str()),
    }
}

/// A time for people, to the minute, UTC.
fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests;
