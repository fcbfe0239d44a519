//! Where the page of a finding is.

use form_urlencoded::byte_serialize;
use windvane_store::alerts_sources::Observation;
use windvane_types::span;

/// The address of the page behind an observation of this kind.
#[must_use]
pub fn link(external_url: &str, kind: &str, observation: &Observation) -> String {
    let base = external_url.trim_end_matches('/');
    let label = |name: &str| observation.labels.get(name).map(|value| quoted(value)).unwrap_or_default();
    match kind {
        "experiment" | "sample_ratio" => format!("{base}/experiments/{}", label("experiment")),
        "drift" => format!(
            "{base}/api/v1/models/{}/drift?monitor={}&column={}&from={}&to={}",
            label("model"),
            label("monitor"),
            label("column"),
            quoted(&span::shown(observation.window_start_us)),
            quoted(&span::shown(observation.window_end_us)),
        ),
        "monitor" => format!("{base}/api/v1/monitors?model={}", label("model")),
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
        assert_eq!(
            found,
            "https://w.example.org/api/v1/models/a%20b%2Fc/drift?monitor=daily&column=temp&from=2013-03-01T00%3A00%3A00Z&to=2013-03-02T00%3A00%3A00Z"
        );
    }
}
