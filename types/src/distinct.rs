//! A name that is given twice and means one thing.

/// Each item once, in the order in which it came first. Lists of names on a command line or in a configuration are sets: a method that
/// is named twice is no second test, and a column no second check.
///
/// ```
/// use windvane_types::distinct::distinct;
/// assert_eq!(distinct(["ks", "psi", "ks"]), ["ks", "psi"]);
/// ```
pub fn distinct<T: PartialEq>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for item in items {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
    }
    distinct
}
