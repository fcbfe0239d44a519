//! The keys of alerts: how they are looked at, and the rules of what is watched.

use windvane_types::alert::Severity;

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
const NUMBER: Kind = Kind::Number { min: -1e12, max: 1e12 };

/// The words of `alerts.rules.<NAME>.source`: the kinds of the tables, and two more.
pub const SOURCES: &[&str] = &[
    "drift",
    "quality",
    "performance",
    "latency",
    "fairness",
    "attribution",
    "experiment",
    "sample_ratio",
    "gate",
    "monitor",
    "ingestion",
    "outcomes",
    "query",
    "own",
];

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "alerts.default_rules",
        kind: Kind::Flag,
        default: "true",
        example: "default_rules = false",
        about: "Whether the rules that need no configuration are there; docs/ALERTS.md lists them. A table [alerts.rules.NAME] of their name changes parts of one, `enabled = false` in it takes one out.",
    },
    Key {
        path: "alerts.every",
        kind: LENGTH,
        default: "60s",
        example: "every = \"60s\"",
        about: "How often rules are looked at.",
    },
    Key {
        path: "alerts.lease",
        kind: Kind::Length { min_s: 3, max_s: DAY_S },
        default: "30s",
        example: "lease = \"30s\"",
        about: "How long the process that judges may be silent before another one on the same store takes over.",
    },
    Key {
        path: "alerts.state_dir",
        kind: Kind::Path,
        default: "the folder `alerts` in store.data_dir",
        example: "state_dir = \"/var/lib/windvane/alerts\"",
        about: "Where the state of alerts and what is on its way are kept, so that nothing is lost or told twice by a restart, also while ClickHouse is away.",
    },
    Key {
        path: "alerts.external_url",
        kind: Kind::Url,
        default: "none: messages have no links",
        example: "external_url = \"https://windvane.example.org\"",
        about: "Where people reach the pages of this service; links in messages begin with it.",
    },
    Key {
        path: "alerts.fallback_receiver",
        kind: Kind::Text,
        default: "none",
        example: "fallback_receiver = \"log\"",
        about: "The receiver that gets what another one has not taken.",
    },
    Key {
        path: "alerts.give_up_after",
        kind: LONG,
        default: "1d",
        example: "give_up_after = \"1d\"",
        about: "How long a message is tried before it is given up.",
    },
    Key {
        path: "alerts.sends_max",
        kind: Kind::Integer { min: 1, max: 64 },
        default: "2",
        example: "sends_max = 2",
        about: "Messages that are sent to one receiver at the same time.",
    },
    Key {
        path: "alerts.messages_max",
        kind: Kind::Integer { min: 1, max: 10_000 },
        default: "30",
        example: "messages_max = 30",
        about: "Messages that one receiver gets within alerts.messages_per; what goes beyond comes as one digest. Messages that only tell ends, critical ones, and those to pagerduty and opsgenie always go.",
    },
    Key {
        path: "alerts.messages_per",
        kind: LONG,
        default: "1h",
        example: "messages_per = \"1h\"",
        about: "The span that alerts.messages_max counts in.",
    },
    Key {
        path: "alerts.heartbeat_url",
        kind: Kind::Url,
        default: "none",
        example: "heartbeat_url = \"https://hc.example.org/ping\"",
        about: "What is posted to as long as rules are looked at: a service that raises an alarm when that stops.",
    },
    Key {
        path: "alerts.heartbeat_url_env",
        kind: Kind::Text,
        default: "none",
        example: "heartbeat_url_env = \"HEARTBEAT_URL\"",
        about: "The environment variable with that address.",
    },
    Key {
        path: "alerts.heartbeat_url_file",
        kind: Kind::Path,
        default: "none",
        example: "heartbeat_url_file = \"/run/secrets/heartbeat\"",
        about: "The file with that address.",
    },
    Key {
        path: "alerts.heartbeat_allow_private_targets",
        kind: Kind::Flag,
        default: "false",
        example: "heartbeat_allow_private_targets = true",
        about: "Permits that address inside a network (private and link-local addresses); this machine itself is always permitted.",
    },
    Key {
        path: "alerts.heartbeat_every",
        kind: LENGTH,
        default: "60s",
        example: "heartbeat_every = \"60s\"",
        about: "How often.",
    },
    Key {
        path: "alerts.rules.<NAME>.enabled",
        kind: Kind::Flag,
        default: "true",
        example: "enabled = false",
        about: "Whether the rule is looked at.",
    },
    Key {
        path: "alerts.rules.<NAME>.source",
        kind: Kind::Choice(SOURCES),
        default: "none: a rule of your own needs it",
        example: "source = \"drift\"",
        about: "What it looks at: findings and events in the tables, `query` for a statement of your own, `own` for what the process knows of itself. docs/ALERTS.md lists what each measures.",
    },
    Key {
        path: "alerts.rules.<NAME>.measure",
        kind: Kind::Text,
        default: "the first one of the source",
        example: "measure = \"effect\"",
        about: "What is measured.",
    },
    Key {
        path: "alerts.rules.<NAME>.query",
        kind: Kind::Text,
        default: "none: source `query` requires it",
        example: "query = \"SELECT model, count() AS value FROM predictions WHERE status != 'ok' AND ts > {now:DateTime64(6, 'UTC')} - INTERVAL 5 MINUTE GROUP BY model\"",
        about: "A SELECT with a column `value`, perhaps `evidence`; its texts are labels, an alert a row. It may read only, takes a minute and 1,000 rows at most. `{now:DateTime64(6, 'UTC')}` is the time that is asked about.",
    },
    Key {
        path: "alerts.rules.<NAME>.match",
        kind: Kind::Texts { max: 20 },
        default: "none: everything",
        example: "match = [\"model=delay\", \"column!~\"debug_.*\"\"]",
        about: "Matchers of labels, as in Alertmanager; observations that do not fulfil all of them are left out.",
    },
    Key {
        path: "alerts.rules.<NAME>.above",
        kind: NUMBER,
        default: "none: one of above and below is needed",
        example: "above = 0.2",
        about: "It becomes wrong above this.",
    },
    Key {
        path: "alerts.rules.<NAME>.below",
        kind: NUMBER,
        default: "none",
        example: "below = 0.5",
        about: "It becomes wrong below this.",
    },
    Key {
        path: "alerts.rules.<NAME>.leave",
        kind: NUMBER,
        default: "the threshold to enter",
        example: "leave = 0.1",
        about: "Once wrong, it is right again only at this or on the right side of it.",
    },
    Key {
        path: "alerts.rules.<NAME>.windows",
        kind: Kind::Text,
        default: "1 of 1",
        example: "windows = \"2 of 3\"",
        about: "So many of so many last windows have to be wrong; for sources that have windows.",
    },
    Key {
        path: "alerts.rules.<NAME>.for",
        kind: LONG0,
        default: "0s",
        example: "for = \"10m\"",
        about: "How long it has to be wrong before it fires.",
    },
    Key {
        path: "alerts.rules.<NAME>.keep_firing_for",
        kind: LONG0,
        default: "0s",
        example: "keep_firing_for = \"10m\"",
        about: "How long it has to be right before it is resolved.",
    },
    Key {
        path: "alerts.rules.<NAME>.no_data",
        kind: Kind::Choice(&["ok", "alert", "keep"]),
        default: "keep; `own` and `GateFailed`: ok",
        example: "no_data = \"ok\"",
        about: "What no data means: that all is well, that something is wrong (for as long as `for` says), or nothing: the state stays.",
    },
    Key {
        path: "alerts.rules.<NAME>.evidence_min",
        kind: Kind::Number { min: 0.0, max: 1e12 },
        default: "0",
        example: "evidence_min = 500",
        about: "Less evidence (rows, units, hours: docs/ALERTS.md) counts as no data.",
    },
    Key {
        path: "alerts.rules.<NAME>.every",
        kind: LONG0,
        default: "alerts.every",
        example: "every = \"1h\"",
        about: "How often it is looked at, at most.",
    },
    Key {
        path: "alerts.rules.<NAME>.severity",
        kind: Kind::Choice(Severity::WORDS),
        default: "warning",
        example: "severity = \"critical\"",
        about: "The label `severity` of its alerts.",
    },
    Key {
        path: "alerts.rules.<NAME>.labels.<LABEL>",
        kind: Kind::Text,
        default: "none",
        example: "team = \"fraud\"",
        about: "A label that its alerts have besides those of what is observed.",
    },
    Key {
        path: "alerts.rules.<NAME>.annotations.<ANNOTATION>",
        kind: Kind::Text,
        default: "none",
        example: "summary = \"{{ labels.column }} moved by {{ effect|digits }}\"",
        about: "A template of what people read: `summary`, `description`, `cause`, `next`, or a name of your own. It is tried when the configuration is read.",
    },
];

#[cfg(test)]
mod tests {
    #[test]
    fn every_kind_of_the_tables_can_be_named() {
        for kind in windvane_store::alerts::sources::KINDS {
            assert!(super::SOURCES.contains(&kind.name), "{}", kind.name);
        }
    }
}
