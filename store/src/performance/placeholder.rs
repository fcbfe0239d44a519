//! Where the rows of a frame stand in the text of a statement.
//!
//! The text around them holds names and classes that users chose, and one of them may read like the place of the rows: within quotes
//! it is what it is.

/// The place of the rows.
const PLACEHOLDER: &str = "{frame}";

/// The text with the rows in their place, wherever that is no part of a literal or of a quoted name.
pub(super) fn filled(text: &str, rows: &str) -> String {
    let mut filled = String::with_capacity(text.len() + rows.len());
    let mut rest = text;
    let mut quote = None;
    while let Some(c) = rest.chars().next() {
        let taken = match quote {
            None if rest.starts_with(PLACEHOLDER) => {
                filled.push_str(rows);
                rest = &rest[PLACEHOLDER.len()..];
                continue;
            }
            None => {
                quote = Some(c).filter(|c| ['\'', '`', '"'].contains(c));
                c.len_utf8()
            }
            // What is escaped ends nothing.
            Some(_) if c == '\\' => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            Some(own) => {
                quote = Some(own).filter(|own| *own != c);
                c.len_utf8()
            }
        };
        let (own, after) = rest.split_at(taken);
        filled.push_str(own);
        rest = after;
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn rows_stand_in_their_place_and_in_no_literal() {
        for (text, expected) in [
            ("SELECT 1 FROM {frame}", "SELECT 1 FROM (r)"),
            ("{frame} JOIN {frame}", "(r) JOIN (r)"),
            ("['{frame}', 'é{frame}'] FROM {frame}", "['{frame}', 'é{frame}'] FROM (r)"),
            (r"'it\'s {frame}' FROM {frame}", r"'it\'s {frame}' FROM (r)"),
            (r"'b\\' FROM {frame}, '\é'", r"'b\\' FROM (r), '\é'"),
            ("`it's {frame}` FROM {frame}", "`it's {frame}` FROM (r)"),
            (r"'\", r"'\"),
        ] {
            assert_eq!(filled(text, "(r)"), expected);
        }
    }
}
