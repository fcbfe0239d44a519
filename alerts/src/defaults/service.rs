//! Rules of what a process measures of itself: its spool, its store, its messages, the rules.

use std::time::Duration;

use super::{MINUTE, OWN, Usual, Words};
use crate::rule::Side;

/// By name.
pub(super) const RULES: &[Usual] = &[
    Usual {
        name: "DeadLetters",
        measure: "dead_lettered_rows",
        condition: (Side::Above, 0.0, 0.0),
        severity: "error",
        words: Words {
            summary: "{{ value|digits }} {% if value == 1 %}row{% else %}rows{% endif %} of {{ labels.table }} could not be stored",
            description: "ClickHouse refuses them however often they are sent; they lie in `spool/dead` with the reason.",
            next: "read the reason in `spool/dead`, and mend what sends such events",
        },
        ..OWN
    },
    Usual {
        name: "NotificationsUndelivered",
        measure: "undelivered",
        condition: (Side::Above, 0.0, 0.0),
        severity: "error",
        words: Words {
            summary: "the receiver {{ labels.receiver }} did not get {{ value|digits }} {% if value == 1 %}message{% else %}messages{% endif %}",
            description: "Within the last hour they were refused, or tried for as long as alerts.give_up_after; they are not sent again.",
            next: "windvane alerts test --receiver {{ labels.receiver }}; what was answered: windvane query \"SELECT at, subject, answer FROM notifications WHERE outcome = 'dead' ORDER BY at DESC LIMIT 10\"",
        },
        ..OWN
    },
    Usual {
        name: "RuleFailing",
        measure: "failed_evaluations",
        // The third failure in a row: one or two may be a moment's overload.
        condition: (Side::Above, 2.0, 0.0),
        severity: "error",
        words: Words {
            summary: "the rule {{ labels.rule }} cannot be evaluated",
            description: "{{ value|digits }} evaluations in a row have failed{% if since_us %} since {{ since_us|time }}{% endif %}, the last one with: {{ error }}. Its alerts stay as they are, and new ones are not found.",
            next: "windvane alerts lint --online; mend what the error names, or set enabled = false in [alerts.rules.{{ labels.rule }}]",
        },
        ..OWN
    },
    Usual {
        name: "SpoolDamaged",
        measure: "damaged_rows",
        condition: (Side::Above, 0.0, 0.0),
        words: Words {
            summary: "{{ value|digits }} acknowledged {% if value == 1 %}row{% else %}rows{% endif %} of {{ labels.table }} went bad on disk",
            next: "look at the disk; the bytes lie beside the segment files as `*.damaged`",
            ..Words::NONE
        },
        ..OWN
    },
    Usual {
        name: "SpoolFailed",
        measure: "spool_failed",
        words: Words {
            summary: "the spool of {{ labels.table }} cannot be written; events are refused",
            description: "Senders are answered 503 and keep their events; what was acknowledged before is kept.",
            next: "look at the disk of the spool; events are taken again as soon as it can be written to",
        },
        ..OWN
    },
    Usual {
        name: "SpoolLagging",
        measure: "spool_age_s",
        condition: (Side::Above, 600.0, 60.0),
        hold: MINUTE,
        words: Words {
            summary: "events of {{ labels.table }} wait for ClickHouse for {{ value|duration }}",
            description: "They are on disk, and nothing is lost until the spool is full; pages and monitors lack them.",
            next: "windvane query \"SELECT 1\", and the log of the service",
        },
        ..OWN
    },
    Usual {
        name: "StoreUnavailable",
        measure: "store_unavailable",
        hold: Duration::from_secs(120),
        keep_firing_for: MINUTE,
        words: Words {
            summary: "ClickHouse does not answer",
            description: "Events wait in the spool, and nothing else is judged meanwhile.",
            next: "the log of the service, and /readyz",
        },
        ..OWN
    },
];
