//! Routes: who is told of an alert, with what others it is grouped, and how often. The meaning is Alertmanager's.

use std::time::Duration;

use windvane_types::matcher::{Matcher, all_match};

use crate::notification::Labels;

/// What alerts of one message share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupBy {
    /// These labels.
    Labels(Vec<String>),
    /// All labels: each alert is alone.
    All,
}

impl GroupBy {
    /// The labels of an alert that name its group.
    #[must_use]
    pub fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::All => labels.clone(),
            Self::Labels(names) => names
                .iter()
                .filter_map(|name| labels.get(name).map(|value| (name.clone(), value.clone())))
                .collect(),
        }
    }
}

/// When a group is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// From the first alert of a group to its first message.
    pub group_wait: Duration,
    /// Between two looks at a group.
    pub group_interval: Duration,
    /// Before a message that says the same again; none: the usual, which goes by what fires (`Group::repeat_us`).
    pub repeat_interval: Option<Duration>,
}

/// Who is told where nobody acknowledges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Escalation {
    /// How long after the first message.
    pub after: Duration,
    /// The receiver.
    pub to: String,
}

/// One route with those below it.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name, unique.
    pub name: String,
    /// Alerts that fulfil all of them take it; the root has none.
    pub matchers: Vec<Matcher>,
    /// Whether the routes after it are asked, too.
    pub goes_on: bool,
    /// Who is told.
    pub receivers: Vec<String>,
    /// What is told together.
    pub group_by: GroupBy,
    /// When.
    pub pace: Pace,
    /// Intervals in which nothing is told.
    pub mute_in: Vec<String>,
    /// Intervals outside of which nothing is told; none: always.
    pub active_in: Vec<String>,
    /// Who is told where nobody acknowledges.
    pub escalation: Option<Escalation>,
    /// Whether the end is told.
    pub send_resolved: bool,
    /// The routes below, in order.
    pub routes: Vec<Route>,
}

impl Route {
    /// The routes that an alert takes: the deepest that match, and the next ones only after one that goes on.
    #[must_use]
    pub fn taken<'a>(&'a self, labels: &Labels) -> Vec<&'a Route> {
        if !all_match(&self.matchers, labels) {
            return Vec::new();
        }
        let mut taken = Vec::new();
        for route in &self.routes {
            let below = route.taken(labels);
            let matched = !below.is_empty();
            taken.extend(below);
            if matched && !route.goes_on {
                break;
            }
        }
        if taken.is_empty() { vec![self] } else { taken }
    }

    /// This route and all below it, in order.
    #[must_use]
    pub fn all(&self) -> Vec<&Route> {
        let below = self.routes.iter().flat_map(Route::all);
        std::iter::once(self).chain(below).collect()
    }

    /// What names a route in Alertmanager's group keys: the matchers on the way to it.
    #[must_use]
    pub fn key_of(&self, name: &str) -> Option<String> {
        let matchers: Vec<String> = self.matchers.iter().map(ToString::to_string).collect();
        let own = format!("{{{}}}", matchers.join(","));
        if self.name == name {
            return Some(own);
        }
        self.routes.iter().find_map(|route| route.key_of(name)).map(|below| format!("{own}/{below}"))
    }

    /// The route of this name.
    #[must_use]
    pub fn named(&self, name: &str) -> Option<&Route> {
        self.all().into_iter().find(|route| route.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(name: &str, matchers: &[&str], goes_on: bool, routes: Vec<Route>) -> Route {
        Route {
            name: name.to_owned(),
            matchers: matchers.iter().map(|text| text.parse().unwrap()).collect(),
            goes_on,
            receivers: vec!["ops".to_owned()],
            group_by: GroupBy::Labels(vec!["alertname".to_owned()]),
            pace: Pace {
                group_wait: Duration::from_secs(30),
                group_interval: Duration::from_secs(300),
                repeat_interval: Some(Duration::from_secs(14_400)),
            },
            mute_in: Vec::new(),
            active_in: Vec::new(),
            escalation: None,
            send_resolved: true,
            routes,
        }
    }

    /// The tree of Alertmanager's own `TestRouteMatch` (dispatch/route_test.go), with the same answers.
    #[test]
    fn an_alert_takes_the_routes_that_alertmanager_gives_it() {
        let tree = route(
            "def",
            &[],
            false,
            vec![
                route(
                    "A",
                    &["owner=team-A"],
                    false,
                    vec![
                        route("A-test", &["env=testing"], false, vec![]),
                        route("A-prod", &["env=production"], true, vec![]),
                        route("A-prod2", &["env=~produ.*"], false, vec![]),
                        route("A-any", &["env=~.*"], false, vec![]),
                    ],
                ),
                route("BC", &["owner=~team-(B|C)"], false, vec![]),
            ],
        );
        for (labels, expected) in [
            (&[("owner", "team-A")][..], &["A-any"][..]),
            (&[("owner", "team-A"), ("env", "unset")], &["A-any"]),
            (&[("owner", "team-C")], &["BC"]),
            (&[("owner", "team-A"), ("env", "testing")], &["A-test"]),
            (&[("owner", "team-A"), ("env", "production")], &["A-prod", "A-prod2"]),
            (&[("owner", "1")], &["def"]),
            (&[], &["def"]),
        ] {
            let labels: Labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
            let names: Vec<&str> = tree.taken(&labels).iter().map(|route| route.name.as_str()).collect();
            assert_eq!(names, expected, "{labels:?}");
        }
    }

    #[test]
    fn a_group_is_named_by_the_labels_that_an_alert_has() {
        let labels =
            Labels::from([("model".to_owned(), "delay".to_owned()), ("column".to_owned(), "x".to_owned())]);
        let by = GroupBy::Labels(vec!["model".to_owned(), "absent".to_owned()]);
        assert_eq!(by.of(&labels), Labels::from([("model".to_owned(), "delay".to_owned())]));
        assert_eq!(GroupBy::All.of(&labels), labels);
    }
}
