//! What a message says beside a name that is not there: the one that was meant, or those that there are.

use windvane_types::nearest::nearest;

/// How many names a message lists.
const NAMES_MAX: usize = 20;

/// The nearest of the known names, or all of them up to [`NAMES_MAX`].
pub(crate) fn hint(column: &str, known: &[String]) -> String {
    if let Some(near) = nearest(column, known.iter().map(String::as_str)) {
        return format!("; did you mean `{near}`?");
    }
    format!("; there are {}", listed(known))
}

/// These names, up to [`NAMES_MAX`] of them.
pub(crate) fn listed(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(NAMES_MAX).map(|name| format!("`{name}`")).collect();
    match names.len().checked_sub(NAMES_MAX).filter(|more| *more > 0) {
        _ if names.is_empty() => "none".to_owned(),
        Some(more) => format!("{} and {more} more", shown.join(", ")),
        None => shown.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn a_name_that_is_not_there_is_answered_by_those_that_are() {
        let names = |n: usize| -> Vec<String> { (0..n).map(|i| format!("column_{i:03}")).collect() };
        for (asked, known, said) in [
            ("column_01", names(1), "; did you mean `column_000`?"),
            ("y", names(2), "; there are `column_000`, `column_001`"),
            ("y", names(0), "; there are none"),
        ] {
            assert_eq!(hint(asked, &known), said, "{asked}");
        }
        let many = hint("y", &names(23));
        assert!(many.ends_with("`column_019` and 3 more"), "{many}");
    }
}
