//! Whether a statement says itself in which format it wants its answer.

/// Whether `FORMAT Name` stands at the end of the statement, perhaps before `SETTINGS …`, comments and a semicolon.
pub fn is_in(sql: &str) -> bool {
    let words = words(sql);
    let Some(at) = words.iter().rposition(|word| word.eq_ignore_ascii_case("format")) else { return false };
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic());
    let named = words.get(at + 1).filter(|word| is_name(word)).is_some();
    let ends = words.get(at + 2).is_none_or(|word| *word == ";" || word.eq_ignore_ascii_case("settings"));
    named && ends
}

/// The words and signs of a statement without comments; a quoted text is one sign.
fn words(sql: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            c if c.is_alphanumeric() || c == '_' => {
                rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
            }
            '\'' | '"' | '`' => quoted(rest, first),
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            c => c.len_utf8(),
        };
        let (word, after) = rest.split_at(length);
        let is_comment = word.starts_with("--") || word.starts_with("/*");
        if !is_comment && !word.trim().is_empty() {
            words.push(word);
        }
        rest = after;
    }
    words
}

/// The length of a quoted text with its quotes; a backslash takes the next character with it.
fn quoted(text: &str, quote: char) -> usize {
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => drop(characters.next()),
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::is_in;

    #[test]
    fn a_format_clause_is_told_from_words_that_look_like_one() {
        for sql in [
            "SELECT 1 FORMAT JSON",
            "SELECT 1\nformat TSV;",
            "SELECT 1 FORMAT CSV SETTINGS max_threads = 1",
            "SELECT 'it''s' FORMAT JSONEachRow -- as lines",
            "SELECT 1 FORMAT Null /* quiet */",
        ] {
            assert!(is_in(sql), "{sql}");
        }
        for sql in [
            "SELECT 1",
            "SELECT 'x FORMAT JSON'",
            "SELECT 1 -- FORMAT JSON",
            "SELECT format('{}', 'a')",
            "SELECT `format` FROM t",
            "SELECT format AS f, 1 FROM t",
            "SELECT 'unclosed FORMAT JSON",
            "",
        ] {
            assert!(!is_in(sql), "{sql}");
        }
    }
}
