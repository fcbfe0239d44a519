//! `/api/v1/silences`: GET lists silences that have not ended, POST makes one, DELETE ends one.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use windvane_store::Store;
use windvane_store::alerts::silences;
use windvane_types::alert::Silence;
use windvane_types::matcher::Matcher;
use windvane_types::{Clock, SystemClock, span};

use super::parameters::Parameters;
use super::problem::Problem;

/// Matchers of a silence, and characters of its texts.
const MATCHERS_MAX: usize = 20;
pub const TEXT_MAX: usize = 1_000;
/// Silences of a page, and the most of them.
const LIMIT: u64 = 200;
const LIMIT_MAX: u64 = 1_000;

/// The document of `/api/v1/silences`.
#[derive(Debug, Serialize)]
pub struct Silences {
    schema: &'static str,
    silences: Vec<Shown>,
    next_offset: Option<u64>,
}

/// A silence as it is shown.
#[derive(Debug, Serialize)]
pub struct Shown {
    id: String,
    state: &'static str,
    matchers: Vec<Matcher>,
    starts_at: String,
    ends_at: String,
    created_by: String,
    comment: String,
}

/// What a silence is made of. One of `ends_at` and `for` is needed.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Alerts that fulfil all of them are not told.
    pub matchers: Vec<String>,
    /// From when, RFC 3339; now unless given.
    pub starts_at: Option<String>,
    /// Until when, RFC 3339.
    pub ends_at: Option<String>,
    /// For how long, such as `2h`.
    #[serde(rename = "for")]
    pub length: Option<String>,
    /// Who makes it.
    #[serde(default)]
    pub created_by: String,
    /// Why.
    pub comment: String,
}

/// Silences that hold or will, the first to end first. Parameters: `limit`, `offset`.
pub async fn list(
    State(store): State<Store>,
    Query(sent): Query<BTreeMap<String, String>>,
) -> Result<Json<Silences>, Problem> {
    let page = Parameters::new(sent, &["limit", "offset"])?.page(LIMIT, LIMIT_MAX)?;
    let now_us = SystemClock.now().as_microsecond();
    let found = silences::read(&store, now_us).await?;
    let size = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let shown = found.into_iter().skip(size(page.offset)).take(size(page.limit + 1));
    let mut silences: Vec<Shown> = shown.map(|silence| Shown::of(silence, now_us)).collect();
    let next_offset = page.next(silences.len());
    silences.truncate(size(page.limit));
    Ok(Json(Silences { schema: "windvane.silences/1", silences, next_offset }))
}

/// Makes a silence. A body that is no JSON by its content type is refused, so that a page of another site cannot send one.
pub async fn create(
    State(store): State<Store>,
    body: Result<Json<Wanted>, JsonRejection>,
) -> Result<Json<Shown>, Problem> {
    let Json(wanted) = body?;
    made_in(&store, wanted).await.map(Json)
}

/// Ends a silence now.
pub async fn end(State(store): State<Store>, Path(id): Path<String>) -> Result<Json<Shown>, Problem> {
    ended_in(&store, id).await.map(Json)
}

/// Makes a silence in the store.
///
/// # Errors
/// It is none, there are too many, or ClickHouse does not take it.
pub async fn made_in(store: &Store, wanted: Wanted) -> Result<Shown, Problem> {
    let now_us = SystemClock.now().as_microsecond();
    let silence = made(wanted, now_us).map_err(Problem::InvalidBody)?;
    silences::make(store, &silence, now_us).await?;
    Ok(Shown::of(silence, now_us))
}

/// Ends a silence of the store now.
///
/// # Errors
/// There is none of this id, or ClickHouse does not answer.
pub async fn ended_in(store: &Store, id: String) -> Result<Shown, Problem> {
    let now_us = SystemClock.now().as_microsecond();
    let known = silences::read(store, now_us).await?;
    let silence = known.into_iter().find(|silence| silence.id == id).ok_or(Problem::UnknownSilence(id))?;
    let ended = Silence { ends_at_us: now_us.max(silence.starts_at_us), ..silence };
    silences::write(store, &ended).await?;
    Ok(Shown::of(ended, now_us))
}

