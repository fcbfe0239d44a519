//! The name that was probably meant where an unknown one is given.

/// How like two names must be (Jaro and Winkler) for one to be offered for the other.
const LIKENESS_MIN: f64 = 0.8;

/// The known name that is most like `word`, whatever the case; `None` where none is like it.
///
/// ```
/// use windvane_types::nearest::nearest;
/// assert_eq!(nearest("revenu", ["unit", "revenue"]), Some("revenue"));
/// assert_eq!(nearest("spend", ["unit", "arm"]), None);
/// ```
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let likeness = |known: &'a str| (strsim::jaro_winkler(&word, &known.to_lowercase()), known);
    let best = known.into_iter().map(likeness).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness > LIKENESS_MIN).map(|(_, known)| known)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_words_are_found_and_far_ones_are_not() {
        assert_eq!(nearest("Arm", ["arm", "unit"]), Some("arm"));
        assert_eq!(nearest("maen", ["mean", "proportion", "ratio", "quantile"]), Some("mean"));
        assert_eq!(nearest("histogram", ["mean", "proportion", "ratio", "quantile"]), None);
        assert_eq!(nearest("x", []), None);
    }
}
