//! Templates of annotations: rendered over one observation, tried at load on a sample, and never in the way of a message.

use std::sync::LazyLock;
use std::time::Duration;

use minijinja::value::Serde;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value, context};
use windvane_store::alerts::sources::Observation;
use windvane_types::span;

use crate::notification::Labels;
use crate::rule::{Rule, Side};
use crate::truncate::truncated;

/// Characters of an annotation.
const ANNOTATION_MAX: usize = 4_000;
/// Characters of what is said about a template that failed.
const PROBLEM_MAX: usize = 200;
/// Steps of one rendering: far more than a text needs, and an end to every loop.
const FUEL: u64 = 50_000;

/// What a template is rendered over.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The rule.
    pub rule: &'a Rule,
    /// The labels of the alert.
    pub labels: &'a Labels,
    /// What was observed last.
    pub observation: &'a Observation,
}

/// What is undefined may be asked for with `if`, and nothing else.
static STRICT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::SemiStrict));
static LENIENT: LazyLock<Environment<'static>> = LazyLock::new(|| environment(UndefinedBehavior::Chainable));

/// Renders every annotation of the rule; one that fails is left out, and where that is the summary a plain one stands in. The
/// description then says which failed and why, so that whoever reads it can mend the rule.
#[must_use]
pub fn annotations(about: &About<'_>) -> Labels {
    let values = values(about);
    let mut annotations = Labels::new();
    let mut failed = None;
    for (name, text) in &about.rule.annotations {
        match LENIENT.render_str(text, values.clone()) {
            Ok(rendered) => {
                let rendered = rendered.trim();
                if !rendered.is_empty() {
                    annotations.insert(name.clone(), truncated(rendered, ANNOTATION_MAX));
                }
            }
            Err(error) => {
                tracing::error!(rule = about.rule.name, annotation = name, %error, "a template failed; a plain message is sent");
                let line: String =
                    error.to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                let problem = truncated(&line, PROBLEM_MAX);
                failed.get_or_insert_with(|| {
                    format!("The template of `{name}` in the rule {} failed: {problem}.", about.rule.name)
                });
            }
        }
    }
    annotations.entry("summary".to_owned()).or_insert_with(|| plain(about));
    if let Some(failed) = failed {
        let told =
            annotations.remove("description").map_or(failed.clone(), |text| format!("{text} {failed}"));
        annotations.insert("description".to_owned(), told);
    }
    annotations
}

/// Tries a template.
///
/// # Errors
/// What is wrong with it.
pub fn check(text: &str, about: &About<'_>, strict: bool) -> Result<(), String> {
    let environment = if strict { &*STRICT } else { &*LENIENT };
    environment.render_str(text, values(about)).map(|_| ()).map_err(|error| error.to_string())
}

/// What can be said without a template.
fn plain(about: &About<'_>) -> String {
    let labels: Vec<String> = about
        .labels
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "alertname" | "severity"))
        .map(|(name, value)| format!("{name} {value}"))
        .collect();
    let value = about.observation.value.map_or_else(|| "no data".to_owned(), |value| digits(Some(value)));
    format!("{}: {} ({value})", about.rule.name, labels.join(", "))
}

fn values(about: &About<'_>) -> Value {
    let observation = about.observation;
    let fields = Value::from(Serde(&observation.fields));
    let own = context! {
        labels => Value::from(Serde(about.labels)),
        rule => about.rule.name.as_str(),
        severity => about.rule.severity.as_str(),
        value => observation.value,
        evidence => observation.evidence,
        enter => about.rule.condition.enter,
        leave => about.rule.condition.leave,
        side => if about.rule.condition.side == Side::Above { "above" } else { "below" },
        window_start_us => observation.window_start_us,
        window_end_us => observation.window_end_us,
        window_start => span::shown(observation.window_start_us),
        window_end => span::shown(observation.window_end_us),
    };
    context! { ..own, ..fields }
}

fn environment(undefined: UndefinedBehavior) -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(undefined);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("digits", move |number: Value| float(&number, undefined).map(digits));
    environment.add_filter("percent", move |number: Value| float(&number, undefined).map(percent));
    environment.add_filter("p_value", move |number: Value| float(&number, undefined).map(p_value));
    environment.add_filter("time", |us: i64| time(us));
    environment.add_filter("instant", |us: i64| span::shown(us));
    environment.add_filter("duration", move |seconds: Value| float(&seconds, undefined).map(duration));
    environment.add_filter("milliseconds", move |us: Value| float(&us, undefined).map(milliseconds));
    environment.add_filter("objective", |kept: &str| objective(kept));
    environment.add_filter("grouped", |count: u64| grouped(count));
    environment.add_filter("arrow", |direction: &str| arrow(direction));
    environment
}

/// The number of a value; none where it is none.
fn float(value: &Value, undefined: UndefinedBehavior) -> Result<Option<f64>, Error> {
    if value.is_undefined() && undefined == UndefinedBehavior::SemiStrict {
        return Err(Error::from(ErrorKind::UndefinedError));
    }
    Ok(f64::try_from(value.clone()).ok())
}

