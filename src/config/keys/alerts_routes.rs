//! The keys of alerts: who is told of what, and when nothing is told.

use crate::config::keys::Key;
use crate::config::kind::Kind;

const DAY_S: u64 = 86_400;
const YEAR_S: u64 = 366 * DAY_S;
/// A pause of the loop; from a second, which tests want, to a day.
const LENGTH: Kind = Kind::Length { min_s: 1, max_s: DAY_S };
/// A span that people wait.
const LONG: Kind = Kind::Length { min_s: 1, max_s: YEAR_S };
/// The same, or none at all.
const LONG0: Kind = Kind::Length { min_s: 0, max_s: YEAR_S };

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "alerts.route.receiver",
        kind: Kind::Texts { max: 20 },
        default: "all receivers but fallback_receiver and those that are escalated to",
        example: "receiver = \"team\"",
        about: "Who is told: the NAME of a table [alerts.receivers.NAME], or several.",
    },
    Key {
        path: "alerts.route.group_by",
        kind: Kind::Texts { max: 20 },
        default: "alertname, model",
        example: "group_by = [\"alertname\", \"model\"]",
        about: "Alerts with the same values of these labels are told together; `...` for all labels, which tells each alone.",
    },
    Key {
        path: "alerts.route.group_wait",
        kind: LONG0,
        default: "30s",
        example: "group_wait = \"30s\"",
        about: "How long the first alert of a group waits for others.",
    },
    Key {
        path: "alerts.route.group_interval",
        kind: LENGTH,
        default: "5m",
        example: "group_interval = \"5m\"",
        about: "How long a group waits between two messages. It does not bound how long one is tried.",
    },
    Key {
        path: "alerts.route.repeat_interval",
        kind: LONG,
        default: "4h; where what fires belongs to longer windows and is not critical, one and a quarter of the longest; 4h where an Alertmanager is told",
        example: "repeat_interval = \"4h\"",
        about: "How long until the same is told again, at the next multiple of group_interval.",
    },
    Key {
        path: "alerts.route.mute_in",
        kind: Kind::Texts { max: 20 },
        default: "none",
        example: "mute_in = [\"nights\"]",
        about: "Names of [alerts.intervals.NAME] in which nothing is told.",
    },
    Key {
        path: "alerts.route.active_in",
        kind: Kind::Texts { max: 20 },
        default: "none: always",
        example: "active_in = [\"office\"]",
        about: "Names of [alerts.intervals.NAME] outside of which nothing is told.",
    },
    Key {
        path: "alerts.route.send_resolved",
        kind: Kind::Flag,
        default: "true",
        example: "send_resolved = true",
        about: "Whether the end is told.",
    },
    Key {
        path: "alerts.route.escalate_after",
        kind: LONG,
        default: "none",
        example: "escalate_after = \"30m\"",
        about: "How long after its first message a group that nobody acknowledges goes to escalate_to.",
    },
    Key {
        path: "alerts.route.escalate_to",
        kind: Kind::Text,
        default: "none",
        example: "escalate_to = \"lead\"",
        about: "The receiver that it then goes to, once.",
    },
    Key {
        path: "alerts.routes.<NAME>.parent",
        kind: Kind::Text,
        default: "the root, [alerts.route]",
        example: "parent = \"fraud\"",
        about: "The route that it lies below. Routes are asked in the order of the file.",
    },
    Key {
        path: "alerts.routes.<NAME>.match",
        kind: Kind::Texts { max: 20 },
        default: "none: it must be given",
        example: "match = [\"team=fraud\", \"severity=~\"error|critical\"\"]",
        about: "Alerts that fulfil all of them take it.",
    },
    Key {
        path: "alerts.routes.<NAME>.continue",
        kind: Kind::Flag,
        default: "false",
        example: "continue = true",
        about: "Whether routes after it are asked, too.",
    },
    Key {
        path: "alerts.routes.<NAME>.receiver",
        kind: Kind::Texts { max: 20 },
        default: "that of the parent",
        example: "receiver = \"team\"",
        about: "Who is told: the NAME of a table [alerts.receivers.NAME], or several.",
    },
    Key {
        path: "alerts.routes.<NAME>.group_by",
        kind: Kind::Texts { max: 20 },
        default: "that of the parent",
        example: "group_by = [\"alertname\", \"model\"]",
        about: "Alerts with the same values of these labels are told together; `...` for all labels, which tells each alone.",
    },
    Key {
        path: "alerts.routes.<NAME>.group_wait",
        kind: LONG0,
        default: "that of the parent",
        example: "group_wait = \"30s\"",
        about: "How long the first alert of a group waits for others.",
    },
    Key {
        path: "alerts.routes.<NAME>.group_interval",
        kind: LENGTH,
        default: "that of the parent",
        example: "group_interval = \"5m\"",
        about: "How long a group waits between two messages. It does not bound how long one is tried.",
    },
    Key {
        path: "alerts.routes.<NAME>.repeat_interval",
        kind: LONG,
        default: "that of the parent",
        example: "repeat_interval = \"4h\"",
        about: "How long until the same is told again, at the next multiple of group_interval.",
    },
    Key {
        path: "alerts.routes.<NAME>.mute_in",
        kind: Kind::Texts { max: 20 },
        default: "none",
        example: "mute_in = [\"nights\"]",
        about: "Names of [alerts.intervals.NAME] in which nothing is told.",
    },
    Key {
        path: "alerts.routes.<NAME>.active_in",
        kind: Kind::Texts { max: 20 },
        default: "none: always",
        example: "active_in = [\"office\"]",
        about: "Names of [alerts.intervals.NAME] outside of which nothing is told.",
    },
    Key {
        path: "alerts.routes.<NAME>.send_resolved",
        kind: Kind::Flag,
        default: "that of the parent",
        example: "send_resolved = true",
        about: "Whether the end is told.",
    },
    Key {
        path: "alerts.routes.<NAME>.escalate_after",
        kind: LONG,
        default: "none",
        example: "escalate_after = \"30m\"",
        about: "How long after its first message a group that nobody acknowledges goes to escalate_to.",
    },
    Key {
        path: "alerts.routes.<NAME>.escalate_to",
        kind: Kind::Text,
        default: "none",
        example: "escalate_to = \"lead\"",
        about: "The receiver that it then goes to, once.",
    },
    Key {
        path: "alerts.inhibitions.<NAME>.source",
        kind: Kind::Texts { max: 20 },
        default: "none: it must be given",
        example: "source = [\"alertname=IngestionStalled\"]",
        about: "While an alert that fulfils all of them fires …",
    },
    Key {
        path: "alerts.inhibitions.<NAME>.target",
        kind: Kind::Texts { max: 20 },
        default: "none: it must be given",
        example: "target = [\"alertname=FeatureDrift\"]",
        about: "… alerts that fulfil all of these are not told …",
    },
    Key {
        path: "alerts.inhibitions.<NAME>.equal",
        kind: Kind::Texts { max: 20 },
        default: "none",
        example: "equal = [\"model\"]",
        about: "… where both have the same values of these labels.",
    },
    Key {
        path: "alerts.maintenance.<NAME>.match",
        kind: Kind::Texts { max: 20 },
        default: "none: all alerts",
        example: "match = [\"model=delay\"]",
        about: "Alerts that fulfil all of them are not told in this window. `windvane alerts silence` makes such a window without a restart.",
    },
    Key {
        path: "alerts.maintenance.<NAME>.from",
        kind: Kind::Text,
        default: "always",
        example: "from = \"2026-03-01T22:00:00Z\"",
        about: "From when.",
    },
    Key {
        path: "alerts.maintenance.<NAME>.to",
        kind: Kind::Text,
        default: "for ever",
        example: "to = \"2026-03-02T02:00:00Z\"",
        about: "Until when. A window for ever has a `match` or `intervals`: nobody would be told of anything without them.",
    },
    Key {
        path: "alerts.maintenance.<NAME>.intervals",
        kind: Kind::Texts { max: 20 },
        default: "none: the whole span",
        example: "intervals = [\"sunday-night\"]",
        about: "Names of [alerts.intervals.NAME] to which it is confined.",
    },
    Key {
        path: "alerts.intervals.<NAME>.location",
        kind: Kind::Text,
        default: "UTC",
        example: "location = \"Europe/Berlin\"",
        about: "The time zone that the rest is meant in.",
    },
    Key {
        path: "alerts.intervals.<NAME>.times",
        kind: Kind::Texts { max: 20 },
        default: "the whole day",
        example: "times = [\"09:00-17:00\"]",
        about: "Spans of a day, the end excluded; one over midnight is two: 22:00-24:00 and 00:00-06:00.",
    },
    Key {
        path: "alerts.intervals.<NAME>.weekdays",
        kind: Kind::Texts { max: 20 },
        default: "all",
        example: "weekdays = [\"monday:friday\"]",
        about: "Days of the week; the week begins with sunday.",
    },
    Key {
        path: "alerts.intervals.<NAME>.days_of_month",
        kind: Kind::Texts { max: 20 },
        default: "all",
        example: "days_of_month = [\"1:5\", \"-3:-1\"]",
        about: "Days of the month; negative ones count from its end.",
    },
    Key {
        path: "alerts.intervals.<NAME>.months",
        kind: Kind::Texts { max: 20 },
        default: "all",
        example: "months = [\"december\", \"1:3\"]",
        about: "Months, as words or numbers.",
    },
    Key {
        path: "alerts.intervals.<NAME>.years",
        kind: Kind::Texts { max: 20 },
        default: "all",
        example: "years = [\"2026:2027\"]",
        about: "Years.",
    },
];
