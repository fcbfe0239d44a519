//! Texts for receivers with a bound on their length.

/// What stands where a text was cut.
const MARK: &str = "… (cut)";

/// The text, or its start and a mark where it is longer than `max` characters; `max` is at least the mark's length.
pub fn truncated(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept = max.saturating_sub(MARK.chars().count());
    text.chars().take(kept).chain(MARK.chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::truncated;

    #[test]
    fn a_long_text_ends_in_a_mark_at_its_bound() {
        assert_eq!(truncated("aéb", 3), "aéb");
        let cut = truncated(&"é".repeat(100), 20);
        assert_eq!(cut.chars().count(), 20);
        assert!(cut.ends_with("… (cut)"));
    }
}
