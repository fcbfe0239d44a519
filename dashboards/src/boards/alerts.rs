//! Alerts: what fires, which alert was in which state when, who was told; and what marks them in the charts of other dashboards.

use super::DEPLOYS_OF_ALL;
use crate::panel::NONE_IS_GOOD;
use crate::{Annotation, Board, Cells, Panel, Row, Shape, Unit};

/// Alerts of these rows that begin to fire: not those that were on the way to their end.
macro_rules! fired {
    ($which:literal) => {
        Annotation {
            name: "Alerts that fire",
            colour: "orange",
            sql: concat!(
                "SELECT at AS time, concat(rule, ' fires: ', summary) AS text, concat('alert,', severity) AS tags
FROM windvane.alert_events FINAL
WHERE ",
                $which,
                " AND to_state = 'firing' AND from_state != 'recovering' AND $__timeFilter(at)
ORDER BY time
LIMIT 1000"
            ),
        }
    };
}

/// Alerts of these rows that have ended.
macro_rules! resolved {
    ($which:literal) => {
        Annotation {
            name: "Alerts that end",
            colour: "green",
            sql: concat!(
                "SELECT at AS time, concat(rule, ' has ended: ', summary) AS text, concat('alert,', severity) AS tags
FROM windvane.alert_events FINAL
WHERE ",
                $which,
                " AND to_state = 'resolved' AND $__timeFilter(at)
ORDER BY time
LIMIT 1000"
            ),
        }
    };
}

/// Of any model, and of none.
pub const FIRED: Annotation = fired!("1 = 1");
pub const RESOLVED: Annotation = resolved!("1 = 1");
/// Of the model.
pub const FIRED_OF_MODEL: Annotation = fired!("model IN (${model:singlequote})");
pub const RESOLVED_OF_MODEL: Annotation = resolved!("model IN (${model:singlequote})");
/// Of the experiment.
pub const FIRED_OF_EXPERIMENT: Annotation = fired!("labels['experiment'] IN (${experiment:singlequote})");
pub const RESOLVED_OF_EXPERIMENT: Annotation =
    resolved!("labels['experiment'] IN (${experiment:singlequote})");
/// Of the gate.
pub const FIRED_OF_GATE: Annotation = fired!("labels['gate'] IN (${gate:singlequote})");
pub const RESOLVED_OF_GATE: Annotation = resolved!("labels['gate'] IN (${gate:singlequote})");

pub fn board() -> Board {
    Board {
        uid: "windvane-alerts",
        title: "Windvane · Alerts",
        about: "What fires, which alert was in which state when, which rules fire most, and whether messages arrive",
        from: "now-7d",
        variables: Vec::new(),
        annotations: vec![DEPLOYS_OF_ALL, FIRED, RESOLVED],
        rows: vec![
            Row { title: "At a glance", panels: vec![FIRING, BEGAN, GIVEN_UP, RULES] },
            Row { title: "Over time", panels: vec![STATES] },
            Row { title: "Changes", panels: vec![CHANGES] },
            Row { title: "Messages", panels: vec![ATTEMPTS, MESSAGES] },
        ],
    }
}

const FIRING: Panel = Panel {
    about: "Alerts that fire now, whatever the span, silenced ones included.",
    sql: "SELECT countIf(JSONExtractString(alert, 'state') = 'firing') AS firing
FROM (SELECT arrayJoin(JSONExtractArrayRaw(standing)) AS alert FROM windvane.alert_state FINAL WHERE name = 'alerts')",
    steps: NONE_IS_GOOD,
    width: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Firing now")
};

const BEGAN: Panel = Panel {
    about: "How often an alert began to fire in the span; one that came back before it had ended counts once.",
    sql: "SELECT countIf(to_state = 'firing' AND from_state != 'recovering') AS began
FROM windvane.alert_events FINAL
WHERE $__timeFilter(at)",
    width: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Began to fire")
};

const GIVEN_UP: Panel = Panel {
    about: "Messages of the span that were given up: nobody was told. The table below has what the receiver answered.",
    sql: "SELECT countIf(outcome = 'dead') AS given_up FROM windvane.notifications FINAL WHERE $__timeFilter(at)",
    steps: NONE_IS_GOOD,
    width: 4,
    ..Panel::new(Shape::Stat, Unit::Count, "Messages given up")
};

const RULES: Panel = Panel {
    about: "Which rules fired in the span, and how often. A rule that fires all the time is one that nobody reads.",
    sql: "SELECT rule, countIf(to_state = 'firing' AND from_state != 'recovering') AS began
FROM windvane.alert_events FINAL
WHERE $__timeFilter(at)
GROUP BY rule
ORDER BY began DESC, rule
LIMIT 30",
    width: 12,
    ..Panel::new(Shape::Bars, Unit::Count, "Fired, by rule")
};

const STATES: Panel = Panel {
    about: "The state of each alert that changed in the span, from its first change there on; the fifty that changed last.",
    sql: "SELECT at AS time, concat(rule, if(model = '', '', concat(' ', model)), ' ', substring(fingerprint, 1, 6)) AS alert,
       toString(to_state) AS state
FROM windvane.alert_events FINAL
WHERE $__timeFilter(at) AND fingerprint IN (
    SELECT fingerprint FROM windvane.alert_events WHERE $__timeFilter(at) GROUP BY fingerprint ORDER BY max(at) DESC LIMIT 50
)
ORDER BY time, alert
LIMIT 20000",
    width: 24,
    height: 12,
    ..Panel::new(Shape::Timeline, Unit::Words, "States")
};

const CHANGES: Panel = Panel {
    about: "Every change of state in the span, the latest first, with the value that the rule looks at and why the state changed.",
    sql: "SELECT toUnixTimestamp64Milli(at) AS changed, rule, model, severity, from_state, to_state, reason, value, summary
FROM windvane.alert_events FINAL
WHERE $__timeFilter(at)
ORDER BY at DESC, rule, fingerprint
LIMIT 500",
    columns: &[("changed", Unit::Time)],
    cells: &[("severity", Cells::Words), ("from_state", Cells::Words), ("to_state", Cells::Words)],
    width: 24,
    height: 10,
    ..Panel::new(Shape::Table, Unit::Number, "Changes of state")
};

const ATTEMPTS: Panel = Panel {
    about: "Attempts to deliver a message, by what became of them: taken; later is tried again; refused and dead told nobody; superseded and held went out with another one.",
    sql: "SELECT $__timeInterval(at) AS time, toString(outcome) AS outcome, count() AS attempts
FROM windvane.notifications FINAL
WHERE $__timeFilter(at)
GROUP BY time, outcome
ORDER BY time, outcome",
    ..Panel::new(Shape::Stacked, Unit::Count, "Attempts to deliver")
};

const MESSAGES: Panel = Panel {
    about: "The latest attempts of the span: to whom, about how many alerts, what the receiver answered and how long it took.",
    sql: "SELECT toUnixTimestamp64Milli(at) AS tried, receiver, outcome, attempt, reason, firing, resolved, subject, answer, took_ms
FROM windvane.notifications FINAL
WHERE $__timeFilter(at)
ORDER BY at DESC, receiver, id
LIMIT 200",
    columns: &[("tried", Unit::Time), ("took_ms", Unit::Milliseconds)],
    cells: &[("outcome", Cells::Words)],
    width: 16,
    ..Panel::new(Shape::Table, Unit::Count, "Latest attempts")
};
