//! What alerts did, and what keeps them quiet.

use super::{FROM, OFFSET, TO, View, limit, text};

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
