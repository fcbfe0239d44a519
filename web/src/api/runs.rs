//! Recorded runs of a model, page by page: how a kind of findings is asked for, read and put together.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use windvane_store::findings::runs::{Asked, Findings};
use windvane_store::{Store, StoreError};

use super::parameters::Parameters;
use super::problem::Problem;
use crate::views;

/// Runs of a page where nothing is said, and the most of them.
pub const USUAL: (u64, u64) = (20, 100);
/// Parameters of every kind; the first one comes before those of the kind.
const OF_EVERY_KIND: [&str; 5] = ["monitor", "from", "to", "limit", "offset"];

/// Values by the filter that they are of; see [`Findings`].
pub type Filters<'a> = Vec<(&'static str, &'a str)>;

/// A kind of findings: of rows of its table come its runs.
#[derive(Debug)]
pub struct Kind<Row, Run> {
    /// The name of its document.
    pub schema: &'static str,
    /// The table.
    pub findings: &'static Findings,
    /// Runs of a page where nothing is said, and the most of them.
    pub limits: (u64, u64),
    /// Its own parameters.
    pub parameters: &'static [&'static str],
    /// What these ask for.
    pub filters: fn(&Parameters) -> Result<Filters<'_>, Problem>,
    /// Puts rows together that come run by run.
    pub group: fn(Vec<Row>) -> Vec<Run>,
}

/// The document of `/api/v1/models/{model}/…`.
#[derive(Debug, Serialize)]
pub struct Runs<Run> {
    pub schema: &'static str,
    pub model: String,
    pub runs: Vec<Run>,
    pub next_offset: Option<u64>,
}

impl<Row: DeserializeOwned, Run> Kind<Row, Run> {
    /// The runs on the newest windows, the latest first, as a page shows them.
    ///
    /// # Errors
    /// ClickHouse does not answer or refuses.
    pub async fn newest(
        &self,
        store: &Store,
        model: &str,
        (filters, limit): (&[(&'static str, &str)], u64),
    ) -> Result<Vec<Run>, StoreError> {
        let asked = Asked { model, filters, from_us: None, to_us: None, limit, offset: 0 };
        Ok((self.group)(self.findings.rows(store, asked).await?))
    }

    /// The page that these parameters ask for: those of the kind, `monitor`, `from` and `to` (windows that overlap the span), `limit`,
    /// `offset` (in runs).
    ///
    /// # Errors
    /// A parameter is not allowed, the page is too large, nothing is recorded of the model, or ClickHouse does not answer.
    pub async fn page(
        &self,
        store: &Store,
        model: String,
        sent: BTreeMap<String, String>,
    ) -> Result<Runs<Run>, Problem> {
        let [monitor, span @ ..] = OF_EVERY_KIND;
        let known: Vec<&str> =
            std::iter::once(monitor).chain(self.parameters.iter().copied()).chain(span).collect();
        let parameters = Parameters::new(sent, &known)?;
        let page = parameters.page(self.limits.0, self.limits.1)?;
        let [from_us, to_us] = parameters.span()?;
        let mut filters = (self.filters)(&parameters)?;
        filters.push((monitor, parameters.text(monitor)));
        let asked = Asked {
            model: &model,
            filters: &filters,
            from_us,
            to_us,
            // One more tells whether there is a next page.
            limit: page.limit + 1,
            offset: page.offset,
        };
        let rows = self.findings.rows::<Row>(store, asked).await?;
        if rows.len() > self.findings.rows_max {
            return Err(Problem::PageTooLarge(self.findings.rows_max));
        }
        if rows.is_empty() && !views::is_recorded(store, &model).await? {
            return Err(Problem::UnknownModel(model));
        }
        let mut runs = (self.group)(rows);
        let next_offset = page.next(runs.len());
        runs.truncate(usize::try_from(page.limit).unwrap_or(usize::MAX));
        Ok(Runs { schema: self.schema, model, runs, next_offset })
    }
}

/// The filters behind `segment`: `key:value`, `none` for the whole population, nothing for all.
///
/// # Errors
/// It is neither.
pub fn part(parameters: &Parameters) -> Result<Filters<'_>, Problem> {
    match parameters.text("segment") {
        "" => Ok(Vec::new()),
        "none" => Ok(WHOLE.to_vec()),
        text => match text.split_once(':') {
            Some((key, value)) => Ok(vec![("segment", "one"), ("key", key), ("value", value)]),
            None => Err(Problem::InvalidParameter {
                name: "segment",
                value: text.to_owned(),
                allowed: "`none`, or a key and a value such as `region:east`".to_owned(),
            }),
        },
    }
}

/// The whole population without its segments.
pub const WHOLE: [(&str, &str); 1] = [("segment", "none")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_is_a_key_and_a_value_or_none() {
        let of = |text: &str| {
            let sent = BTreeMap::from([("segment".to_owned(), text.to_owned())]);
            let parameters = Parameters::new(sent, &["segment"]).unwrap();
            part(&parameters).map(|filters| format!("{filters:?}")).map_err(|problem| problem.to_string())
        };
        assert_eq!(of(""), Ok("[]".to_owned()));
        assert_eq!(of("none"), Ok(r#"[("segment", "none")]"#.to_owned()));
        let one = r#"[("segment", "one"), ("key", "region"), ("value", "a:b")]"#;
        assert_eq!(of("region:a:b"), Ok(one.to_owned()));
        assert!(of("region").unwrap_err().contains("`none`, or a key and a value"));
    }
}
