//! What messages say.

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
    assert_eq!(Message::of(&notification).subject, "[FIRING:40] WindvaneTest");
    notification.alerts[..38].iter_mut().for_each(|alert| alert.state = State::Resolved);
    assert_eq!(Message::of(&notification).subject, "[FIRING:2] WindvaneTest (38 resolved)");
    notification.alerts.iter_mut().for_each(|alert| alert.state = State::Resolved);
    assert_eq!(Message::of(&notification).subject, "[RESOLVED] WindvaneTest (40 alerts)");
    Why::Digest.as_str().clone_into(&mut notification.reason);
    assert_eq!(Message::of(&notification).subject, "[RESOLVED] messages that were held back (40 alerts)");
    notification.reason.clear();
    notification.group.clear();
    assert_eq!(Message::of(&notification).subject, "[RESOLVED] 40 alerts");
}

fn drifted(columns: usize) -> Notification {
    let mut notification = Notification::test("ops", "id".to_owned(), Timestamp::UNIX_EPOCH);
    notification.purpose = Purpose::Inform;
    notification.group = [("alertname", "FeatureDrift"), ("model", "delay")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let alert = |column: usize| Alert {
        state: State::Firing,
        labels: [("alertname", "FeatureDrift"), ("severity", "warning"), ("model", "delay")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .chain([("column".to_owned(), format!("f{column}"))])
            .collect(),
        annotations: [
            ("summary", format!("f{column} of delay drifted ↑: mean 37.9 → 53.51")),
            ("description", "ks 0.31 (floor 0.1), p < 0.001; 1,400 rows against 17,218.".to_owned()),
            ("cause", "Version 8 was first seen at 2013-03-01 06:00 UTC.".to_owned()),
            ("next", "windvane drift --model delay --columns f1".to_owned()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into(),
        starts_at: Timestamp::UNIX_EPOCH,
        ends_at: None,
        link: Some("https://w.example.org/x".to_owned()),
        feature: None,
        origin: None,
        chart: Some(windvane_store::alerts::histogram::Histogram {
            bins: vec!["20".to_owned(), "40".to_owned(), "60".to_owned()],
            reference: vec![0.6, 0.3, 0.1],
            current: vec![0.1, 0.3, 0.6],
        }),
    };
    notification.alerts = (1..=columns).map(alert).collect();
    notification.left_out = 2;
    notification.note = Some("nobody acknowledged this for 30 min".to_owned());
    notification
}

#[test]
fn a_drift_is_told_with_what_changed_how_sure_and_what_to_look_at() {
    insta::assert_snapshot!(Message::of(&drifted(1)).text, @r"
    Note: nobody acknowledged this for 30 min

    [firing] f1 of delay drifted ↑: mean 37.9 → 53.51
    ks 0.31 (floor 0.1), p < 0.001; 1,400 rows against 17,218.

    before █▄▂  20 … 60
    now    ▂▄█

      since 1970-01-01 00:00 UTC
      alertname: FeatureDrift
      column: f1
      model: delay
      severity: warning
    Likely cause: Version 8 was first seen at 2013-03-01 06:00 UTC.
    Look next: windvane drift --model delay --columns f1
      https://w.example.org/x

    … and 2 more

    -- 
    Windvane
    ");
    let message = Message::of(&drifted(7));
    assert!(message.text.contains("\n[firing] f7 of delay drifted ↑"), "{}", message.text);
    assert_eq!(message.subject, "[FIRING:7] FeatureDrift delay");
    assert_eq!(message.images.len(), 5);
    for part in ["cid:chart-1", "before █▄▂", "Version 8 was first seen", "and 2 more", "nobody acknowledged"]
    {
        assert!(message.html.contains(part), "{part} in {}", message.html);
    }
}

#[test]
fn what_has_ended_is_not_to_be_looked_at() {
    let mut notification = drifted(1);
    notification.alerts[0].state = State::Resolved;
    let message = Message::of(&notification);
    assert!(!message.text.contains("Look next") && !message.html.contains("Look next"), "{}", message.text);
    assert!(message.text.contains("[resolved] f1 of delay drifted"), "{}", message.text);
}

#[test]
fn what_fires_at_the_same_time_is_no_likely_cause() {
    let mut notification = drifted(1);
    let cause = "At the same time: temp of delay fails missing_rate".to_owned();
    notification.alerts[0].annotations.insert("cause".to_owned(), cause.clone());
    let message = Message::of(&notification);
    assert!(message.text.contains(&format!("\n{cause}\n")), "{}", message.text);
    assert!(message.html.contains("<strong>At the same time:</strong> temp of delay"), "{}", message.html);
    assert!(!message.text.contains("Likely cause") && !message.html.contains("Likely cause"));
}
