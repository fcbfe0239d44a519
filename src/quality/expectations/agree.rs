//! Values of a column that another one contradicts: they would be read, and never looked at.

use windvane_types::quality::{ColumnExpectations, Holds};

/// What is wrong, each with the key that it is said of.
pub(super) fn faults(expected: &ColumnExpectations) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    if expected.closed && expected.categories.is_none() {
        faults.push(("closed", "it needs `categories`, the values that there may be".to_owned()));
    }
    let Some(holds) = expected.holds else { return faults };
    let numbers = [
        ("range", expected.range.is_some()),
        ("non_negative", expected.non_negative),
        ("infinite", expected.infinite.is_some()),
    ];
    let texts = [
        ("empty", expected.empty.is_some()),
        ("length", expected.length.is_some()),
        ("categories", expected.categories.is_some()),
    ];
    let [is_number, is_list] =
        [[Holds::Integer, Holds::Number], [Holds::Vector, Holds::Other]].map(|some| some.contains(&holds));
    for (of, keys, fits) in [("numbers", numbers, is_number), ("single values", texts, !is_list)] {
        for (key, _) in keys.into_iter().filter(|(_, is_there)| *is_there && !fits) {
            faults.push((key, format!("it is of {of}, and `type` is `{}`", holds.as_str())));
        }
    }
    faults
}
