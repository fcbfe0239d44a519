//! Whether a model's data are what they were expected to be: the latest recorded run, the checks that fail first.

use maud::{Markup, html};
use windvane_store::views::QUALITY_CHECKS;
use windvane_types::quality::Verdict;

use super::findings::{Whose, in_toml, nothing_yet, quoted, source};
use super::read::Model;
use crate::api::quality::Run;
use crate::{page, quality};

/// The card.
pub fn card(model: &Model) -> Markup {
    let name = &model.chosen.model;
    let content = match &model.quality {
        None => nothing_yet(
            "No check of the data is recorded",
            &format!("windvane quality --model {} --reference previous --window 24h", quoted(name)),
            Some(&format!(
                "[monitors.quality]\nkind = \"quality\"\nmodel = {model}\nreference = \"previous\"\nwindow = \"1d\"",
                model = in_toml(name)
            )),
        ),
        Some(run) => latest(run),
    };
    let asked = model.quality.as_ref().map(|run| Whose::from(&run.key).asked(name, 1));
    page::card("Data quality", &source(name, "quality", (&QUALITY_CHECKS, asked)), &content)
}

fn latest(run: &Run) -> Markup {
    html! {
        p class=(format!("answer {}", if run.verdict == Verdict::Fail { "fail" } else { "pass" })) { (quality::headline(&run.checks)) }
        p.quiet { (Whose::from(&run.key).told()) }
        (quality::checks(&run.checks))
    }
}
