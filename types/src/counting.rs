//! Counts as a person reads them: thousands apart, and the word that goes with the number.

/// A count with its thousands apart: `336,776`.
#[must_use]
pub fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The words that go with a count: those for one, or those for any other number.
///
/// ```
/// use windvane_types::counting::form;
/// assert_eq!(form(1, "row waits", "rows wait"), "row waits");
/// assert_eq!(form(0, "row waits", "rows wait"), "rows wait");
/// ```
#[must_use]
pub fn form<'a>(count: u64, one: &'a str, many: &'a str) -> &'a str {
    if count == 1 { one } else { many }
}

/// A count with its words: `1 row`, `1,200 rows`.
///
/// ```
/// use windvane_types::counting::counted;
/// assert_eq!(counted(1, "row", "rows"), "1 row");
/// assert_eq!(counted(1_200, "row", "rows"), "1,200 rows");
/// ```
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count), form(count, one, many))
}
