//! What alerts did, and what keeps them quiet.

use super::{FROM, OFFSET, TO, View, limit, text};

/// Alerts that are pending, firing or recovering. An acknowledgement counts before the alerter has read it, too; it reads as many.
pub const ALERTS: View = View {
    name: "alerts",
    about: "alerts that are pending, firing or recovering: since when, who is told, and what keeps them quiet",
    parameters: &[text("model"), limit("1000"), OFFSET],
    text: "
    SELECT standing.fingerprint AS fingerprint, rule, state, since, severity, model, value, summary, link, silenced_by,
           inhibited_by, if(own = '' AND acknowledged.at_us > heard_us, acknowledged.acknowledged_by, own) AS acknowledged_by,
           receivers, labels
    FROM (
        SELECT JSONExtractString(alert, 'fingerprint') AS fingerprint, JSONExtractString(alert, 'rule') AS rule,
               JSONExtractString(alert, 'state') AS state, JSONExtractString(alert, 'since') AS since,
               JSONExtract(alert, 'labels', 'Map(String, String)') AS labels,
               labels['severity'] AS severity, labels['model'] AS model,
               JSONExtract(alert, 'value', 'Nullable(Float64)') AS value,
               JSONExtractString(alert, 'annotations', 'summary') AS summary, JSONExtractString(alert, 'link') AS link,
               JSONExtractString(alert, 'silenced_by') AS silenced_by,
               JSONExtractString(alert, 'inhibited_by') AS inhibited_by,
               JSONExtractString(alert, 'acknowledged_by') AS own,
               JSONExtract(alert, 'heard_until_us', 'Nullable(Int64)') AS heard_us,
               JSONExtract(alert, 'receivers', 'Array(String)') AS receivers
        FROM (
            SELECT arrayJoin(JSONExtractArrayRaw(standing)) AS alert
            FROM windvane.alert_state FINAL WHERE name = 'alerts'
        )
    ) AS standing
    LEFT JOIN (
        SELECT fingerprint, toUnixTimestamp64Micro(at) AS at_us, acknowledged_by
        FROM windvane.alert_acknowledgements FINAL ORDER BY at_us DESC, fingerprint LIMIT 10000
    ) AS acknowledged
        ON acknowledged.fingerprint = standing.fingerprint
    WHERE {model:String} IN ('', model)
    ORDER BY state = 'firing' DESC, state = 'pending' DESC, rule, fingerprint
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// Every change of state of an alert.
pub const ALERT_EVENTS: View = View {
    name: "alert_events",
    about: "every change of state of an alert, the latest first",
    parameters: &[text("model"), text("rule"), FROM, TO, limit("100"), OFFSET],
    text: "
    SELECT formatDateTime(at, '%FT%TZ', 'UTC') AS changed_at, rule, fingerprint, model, severity, from_state, to_state,
           reason, value, summary, link
    FROM windvane.alert_events FINAL
    WHERE {rule:String} IN ('', rule) AND {model:String} IN ('', model)
      AND at >= fromUnixTimestamp64Micro({from:Int64}, 'UTC') AND at < fromUnixTimestamp64Micro({to:Int64}, 'UTC')
    ORDER BY at DESC, rule, fingerprint
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// Silences that hold or will.
pub const SILENCES: View = View {
    name: "silences",
    about: "silences that have not ended: which alerts nobody is told of, until when, and why",
    parameters: &[limit("200"), OFFSET],
    text: "
    SELECT id, if(silences.starts_at <= now64(6, 'UTC'), 'active', 'pending') AS state, matchers,
           formatDateTime(silences.starts_at, '%FT%TZ', 'UTC') AS starts_at,
           formatDateTime(silences.ends_at, '%FT%TZ', 'UTC') AS ends_at, created_by, comment
    FROM windvane.silences AS silences FINAL
    WHERE silences.ends_at > now64(6, 'UTC')
    ORDER BY silences.ends_at, id
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

#[cfg(test)]
mod tests {
    use super::ALERTS;
    use crate::alerts::acknowledgements::READ_MAX;

    #[test]
    fn alerts_look_for_as_many_acknowledgements_as_are_read() {
        assert!(ALERTS.text.contains(&format!("ORDER BY at_us DESC, fingerprint LIMIT {READ_MAX}\n")));
    }
}
