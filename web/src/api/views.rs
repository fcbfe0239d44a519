//! `GET /api/v1/views` and `GET /api/v1/views/{view}`: the rows behind the pages as JSON, CSV or Arrow.
//!
//! The format is asked for with `format=json|csv|arrow`, else with `Accept`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use windvane_store::Store;
use windvane_store::views::{self, Asked, Kind, View};
use windvane_types::span;

use super::parameters::Page;
use super::problem::Problem;

/// The document of `/api/v1/views`.
#[derive(Debug, Serialize)]
pub struct Views {
    schema: &'static str,
    views: Vec<Described>,
}

#[derive(Debug, Serialize)]
struct Described {
    view: &'static str,
    about: &'static str,
    parameters: Vec<DescribedParameter>,
    href: String,
    sql: String,
}

#[derive(Debug, Serialize)]
struct DescribedParameter {
    name: &'static str,
    allowed: String,
    default: &'static str,
}

/// The document of `/api/v1/views/{view}`.
#[derive(Debug, Serialize)]
struct Rows {
    schema: &'static str,
    view: &'static str,
    sql: String,
    rows: Vec<serde_json::Value>,
    next_offset: Option<u64>,
}

/// How rows are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Csv,
    Arrow,
}

/// Every view with its parameters.
pub async fn list() -> Json<Views> {
    let described = |view: &&'static View| Described {
        view: view.name,
        about: view.about,
        parameters: view
            .parameters
            .iter()
            .map(|parameter| DescribedParameter {
                name: parameter.name,
                allowed: parameter.kind.allowed(),
                default: parameter.default,
            })
            .collect(),
        href: format!("/api/v1/views/{}", view.name),
        sql: view.spelled_out(&Asked::new()),
    };
    Json(Views { schema: "windvane.views/1", views: views::ALL.iter().map(described).collect() })
}

/// Parameters: those of the view, and `format`.
pub async fn one(
    State(store): State<Store>,
    Path(name): Path<String>,
    Query(mut sent): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let view = View::named(&name).ok_or(Problem::UnknownView(name))?;
    let format = format(sent.remove("format"), &headers)?;
    let asked = asked(view, sent)?;
    let (media_type, clause) = match format {
        Format::Json => return json(&store, view, &asked).await,
        Format::Csv => ("text/csv; charset=utf-8; header=present", "CSVWithNames"),
        Format::Arrow => ("application/vnd.apache.arrow.stream", "ArrowStream"),
    };
    let ending = if format == Format::Csv { "csv" } else { "arrow" };
    let body = store.answer(&view.statement(&asked), clause).await?;
    let file = format!("attachment; filename=\"{}.{ending}\"", view.name);
    Ok(([(header::CONTENT_TYPE, media_type.to_owned()), (header::CONTENT_DISPOSITION, file)], body)
        .into_response())
}

async fn json(store: &Store, view: &'static View, asked: &Asked) -> Result<Response, Problem> {
    let number = |name: &str| {
        let parameter = view.parameter(name)?;
        asked.get(name).map_or(parameter.default, String::as_str).parse::<u64>().ok()
    };
    // Only views that take an offset have pages. One row more shows whether there is a next one.
    let (rows, next_offset) = match (number("limit"), number("offset")) {
        (Some(limit), Some(offset)) if limit > 0 => {
            let mut reading = asked.clone();
            reading.insert("limit", limit.saturating_add(1).to_string());
            let page = Page { limit, offset };
            let mut rows: Vec<serde_json::Value> = view.rows(store, &reading).await?;
            let next_offset = page.next(rows.len());
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            (rows, next_offset)
        }
        _ => (view.rows(store, asked).await?, None),
    };
    let sql = view.spelled_out(asked);
    Ok(Json(Rows { schema: "windvane.view/1", view: view.name, sql, rows, next_offset }).into_response())
}

