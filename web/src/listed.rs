//! What a report shows of a list that may be long: the most important first, and how much is left out.

use maud::{Markup, html};

use crate::numbers::thousands;

/// All items in their own order, or of more than `most` those with the smallest `rank`.
pub fn most_important<'a, T, K: Ord>(items: &'a [T], most: usize, rank: impl Fn(&T) -> K) -> Vec<&'a T> {
    let mut shown: Vec<&'a T> = items.iter().collect();
    if shown.len() > most {
        shown.sort_by_key(|&item| rank(item));
        shown.truncate(most);
    }
    shown
}

/// How many of all are shown, and where all of them are; nothing where none is left out.
pub fn rest(shown: usize, all: usize, what: &str) -> Markup {
    html! {
        @if all > shown {
            p.quiet { "Shown are " (thousands(shown as u64)) " of " (thousands(all as u64)) " " (what) "; the JSON document has all." }
        }
    }
}

/// What is said beneath a list of as many as a page shows: which these are, and where all are.
pub fn full(shown: usize, most: u64, which: &str, all: &str) -> Markup {
    html! {
        @if shown as u64 >= most {
            p.quiet { "Shown are the " (thousands(most)) " " (which) "; the " a href=(all) { "read API" } " pages through all." }
        }
    }
}

/// Names after each other, and how many more there are.
pub fn names(mut all: Vec<String>, most: usize) -> String {
    let more = all.len().saturating_sub(most);
    all.truncate(most);
    match more {
        0 => all.join(", "),
        more => format!("{} and {} more", all.join(", "), thousands(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_list_stays_in_its_order_and_a_long_one_begins_with_what_matters() {
        let items = [3, 1, 2, 1];
        let shown =
            |most| most_important(&items, most, |item| *item).into_iter().copied().collect::<Vec<i32>>();
        assert_eq!(shown(4), [3, 1, 2, 1]);
        assert_eq!(shown(3), [1, 1, 2]);
        assert_eq!(rest(4, 4, "checks").into_string(), "");
        assert!(
            rest(3, 4_000, "checks")
                .into_string()
                .contains("Shown are 3 of 4,000 checks; the JSON document has all.")
        );
    }

    #[test]
    fn a_list_as_long_as_a_page_shows_says_where_all_are() {
        assert_eq!(full(199, 200, "gates that ran last", "/api/v1/gates").into_string(), "");
        assert_eq!(
            full(200, 200, "gates that ran last", "/api/v1/gates").into_string(),
            "<p class=\"quiet\">Shown are the 200 gates that ran last; the <a href=\"/api/v1/gates\">read API</a> pages through all.</p>"
        );
    }

    #[test]
    fn names_say_how_many_more_there_are() {
        let all = || ["a", "b", "c"].map(str::to_owned).to_vec();
        assert_eq!(names(all(), 3), "a, b, c");
        assert_eq!(names(all(), 1), "a and 2 more");
    }
}
