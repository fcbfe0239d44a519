//! The configuration that the service runs with, to be read only.

use maud::{Markup, html};

use crate::page::{Part, page};

/// A key with its value.
#[derive(Debug, Clone)]
pub struct Setting {
    /// The whole key, `server.listen`.
    pub key: String,
    /// The value as it would be written, or what holds without one. Secrets are never here: keys name files and variables.
    pub value: String,
    /// Where the value comes from; `None` for a default.
    pub origin: Option<String>,
    /// What the key does.
    pub about: &'static str,
}

/// The page as HTML.
pub fn render(settings: &[Setting]) -> Markup {
    let given = settings.iter().filter(|setting| setting.origin.is_some()).count();
    let content = html! {
        h1 { "Settings" }
        p { "What this process runs with: " (given) " of " (settings.len()) " keys were given. They are changed in the configuration file, which " code { "windvane check-config" } " checks, and read at the start." }
        p.quiet { "No statement is behind them: the process tells what it holds itself, and the store keeps none of it. " code { "windvane check-config --document" } " prints every key that there is." }
        @for group in settings.chunk_by(|a, b| table(&a.key) == table(&b.key)) {
            section.card {
                header { h2 { (group.first().map_or("", |setting| table(&setting.key))) } }
                div.scroll tabindex="0" role="group" aria-label=(group.first().map_or("", |setting| table(&setting.key))) {
                    table {
                        thead { tr { th scope="col" { "key" } th scope="col" { "value" } th scope="col" { "from" } th scope="col" { "what it does" } } }
                        tbody {
                            @for setting in group {
                                tr {
                                    th scope="row" { code { (setting.key.rsplit('.').next().unwrap_or(&setting.key)) } }
                                    td { code { (setting.value) } }
                                    td { @match &setting.origin { Some(origin) => { (origin) } None => { span.quiet { "default" } } } }
                                    td.quiet.words { (setting.about) }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    page(Part::Settings, "Settings", content)
}

fn table(key: &str) -> &str {
    key.rsplit_once('.').map_or("", |(table, _)| table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_shown_by_table_with_their_origin() {
        let setting = |key: &str, origin: Option<&str>| Setting {
            key: key.to_owned(),
            value: "<v>".to_owned(),
            origin: origin.map(str::to_owned),
            about: "About it.",
        };
        let html =
            render(&[setting("server.listen", Some("w.toml:2")), setting("store.url", None)]).into_string();
        for part in
            ["1 of 2 keys", "No statement is behind them", "w.toml:2", "default", "About it.", "&lt;v&gt;"]
        {
            assert!(html.contains(part), "no `{part}` in {html}");
        }
    }
}
