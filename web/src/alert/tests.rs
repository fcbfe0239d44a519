//! Claims about the page of alerts.

use windvane_types::alert::Standing;
use windvane_types::span;

use super::*;

fn alert(state: &str, fingerprint: &str) -> Standing {
    serde_json::from_value(serde_json::json!({
        "fingerprint": fingerprint, "rule": "FeatureDrift", "state": state, "since": "2026-03-01T10:00:00Z",
        "labels": {"alertname": "FeatureDrift", "model": "delay", "severity": "warning", "column": "<b>\"x\""},
        "annotations": {"summary": "dep_delay of delay has moved <up>"}, "value": 0.31,
        "link": "/models/delay/features/dep_delay", "silenced_by": null, "inhibited_by": null,
        "acknowledged_by": null, "receivers": ["mail"], "heard_until_us": 0,
    }))
    .unwrap()
}

fn change(at: &str, from: &str, to: &str) -> Change {
    Change {
        changed_at: at.to_owned(),
        rule: "FeatureDrift".to_owned(),
        fingerprint: "f1".to_owned(),
        model: "delay".to_owned(),
        severity: "warning".to_owned(),
        from_state: from.to_owned(),
        to_state: to.to_owned(),
        reason: "condition_holds".to_owned(),
        value: Some(0.3),
        summary: "moved".to_owned(),
        link: "javascript:alert(1)".to_owned(),
    }
}

fn shown(standing: Vec<Standing>, changes: Vec<Change>) -> String {
    let now_us = span::instant("2026-03-01T12:00:00Z").unwrap();
    render(&Alerts { standing, silences: Vec::new(), changes, now_us }, Rights::Change).into_string()
}

#[test]
fn what_fires_comes_first_and_can_be_acted_on() {
    let html = shown(vec![alert("pending", "p"), alert("firing", "f")], Vec::new());
    assert!(html.contains("1 alert is firing; 1 alert is pending"), "{html}");
    assert!(html.find("alert-f\"").unwrap() < html.find("alert-p\"").unwrap());
    assert_eq!(html.matches("action=\"/alerts/acknowledge\"").count(), 1, "only what fires is acknowledged");
    assert_eq!(html.matches("action=\"/alerts/silences\"").count(), 3, "each alert, and a new one");
    for href in ["/api/v1/alerts", "/sql/alerts", "/api/v1/views/alerts?format=csv"] {
        assert!(html.contains(&format!("href=\"{href}\"")), "no `{href}` in {html}");
    }
    assert!(html.contains("alertname=&quot;FeatureDrift&quot;") && !html.contains("<b>"), "{html}");
}

/// An active silence.
fn silence(id: &str) -> Silence {
    Silence {
        id: id.to_owned(),
        state: "active".to_owned(),
        matchers: vec!["model=\"delay\"".to_owned()],
        starts_at: "2026-03-01T10:00:00Z".to_owned(),
        ends_at: "2026-03-01T14:00:00Z".to_owned(),
        created_by: "ada".to_owned(),
        comment: "retraining".to_owned(),
    }
}

#[test]
fn whoever_may_only_read_is_offered_no_form_and_told_why() {
    const WHY: &str = "takes a token with the scope <code>admin</code>";
    let silence = silence("s");
    let standing = vec![alert("firing", "f")];
    let alerts = Alerts { standing, silences: vec![silence], changes: Vec::new(), now_us: 0 };
    let [read, changed] = [Rights::Read, Rights::Change].map(|rights| render(&alerts, rights).into_string());
    assert!(read.contains(WHY) && !changed.contains(WHY), "{read}");
    assert_eq!((read.matches("<form").count(), changed.matches("<form").count()), (0, 4));
    for (column, only_to_change) in [(">do<", true), (">end<", true), (">told<", false), (">until<", false)] {
        assert_eq!((read.contains(column), changed.contains(column)), (!only_to_change, true), "{column}");
    }
    assert!(read.contains("retraining") && read.contains("alert-f\""), "{read}");
}

#[test]
fn nothing_fires_is_said_and_what_to_do_next() {
    let html = shown(Vec::new(), Vec::new());
    assert!(
        html.contains("Nothing fires.") && html.contains("windvane alerts test --receiver team"),
        "{html}"
    );
}

#[test]
fn of_many_alerts_and_silences_the_first_are_shown_and_the_rest_is_told() {
    let standing = |all: usize| {
        let mut standing: Vec<Standing> = (1..all).map(|i| alert("pending", &format!("p{i}"))).collect();
        standing.push(alert("firing", "f"));
        standing
    };
    let html = shown(standing(200), Vec::new());
    assert!(html.matches("<tr id=").count() == 200 && !html.contains("Shown are"), "{}", html.len());
    let html = shown(standing(10_000), Vec::new());
    assert_eq!(html.matches("<tr id=").count(), 200);
    assert!(
        html.contains("alert-f\"") && html.contains("9999 alerts are pending"),
        "what fires is among them"
    );
    assert!(
        html.contains("Shown are 200 of 10,000 alerts, those that fire before others"),
        "the rest is told"
    );
    let told = |n: usize| {
        silences(&(0..n).map(|i| silence(&i.to_string())).collect::<Vec<_>>(), Rights::Change).into_string()
    };
    assert!(
        told(200).contains("Shown are the 200 silences that end first") && !told(199).contains("Shown are")
    );
}

#[test]
fn an_acknowledgement_shows_before_the_alerter_has_read_it_whatever_the_clocks_say() {
    let fires_us = span::instant("2026-03-01T10:00:00Z").unwrap();
    let (hour_us, ann) = (3_600_000_000, Some("ann"));
    for (case, at_us, heard_until_us, by) in [
        ("clocks agree", fires_us + hour_us, Some(0), ann),
        ("ClickHouse is behind", fires_us - hour_us, Some(0), ann),
        ("a later one than was read", fires_us - hour_us, Some(fires_us - hour_us - 1), ann),
        ("the alerter has judged that it does not count", fires_us + hour_us, Some(fires_us + hour_us), None),
        ("nobody says what the alerter has read", fires_us + hour_us, None, None),
    ] {
        let mut standing = [Standing { heard_until_us, ..alert("firing", "f") }];
        let taken = Acknowledgement {
            fingerprint: "f".to_owned(),
            at_us,
            acknowledged_by: "ann".to_owned(),
            comment: String::new(),
        };
        looked_after(&mut standing, &[taken]);
        assert_eq!(standing[0].acknowledged_by.as_deref(), by, "{case}");
    }
}

#[test]
fn changes_are_listed_and_drawn_and_lead_only_to_the_web() {
    let html = shown(
        Vec::new(),
        vec![
            change("2026-03-01T11:00:00Z", "firing", "resolved"),
            change("2026-03-01T10:00:00Z", "pending", "firing"),
            change("2026-03-01T09:00:00Z", "inactive", "pending"),
        ],
    );
    assert_eq!(html.matches("class=\"state ").count(), 2, "pending and firing have a bar each");
    assert!(html.contains("firing, 2026-03-01 10:00 UTC to 2026-03-01 11:00 UTC"), "{html}");
    assert!(!html.contains("javascript:"), "{html}");
}
