//! Whole messages of every receiver: one drift that fires beside one that has no link, and the end of both.

use jiff::Timestamp;
use serde_json::{Value, json};
use windvane_store::alerts::histogram::Histogram;

use super::email::Email;
use super::*;
use crate::notification::{Alert, Labels, Purpose, State};

/// What a receiver makes of a notification.
type Body = fn(&Notification, &Message) -> Value;

const BODIES: &[(&str, Body)] = &[
    ("alertmanager", |notification, _| alertmanager::body(notification)),
    ("discord", discord::body),
    ("opsgenie", |notification, message| {
        let (path, body) = opsgenie::request(notification, message);
        json!({ "path": path, "body": body })
    }),
    ("pagerduty", |notification, message| pagerduty::body(notification, message, "R0")),
    ("slack", slack::body),
    ("teams", teams::body),
    ("telegram", |_, message| telegram::body(message, "-100")),
    ("webhook", |notification, _| webhook::body(notification)),
];

fn labels(pairs: &[(&str, &str)]) -> Labels {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Two features of a model that drifted, and a note.
fn sample(state: State) -> Notification {
    let drift = |column: &str, more: &[(&str, &str)]| Alert {
        state,
        labels: labels(&[
            ("alertname", "FeatureDrift"),
            ("severity", "warning"),
            ("model", "delay"),
            ("column", column),
            ("monitor", "drift"),
        ]),
        annotations: labels(more),
        starts_at: time("2013-03-02T00:01:00Z"),
        ends_at: (state == State::Resolved).then(|| time("2013-03-03T00:01:00Z")),
        link: None,
        feature: None,
        origin: None,
        chart: None,
    };
    let mut temp = drift(
        "temp",
        &[
            ("summary", "temp of delay drifted: mean 37.9 to 53.51"),
            (
                "description",
                "ks 0.31 (floor 0.1), p < 0.001; 1,400 rows against 17,218 & more. Monitor drift.",
            ),
            ("cause", "Version 8 was first seen at 2013-03-01 06:00 UTC."),
            ("next", "windvane drift --model delay --columns temp"),
        ],
    );
    temp.link = Some("https://w.example.org/models/delay/features/temp".to_owned());
    temp.chart = Some(Histogram {
        bins: vec!["20".to_owned(), "40".to_owned(), "60".to_owned()],
        reference: vec![0.6, 0.3, 0.1],
        current: vec![0.1, 0.3, 0.6],
    });
    let carrier = drift("carrier", &[("summary", "carrier of delay drifted")]);
    Notification {
        id: "0198".to_owned(),
        purpose: Purpose::Inform,
        reason: if state == State::Firing { "first" } else { "all_resolved" }.to_owned(),
        note: Some("the receiver `pager` did not take this: 404 Not Found".to_owned()),
        receiver: "team".to_owned(),
        route: "{}".to_owned(),
        group: labels(&[("alertname", "FeatureDrift"), ("model", "delay")]),
        alerts: vec![temp, carrier],
        left_out: 0,
        external_url: Some("https://w.example.org".to_owned()),
        made_at: time("2013-03-03T00:01:30Z"),
    }
}

#[test]
fn whole_messages_are_as_they_were_accepted() {
    for (name, body) in BODIES {
        for state in [State::Firing, State::Resolved] {
            let notification = sample(state);
            let body = body(&notification, &Message::of(&notification));
            insta::assert_json_snapshot!(format!("{name}_{}", state.as_str()), body);
        }
    }
}

#[tokio::test]
async fn whole_mails_are_as_they_were_accepted() {
    let settings = EmailSettings {
        host: "localhost".to_owned(),
        port: 25,
        tls: Tls::None,
        ca_file: None,
        from: "Windvane <windvane@example.org>".to_owned(),
        to: vec!["team@example.org".to_owned()],
        login: None,
    };
    let email = Email::new(&settings, &mut MailServers::default()).unwrap();
    for state in [State::Firing, State::Resolved] {
        let mut notification = sample(state);
        // The story of a drift has its image in a mail.
        notification.alerts[0].chart = None;
        let mail = email.mail(&notification, &Message::of(&notification)).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        let boundary = text.split("boundary=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
        let text = text.replace(boundary, "BOUNDARY").replace('\r', "");
        insta::assert_snapshot!(format!("email_{}", state.as_str()), text);
    }
}
