//! Where the page of a finding is.

use windvane_store::alerts::sources::Observation;
use windvane_types::address::segment;

/// The address of the page behind an observation of this kind.
#[must_use]
pub fn link(external_url: &str, kind: &str, observation: &Observation) -> String {
    let base = external_url.trim_end_matches('/');
    let label = |name: &str| observation.labels.get(name).map(|value| segment(value)).unwrap_or_default();
    match kind {
        "experiment" | "sample_ratio" => format!("{base}/experiments/{}", label("experiment")),
        "drift" => format!("{base}/models/{}/features/{}", label("model"), label("column")),
        "quality" | "performance" | "latency" | "fairness" | "attribution" | "ingestion" | "outcomes" => {
            format!("{base}/models/{}", label("model"))
        }
        "gate" => format!("{base}/gates/{}", label("gate")),
        "monitor" | "own" => format!("{base}/pipeline"),
        // A query is the user's own: its page is that of all alerts.
        _ => format!("{base}/alerts"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_in_addresses() {
        let mut observation = windvane_store::alerts::sources::kind("drift").unwrap().sample();
        observation.labels.insert("model".to_owned(), "a b/c".to_owned());
        let found = link("https://w.example.org/", "drift", &observation);
        assert_eq!(found, "https://w.example.org/models/a%20b%2Fc/features/temp");
        observation.labels.insert("model".to_owned(), "..".to_owned());
        let found = link("https://w.example.org/", "drift", &observation);
        assert_eq!(
            found, "https://w.example.org/models/~../features/temp",
            "browsers take dots out of a path"
        );
    }

    #[test]
    fn what_has_no_page_of_its_own_is_on_that_of_alerts() {
        let mut observation = windvane_store::alerts::sources::kind("gate").unwrap().sample();
        observation.labels.insert("gate".to_owned(), "delay <8>".to_owned());
        for (kind, found) in [
            ("gate", "https://w.example.org/gates/delay%20%3C8%3E"),
            ("query", "https://w.example.org/alerts"),
        ] {
            assert_eq!(link("https://w.example.org", kind, &observation), found);
        }
    }
}
