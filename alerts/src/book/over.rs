//! What is said of an alert that is over: what is now, before what it fired with.

use super::{Entry, NO_DATA_LABEL};
use crate::machine::Why;
use crate::rule::{Rule, Source};
use crate::template;

/// Says why it is over, before the description that it fired with; where to look next is of use no more.
/// Without a rule, the rule is gone, or is another one than it was.
pub(super) fn tell(entry: &mut Entry, rule: Option<&Rule>, why: Why) {
    let mut text = match rule {
        None if why == Why::RuleChanged => {
            "Over because the rule has changed and makes no such alert any more; what it finds now is new."
                .to_owned()
        }
        None => "Over because the rule is gone; nothing else is known to have changed.".to_owned(),
        Some(_) if why == Why::NoData => format!(
            "Over because there are no data of it any more, or too few; the last ones are of {}.",
            template::time(entry.observation.window_end_us)
        ),
        Some(_) if entry.labels.contains_key(NO_DATA_LABEL) => "Over: it is observed again.".to_owned(),
        Some(rule) => now(rule, entry),
    };
    if let Some(fired_with) = entry.annotations.remove("description") {
        text = format!("{text} It fired with: {fired_with}");
    }
    entry.annotations.remove("next");
    entry.annotations.insert("description".to_owned(), text);
}

/// What is measured now that it is right again.
fn now(rule: &Rule, entry: &Entry) -> String {
    let measure = match &rule.source {
        Source::Stored { measure, .. } | Source::Own { measure } => *measure,
        Source::Query(_) => "value",
    };
    let few = match rule.windows.of {
        0 | 1 => String::new(),
        of => format!("fewer than {} of the last {of} windows are wrong; ", rule.windows.wrong),
    };
    let (value, at) = (entry.observation.value, template::time(entry.observation.window_end_us));
    format!("Over: {few}{measure} is {} as of {at}.", template::digits(value))
}
