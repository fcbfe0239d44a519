//! Where the page of a finding is.

use form_urlencoded::byte_serialize;
use windvane_store::alerts_sources::Observation;

/// The address of the page behind an observation of this kind.
#[must_use]
pub fn link(external_url: &str, kind: &str, observation: &Observation) -> String {
    let base = external_url.trim_end_matches('/');
    let label = |name: &str| observation.labels.get(name).map(|value| quoted(value)).unwrap_or_default();
    match kind {
        "experiment" | "sample_ratio" => format!("{base}/experiments/{}", label("experiment")),
        "drift" => format!("{base}/models/{}/features/{}", label("model"), label("column")),
        "quality" | "performance" | "latency" | "ingestion" | "outcomes" => {
            format!("{base}/models/{}", label("model"))
        }
        "monitor" | "own" => format!("{base}/pipeline"),
        _ => format!("{base}/"),
    }
}

fn quoted(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_in_addresses() {
        let mut observation = windvane_store::alerts_sources::kind("drift").unwrap().sample();
        observation.labels.insert("model".to_owned(), "a b/c".to_owned());
        let found = link("https://w.example.org/", "drift", &observation);
        assert_eq!(found, "https://w.example.org/models/a%20b%2Fc/features/temp");
    }
}