/// A number with four significant digits.
pub(crate) fn digits(number: Option<f64>) -> String {
    match number {
        None => "?".to_owned(),
        Some(number) if number == 0.0 || !number.is_finite() => number.to_string(),
        Some(number) => {
            let places = (3 - number.abs().log10().floor() as i32).clamp(0, 12);
            let text = format!("{number:.*}", usize::try_from(places).unwrap_or_default());
            match text.contains('.') {
                true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                false => text,
            }
        }
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "?".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn p_value(p: Option<f64>) -> String {
    match p {
        None => "p unknown".to_owned(),
        Some(p) if p < 0.001 => "p < 0.001".to_owned(),
        Some(p) => format!("p {p:.3}"),
    }
}

/// Microseconds since 1970 UTC, to the minute.
pub(crate) fn time(us: i64) -> String {
    jiff::Timestamp::from_microsecond(us)
        .map_or_else(|_| us.to_string(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

fn duration(seconds: Option<f64>) -> String {
    let Some(seconds) = seconds else { return "?".to_owned() };
    // Of what is long nobody wants to know the milliseconds.
    let seconds = if seconds >= 1.0 { seconds.round() } else { seconds };
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "?".to_owned(), span::in_words)
}

/// Microseconds.
fn milliseconds(us: Option<f64>) -> String {
    us.map_or_else(|| "?".to_owned(), |us| format!("{} ms", digits(Some(us / 1_000.0))))
}

/// An objective of latency in words; findings keep it as `burn 99.9% 250000us 3600s`.
fn objective(kept: &str) -> String {
    let words: Vec<&str> = kept.split(' ').collect();
    let ["burn", share, limit, window] = words.as_slice() else { return kept.to_owned() };
    let number = |word: &str, unit: &str| word.strip_suffix(unit)?.parse::<f64>().ok();
    match (share.strip_suffix('%'), number(limit, "us"), number(window, "s")) {
        (Some(share), Some(limit_us), Some(window_s)) => {
            format!("{share} % within {} over {}", milliseconds(Some(limit_us)), duration(Some(window_s)))
        }
        _ => kept.to_owned(),
    }
}

fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn arrow(direction: &str) -> &'static str {
    match direction {
        "up" => "↑",
        "down" => "↓",
        "mixed" => "↕",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in
            [(0.0, "0"), (37.9, "37.9"), (53.51234, "53.51"), (0.000123456, "0.0001235"), (17218.0, "17218")]
        {
            assert_eq!(digits(Some(number)), text);
        }
        assert_eq!((digits(None).as_str(), percent(Some(0.129)).as_str()), ("?", "12.9 %"));
        assert_eq!((p_value(Some(1e-9)).as_str(), p_value(Some(0.04)).as_str()), ("p < 0.001", "p 0.040"));
        assert_eq!((duration(Some(5_400.2)).as_str(), grouped(1_234_567).as_str()), ("90 min", "1,234,567"));
        for no_length in [None, Some(-1.0), Some(f64::NAN), Some(f64::INFINITY)] {
            assert_eq!(duration(no_length), "?");
        }
        assert_eq!(time(0), "1970-01-01 00:00 UTC");
        assert_eq!((milliseconds(Some(250_000.0)).as_str(), milliseconds(None).as_str()), ("250 ms", "?"));
    }

    #[test]
    fn a_template_that_fails_leaves_plain_words_that_say_so() {
        let mut rule = crate::desk::fixture::rule();
        let observation = crate::desk::fixture::observed("delay", 0, 3.5);
        let labels = rule.labels_of(&observation.labels);
        let templates = [
            // The name of a column is no count.
            ("summary", "{{ labels.column|grouped }} rows"),
            ("description", "{{ value|digits }} is much."),
            ("next", "windvane drift"),
        ];
        rule.annotations = templates.map(|(name, text)| (name.to_owned(), text.to_owned())).into();
        let said = annotations(&About { rule: &rule, labels: &labels, observation: &observation });
        assert!(said["summary"].starts_with("FeatureDrift: column f00"), "{said:?}");
        assert!(said["summary"].ends_with("(3.5)"), "{said:?}");
        let problem = "3.5 is much. The template of `summary` in the rule FeatureDrift failed: ";
        assert!(said["description"].starts_with(problem), "{said:?}");
        assert!(said["description"].chars().count() < problem.len() + PROBLEM_MAX + 2, "{said:?}");
        assert_eq!(said["next"], "windvane drift");
    }

    #[test]
    fn objectives_are_told_in_words() {
        for (kept, words) in [
            ("burn 99.9% 250000us 3600s", "99.9 % within 250 ms over 1 h"),
            ("burn 99% 1500us 259200s", "99 % within 1.5 ms over 3 days"),
            ("burn 99% fast 3600s", "burn 99% fast 3600s"),
            ("p99", "p99"),
        ] {
            assert_eq!(objective(kept), words);
        }
    }
}