fn made(wanted: Wanted, now_us: i64) -> Result<Silence, String> {
    let instant = |name: &str, text: &str| {
        span::instant(text)
            .ok_or_else(|| format!("`{name}` is `{text}`; allowed is a time such as 2026-03-01T22:00:00Z"))
    };
    if wanted.matchers.is_empty() || wanted.matchers.len() > MATCHERS_MAX {
        return Err(format!(
            "`matchers` has {} entries; allowed are 1 to {MATCHERS_MAX}",
            wanted.matchers.len()
        ));
    }
    if wanted.comment.trim().is_empty() {
        return Err("`comment` is empty; say why".to_owned());
    }
    for (name, text) in [("comment", &wanted.comment), ("created_by", &wanted.created_by)] {
        if text.chars().count() > TEXT_MAX {
            return Err(format!("`{name}` has more than {TEXT_MAX} characters"));
        }
    }
    let matchers = wanted.matchers.iter().map(|text| text.parse()).collect::<Result<Vec<Matcher>, _>>()?;
    let starts_at_us = wanted.starts_at.map_or(Ok(now_us), |text| instant("starts_at", &text))?;
    let ends_at_us = match (wanted.ends_at, wanted.length) {
        (Some(text), None) => instant("ends_at", &text)?,
        (None, Some(text)) => {
            let length_us = span::length_us(&text)
                .ok_or_else(|| format!("`for` is `{text}`; allowed is a length such as 90m, 4h or 2d"))?;
            starts_at_us.saturating_add(length_us)
        }
        _ => return Err("one of `ends_at` and `for` is needed".to_owned()),
    };
    let created_by = if wanted.created_by.is_empty() { "api".to_owned() } else { wanted.created_by };
    let id = Uuid::now_v7().to_string();
    let silence = Silence { id, matchers, starts_at_us, ends_at_us, created_by, comment: wanted.comment };
    silence.check(now_us)?;
    Ok(silence)
}

impl Shown {
    fn of(silence: Silence, now_us: i64) -> Self {
        Self {
            state: match silence.holds(now_us) {
                true => "active",
                false if silence.ends_at_us <= now_us => "expired",
                false => "pending",
            },
            id: silence.id,
            matchers: silence.matchers,
            starts_at: span::shown(silence.starts_at_us),
            ends_at: span::shown(silence.ends_at_us),
            created_by: silence.created_by,
            comment: silence.comment,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(text: &str) -> Result<Silence, String> {
        made(serde_json::from_str(text).map_err(|error| error.to_string())?, 1_000_000)
    }

    #[test]
    fn a_silence_needs_matchers_an_end_and_a_reason() {
        let right = wanted(r#"{"matchers":["model=delay"],"for":"2h","comment":"retraining"}"#).unwrap();
        assert_eq!((right.starts_at_us, right.ends_at_us), (1_000_000, 7_201_000_000));
        for (text, part) in [
            (r#"{"matchers":[],"for":"2h","comment":"c"}"#, "1 to 20"),
            (r#"{"matchers":["x"],"for":"2h","comment":"c"}"#, "is no matcher"),
            (r#"{"matchers":["a=b"],"comment":"c"}"#, "one of `ends_at` and `for`"),
            (r#"{"matchers":["a=b"],"for":"soon","comment":"c"}"#, "a length such as"),
            (r#"{"matchers":["a=b"],"ends_at":"1970-01-01","comment":"c"}"#, "has ended already"),
            (r#"{"matchers":["a!=b"],"for":"2h","comment":"c"}"#, "has to ask for a value"),
            (r#"{"matchers":["a=b"],"for":"2h","comment":" "}"#, "say why"),
            (r#"{"matchers":["a=b"],"for":"2h","comment":"c","until":"x"}"#, "unknown field"),
        ] {
            let told = wanted(text).unwrap_err();
            assert!(told.contains(part), "{text}: {told}");
        }
    }
}
