//! The generic webhook: the body of Alertmanager's webhooks, version 4, so that everything that takes those takes ours.

use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use windvane_store::Secret;
use windvane_types::hex;

use crate::notification::{Alert, Notification};

/// The end of an alert that has none, as Alertmanager writes it.
const NO_END: &str = "0001-01-01T00:00:00Z";

/// The body.
pub fn body(notification: &Notification) -> Value {
    let mut body = json!({
        "version": "4",
        "groupKey": notification.group_key(),
        "truncatedAlerts": notification.left_out,
        "status": notification.state().as_str(),
        "receiver": notification.receiver,
        "groupLabels": notification.group,
        "commonLabels": notification.common_labels(),
        "commonAnnotations": notification.common_annotations(),
        "externalURL": notification.external_url.as_deref().unwrap_or(""),
        "alerts": notification.alerts.iter().map(alert).collect::<Vec<_>>(),
    });
    if !notification.reason.is_empty() {
        body["notification_reason"] = notification.reason.as_str().into();
    }
    body
}

fn alert(alert: &Alert) -> Value {
    json!({
        "status": alert.state.as_str(),
        "labels": alert.labels,
        "annotations": alert.annotations,
        "startsAt": alert.starts_at.to_string(),
        "endsAt": alert.ends_at.map_or_else(|| NO_END.to_owned(), |end| end.to_string()),
        "generatorURL": alert.link.as_deref().unwrap_or(""),
        "fingerprint": alert.fingerprint(),
    })
}

/// The notification's id, and where there is a key its proof: `t=SECONDS,v1=HEX`, HMAC-SHA-256 of `SECONDS.BODY`.
pub fn headers(notification: &Notification, body: &str, key: Option<&Secret>) -> Vec<(&'static str, String)> {
    let mut headers = vec![("Idempotency-Key", notification.id.clone())];
    if let Some(key) = key {
        let time = notification.made_at.as_second();
        let mut mac =
            Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()).expect("HMAC takes a key of any length");
        mac.update(format!("{time}.{body}").as_bytes());
        let proof = hex::encode(&mac.finalize().into_bytes());
        headers.push(("X-Windvane-Signature", format!("t={time},v1={proof}")));
    }
    headers
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn notification() -> Notification {
        Notification::test("ops", "0198".to_owned(), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_body_is_the_fourth_version_of_alertmanagers() {
        insta::assert_json_snapshot!(body(&notification()), @r#"
        {
          "alerts": [
            {
              "annotations": {
                "description": "Somebody ran `windvane alerts test` to see whether this receiver works. It does.",
                "summary": "This is a test notification; nothing is wrong"
              },
              "endsAt": "0001-01-01T00:00:00Z",
              "fingerprint": "ecdc318a53aaef5d",
              "generatorURL": "",
              "labels": {
                "alertname": "WindvaneTest",
                "severity": "info",
                "test": "true"
              },
              "startsAt": "1970-01-01T00:00:00Z",
              "status": "firing"
            }
          ],
          "commonAnnotations": {
            "description": "Somebody ran `windvane alerts test` to see whether this receiver works. It does.",
            "summary": "This is a test notification; nothing is wrong"
          },
          "commonLabels": {
            "alertname": "WindvaneTest",
            "severity": "info",
            "test": "true"
          },
          "externalURL": "",
          "groupKey": "{}:{alertname=\"WindvaneTest\"}",
          "groupLabels": {
            "alertname": "WindvaneTest"
          },
          "receiver": "ops",
          "status": "firing",
          "truncatedAlerts": 0,
          "version": "4"
        }
        "#);
    }

    #[test]
    fn a_signature_proves_body_and_time() {
        let headers = headers(&notification(), "{}", Some(&Secret::new("key")));
        assert_eq!(headers[0], ("Idempotency-Key", "0198".to_owned()));
        // Python: hmac.new(b"key", b"0.{}", "sha256").hexdigest()
        assert_eq!(headers[1].1, "t=0,v1=7314351dd949aa7ec06f50fc2c96e618291447672c9b7f10b49d1ce46dad00b3");
    }
}
