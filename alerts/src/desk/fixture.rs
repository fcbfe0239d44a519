//! A plan and observations for tests.

use std::time::Duration;

use windvane_store::alerts::sources::Observation;
use windvane_types::alert::Severity;

use crate::interval::Intervals;
use crate::machine::{NoData, Timing};
use crate::notification::Labels;
use crate::plan::Plan;
use crate::rate::Cap;
use crate::route::{GroupBy, Pace, Route};
use crate::rule::{Condition, Rule, Side, Source, Windows};

pub(crate) fn rule() -> Rule {
    Rule {
        name: "FeatureDrift".to_owned(),
        source: Source::Stored {
            kind: windvane_store::alerts::sources::kind("drift").unwrap(),
            measure: "drifted",
        },
        select: Vec::new(),
        condition: Condition { side: Side::Above, enter: 0.5, leave: 0.5 },
        windows: Windows { wrong: 1, of: 1 },
        timing: Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Keep },
        evidence_min: 0.0,
        every: Duration::ZERO,
        severity: Severity::Warning,
        labels: Labels::new(),
        annotations: Labels::from([("summary".to_owned(), "{{ labels.column }}".to_owned())]),
    }
}

pub(crate) fn plan() -> Plan {
    Plan {
        rules: vec![rule()],
        route: Route {
            name: "root".to_owned(),
            matchers: Vec::new(),
            goes_on: false,
            receivers: vec!["team".to_owned()],
            group_by: GroupBy::Labels(vec!["alertname".to_owned(), "model".to_owned()]),
            pace: Pace {
                group_wait: Duration::from_secs(30),
                group_interval: Duration::from_secs(300),
                repeat_interval: Some(Duration::from_secs(14_400)),
            },
            mute_in: Vec::new(),
            active_in: Vec::new(),
            escalation: None,
            send_resolved: true,
            routes: Vec::new(),
        },
        inhibitions: Vec::new(),
        maintenance: Vec::new(),
        intervals: Intervals::default(),
        receivers: Vec::new(),
        fallback: None,
        every: Duration::from_secs(60),
        give_up_after: Duration::from_secs(86_400),
        sends_max: 2,
        cap: Cap { messages: 30, per: Duration::from_secs(3_600) },
        external_url: None,
        heartbeat: None,
        state_dir: std::path::PathBuf::new(),
        lease: Duration::from_secs(30),
    }
}

pub(crate) fn observed(model: &str, column: usize, value: f64) -> Observation {
    let mut observation = windvane_store::alerts::sources::kind("drift").unwrap().sample();
    observation.labels.insert("model".to_owned(), model.to_owned());
    observation.labels.insert("column".to_owned(), format!("f{column:02}"));
    observation.value = Some(value);
    observation
}
