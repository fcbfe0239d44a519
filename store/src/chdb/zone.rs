//! The time zone that the variable TZ names: the engine does not start in one that it does not know, and says so on standard error alone.

use std::path::Path;

use jiff::tz;

/// Where systems keep time zones, a file each. The engine reads those, and has names of its own where there are none.
const ZONES: &str = "/usr/share/zoneinfo";

/// Whether a value of TZ is neither a name of the IANA database, spelt so, nor a file. Rules such as `CET-1CEST` are nothing to the engine.
pub(super) fn is_unknown(value: &str) -> bool {
    let name = value.strip_prefix(':').unwrap_or(value);
    let is_file = || Path::new(ZONES).join(name).is_file();
    let is_name = || tz::db().available().any(|known| known.as_str() == name);
    !(name.is_empty() || is_file() || is_name())
}

#[cfg(test)]
mod tests {
    use super::is_unknown;

    #[test]
    fn what_the_engine_does_not_start_in_is_unknown() {
        for (value, unknown) in [
            ("", false),
            ("UTC", false),
            ("Etc/UTC", false),
            ("Europe/Berlin", false),
            (":Europe/Berlin", false),
            ("Nowhere/Land", true),
            ("utc", true),
            ("Europe/Berlin ", true),
            ("CET-1CEST", true),
            ("<+03>-3", true),
        ] {
            assert_eq!(is_unknown(value), unknown, "`{value}`");
        }
    }
}