/// The values of a view's parameters, each checked.
pub fn asked(view: &View, sent: BTreeMap<String, String>) -> Result<Asked, Problem> {
    let mut asked = Asked::new();
    for (name, value) in sent {
        let Some(parameter) = view.parameter(&name) else {
            let known: Vec<&str> =
                view.parameters.iter().map(|parameter| parameter.name).chain(["format"]).collect();
            return Err(Problem::UnknownParameter { name, known: format!("`{}`", known.join("`, `")) });
        };
        let within = |least: u64, most: u64| {
            let number = value.parse::<u64>().ok().filter(|number| (least..=most).contains(number));
            number.map(|number| number.to_string())
        };
        let read = match parameter.kind {
            Kind::Text => Some(value.clone()),
            Kind::Time => {
                value.parse::<i64>().ok().or_else(|| span::instant(&value)).map(|us| us.to_string())
            }
            Kind::Count(max) => within(0, max),
            Kind::Seconds(max) => within(1, max),
        };
        let Some(read) = read else {
            return Err(Problem::InvalidParameter {
                name: parameter.name,
                value,
                allowed: parameter.kind.allowed(),
            });
        };
        asked.insert(parameter.name, read);
    }
    let instant = |name: &str| asked.get(name).and_then(|us| us.parse::<i64>().ok());
    match instant("from").zip(instant("to")) {
        Some((from, to)) if from > to => Err(Problem::InvalidParameter {
            name: "from",
            value: span::shown(from),
            allowed: format!("a time that is not after `to={}`", span::shown(to)),
        }),
        _ => Ok(asked),
    }
}

fn format(asked: Option<String>, headers: &HeaderMap) -> Result<Format, Problem> {
    if let Some(value) = asked {
        return match value.as_str() {
            "json" => Ok(Format::Json),
            "csv" => Ok(Format::Csv),
            "arrow" => Ok(Format::Arrow),
            _ => {
                let allowed = "one of `json`, `csv`, `arrow`".to_owned();
                Err(Problem::InvalidParameter { name: "format", value, allowed })
            }
        };
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // The first that we have; whoever names none gets JSON.
    let named = accept.split(',').find_map(|kind| match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => Some(Format::Json),
        "text/csv" => Some(Format::Csv),
        "application/vnd.apache.arrow.stream" => Some(Format::Arrow),
        _ => None,
    });
    Ok(named.unwrap_or(Format::Json))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(name: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(name.to_owned(), value.to_owned())])
    }

    #[test]
    fn values_are_checked_by_the_kind_of_their_parameter() {
        let view = View::named("traffic").unwrap();
        assert_eq!(asked(view, sent("from", "2013-01-01")).unwrap()["from"], "1356998400000000");
        assert_eq!(asked(view, sent("model", "it's")).unwrap()["model"], "it's");
        for (name, value) in
            [("from", "soon"), ("limit", "-1"), ("limit", "10001"), ("bucket", "0"), ("name", "x")]
        {
            assert!(asked(view, sent(name, value)).is_err(), "{name}={value}");
        }
        let span = |from: &str, to: &str| {
            asked(view, [sent("from", from), sent("to", to)].into_iter().flatten().collect())
        };
        assert!(span("2013-01-01", "2013-01-01").is_ok());
        let told = span("2013-01-02", "2013-01-01").unwrap_err().to_string();
        assert!(told.ends_with("a time that is not after `to=2013-01-01T00:00:00Z`"), "{told}");
        assert!(span("9223372036854775807", "-9223372036854775808").is_err());
    }

    #[test]
    fn what_a_parameter_is_said_to_allow_is_taken_and_what_lies_beyond_is_not() {
        for view in views::ALL {
            for parameter in view.parameters {
                let (least, most) = match parameter.kind {
                    Kind::Text | Kind::Time => continue,
                    Kind::Count(most) => (0, most),
                    Kind::Seconds(most) => (1, most),
                };
                let allowed = parameter.kind.allowed();
                assert!(allowed.ends_with(&format!("from {least} to {most}")), "{allowed}");
                let is_taken = |value: i128| asked(view, sent(parameter.name, &value.to_string())).is_ok();
                let (least, most) = (i128::from(least), i128::from(most));
                let taken = [least - 1, least, most, most + 1].map(is_taken);
                assert_eq!(taken, [false, true, true, false], "{} of {}", parameter.name, view.name);
            }
        }
    }

    #[test]
    fn the_format_is_asked_for_by_name_or_by_accept() {
        let accept = |value: &'static str| HeaderMap::from_iter([(header::ACCEPT, value.parse().unwrap())]);
        for (asked, headers, found) in [
            (Some("csv"), accept("application/json"), Format::Csv),
            (None, accept("text/html, text/csv;q=0.9"), Format::Csv),
            (None, accept("application/vnd.apache.arrow.stream"), Format::Arrow),
            (None, accept("*/*"), Format::Json),
            (None, HeaderMap::new(), Format::Json),
        ] {
            assert_eq!(format(asked.map(str::to_owned), &headers).unwrap(), found);
        }
        assert!(format(Some("xml".to_owned()), &HeaderMap::new()).is_err());
    }
}
