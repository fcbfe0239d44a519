//! Parameters of a query: each known by name, read once, and refused with what would have been accepted.

use std::collections::BTreeMap;

use windvane_types::span;

use super::problem::Problem;

/// The furthest that paging goes; who needs more asks for a span of time.
const OFFSET_MAX: u64 = 1_000_000;

/// The parameters of a request.
#[derive(Debug)]
pub struct Parameters(BTreeMap<String, String>);

/// A part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Entries at most.
    pub limit: u64,
    /// Entries before the first one.
    pub offset: u64,
}

impl Page {
    /// Where the next page starts, where `found` entries show that there is one; asked for one more than the limit.
    pub fn next(self, found: usize) -> Option<u64> {
        (found as u64 > self.limit).then(|| self.offset + self.limit)
    }
}

impl Parameters {
    /// Takes what was sent, if every name is known.
    pub fn new(sent: BTreeMap<String, String>, known: &[&str]) -> Result<Self, Problem> {
        match sent.keys().find(|name| !known.contains(&name.as_str())) {
            None => Ok(Self(sent)),
            Some(name) => Err(Problem::UnknownParameter {
                name: name.clone(),
                known: format!("`{}`", known.join("`, `")),
            }),
        }
    }

    /// A text; empty where it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// One of these words.
    pub fn word(&self, name: &'static str, words: &[&str]) -> Result<&str, Problem> {
        match self.text(name) {
            "" => Ok(""),
            word if words.contains(&word) => Ok(word),
            other => Err(Problem::InvalidParameter {
                name,
                value: other.to_owned(),
                allowed: format!("one of `{}`", words.join("`, `")),
            }),
        }
    }

    /// An instant, microseconds since 1970 UTC.
    pub fn instant(&self, name: &'static str) -> Result<Option<i64>, Problem> {
        match self.text(name) {
            "" => Ok(None),
            text => span::instant(text).map(Some).ok_or_else(|| Problem::InvalidParameter {
                name,
                value: text.to_owned(),
                allowed: "a time such as 2013-01-01 or 2013-01-01T05:00:00Z".to_owned(),
            }),
        }
    }

    /// `from` and `to`, where they were sent: instants, microseconds since 1970 UTC, the first not after the second.
    pub fn span(&self) -> Result<[Option<i64>; 2], Problem> {
        let [from, to] = [self.instant("from")?, self.instant("to")?];
        match from.zip(to) {
            Some((from, to)) if from > to => Err(Problem::InvalidParameter {
                name: "from",
                value: self.text("from").to_owned(),
                allowed: format!("a time that is not after `to={}`", self.text("to")),
            }),
            _ => Ok([from, to]),
        }
    }

    /// `limit` and `offset`, with this default and maximum of the limit.
    pub fn page(&self, limit: u64, limit_max: u64) -> Result<Page, Problem> {
        Ok(Page {
            limit: self.number("limit", limit, (1, limit_max))?,
            offset: self.number("offset", 0, (0, OFFSET_MAX))?,
        })
    }

    /// A count, with this default.
    pub fn count(&self, name: &'static str, default: u64) -> Result<u64, Problem> {
        self.number(name, default, (0, u64::MAX))
    }

    fn number(&self, name: &'static str, default: u64, (min, max): (u64, u64)) -> Result<u64, Problem> {
        match self.text(name) {
            "" => Ok(default),
            text => text.parse().ok().filter(|number| (min..=max).contains(number)).ok_or_else(|| {
                Problem::InvalidParameter {
                    name,
                    value: text.to_owned(),
                    allowed: format!("a whole number from {min} to {max}"),
                }
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(sent: &[(&str, &str)]) -> Result<Parameters, Problem> {
        let sent = sent.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Parameters::new(sent, &["limit", "offset", "from", "to", "verdict"])
    }

    #[test]
    fn what_is_not_allowed_says_what_is() {
        let refused = |result: Result<(), Problem>| result.unwrap_err().to_string();
        let words = ["drift", "no_drift"];
        for (name, value, part) in [
            ("limit", "0", "a whole number from 1 to 100"),
            ("limit", "101", "a whole number from 1 to 100"),
            ("limit", "ten", "a whole number from 1 to 100"),
            ("offset", "-1", "a whole number from 0 to 1000000"),
            ("from", "yesterday", "a time such as 2013-01-01"),
            ("verdict", "bad", "one of `drift`, `no_drift`"),
        ] {
            let sent = parameters(&[(name, value)]).unwrap();
            let checked = sent
                .page(20, 100)
                .and_then(|_| sent.instant("from"))
                .and_then(|_| sent.word("verdict", &words))
                .map(|_| ());
            let told = refused(checked);
            assert!(told.contains(part) && told.contains(value), "{told}");
        }
        assert!(refused(parameters(&[("page", "2")]).map(|_| ())).contains("there are `limit`, `offset`"));
    }

    #[test]
    fn a_span_does_not_end_before_it_begins() {
        let of =
            |sent: &[(&str, &str)]| parameters(sent).unwrap().span().map_err(|problem| problem.to_string());
        let (from, to) = (("from", "2013-01-02"), ("to", "2013-01-01T23:59:59Z"));
        let told = of(&[from, to]).unwrap_err();
        assert_eq!(
            told,
            "`from=2013-01-02` is not allowed; allowed is a time that is not after `to=2013-01-01T23:59:59Z`"
        );
        assert_eq!(of(&[from]), Ok([Some(1_357_084_800_000_000), None]));
        assert_eq!(of(&[from, ("to", "2013-01-02")]), Ok([Some(1_357_084_800_000_000); 2]));
        assert_eq!(of(&[]), Ok([None, None]));
    }

    #[test]
    fn there_is_a_next_page_where_one_more_was_found() {
        let page = parameters(&[("offset", "40")]).unwrap().page(20, 100).unwrap();
        assert_eq!((page.next(20), page.next(21)), (None, Some(60)));
    }
}
