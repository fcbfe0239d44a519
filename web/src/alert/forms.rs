//! What a person does about alerts in a browser: acknowledge, silence, end a silence. Each form leads back to the page.
//!
//! The gate lets a form through with the scope `admin` only, and not from a page of another site.

use axum::Form;
use axum::extract::State;
use axum::extract::rejection::FormRejection;
use axum::response::{Html, IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;
use windvane_store::Store;

use crate::api::alerts::{self, Acknowledged};
use crate::api::problem::Problem;
use crate::api::silences::{self, Wanted};
use crate::{page, pages};

/// The page that each form leads back to.
const BACK: &str = "/alerts";
/// Lengths to choose from.
const LENGTHS: [(&str, &str); 6] = [
    ("1h", "1 hour"),
    ("4h", "4 hours"),
    ("12h", "12 hours"),
    ("1d", "1 day"),
    ("7d", "1 week"),
    ("28d", "4 weeks"),
];

/// The fields of an acknowledgement.
#[derive(Debug, Deserialize)]
pub struct Acknowledgement {
    fingerprint: String,
    #[serde(flatten)]
    said: Acknowledged,
}

/// The fields of a silence: matchers a line each.
#[derive(Debug, Deserialize)]
pub struct Silencing {
    matchers: String,
    #[serde(rename = "for")]
    length: String,
    created_by: String,
    comment: String,
}

/// The field of the form that ends a silence.
#[derive(Debug, Deserialize)]
pub struct Ending {
    id: String,
}

/// `POST /alerts/acknowledge`.
pub async fn take_acknowledgement(
    State(store): State<Store>,
    form: Result<Form<Acknowledgement>, FormRejection>,
) -> Response {
    back(
        async {
            let Acknowledgement { fingerprint, said } = filled(form)?;
            alerts::acknowledged(&store, &fingerprint, &said).await.map(drop)
        }
        .await,
    )
}

/// `POST /alerts/silences`.
pub async fn take_silence(
    State(store): State<Store>,
    form: Result<Form<Silencing>, FormRejection>,
) -> Response {
    back(
        async {
            let form = filled(form)?;
            let lines = form.matchers.lines().map(str::trim).filter(|line| !line.is_empty());
            let wanted = Wanted {
                matchers: lines.map(str::to_owned).collect(),
                length: Some(form.length),
                created_by: form.created_by,
                comment: form.comment,
                ..Wanted::default()
            };
            silences::made_in(&store, wanted).await.map(drop)
        }
        .await,
    )
}

/// `POST /alerts/silences/end`.
pub async fn take_end(State(store): State<Store>, form: Result<Form<Ending>, FormRejection>) -> Response {
    back(async { silences::ended_in(&store, filled(form)?.id).await.map(drop) }.await)
}

fn filled<T>(form: Result<Form<T>, FormRejection>) -> Result<T, Problem> {
    let Form(form) = form?;
    Ok(form)
}

fn back(done: Result<(), Problem>) -> Response {
    match done {
        Ok(()) => Redirect::to(BACK).into_response(),
        Err(Problem::Store(error)) => pages::shown(Err(error)),
        Err(problem) => {
            let page = page::not_taken(&problem.to_string(), BACK);
            (problem.status(), Html(page.into_string())).into_response()
        }
    }
}

/// The form of an acknowledgement.
pub fn acknowledge(fingerprint: &str) -> Markup {
    html! {
        form.act method="post" action="/alerts/acknowledge" {
            input type="hidden" name="fingerprint" value=(fingerprint);
            label { "who looks after it" input name="by" required maxlength="200" autocomplete="username"; }
            label { "what to say" input name="comment" maxlength="1000"; }
            button type="submit" { "Acknowledge" }
        }
    }
}

/// The form of a silence of these matchers.
pub fn silence(of: &str, matchers: &str) -> Markup {
    html! {
        form.act method="post" action="/alerts/silences" id=(format!("silence-{of}")) {
            label { "alerts with, a line each" textarea name="matchers" rows="3" required placeholder="model=\"delay\"" { (matchers) } }
            label { "for" select name="for" { @for (word, name) in LENGTHS { option value=(word) { (name) } } } }
            label { "by" input name="created_by" required maxlength="200" autocomplete="username"; }
            label { "why" input name="comment" required maxlength="1000"; }
            button type="submit" { "Silence" }
        }
    }
}

/// The form that ends a silence now.
pub fn end(id: &str) -> Markup {
    html! {
        form method="post" action="/alerts/silences/end" {
            input type="hidden" name="id" value=(id);
            button type="submit" { "End now" }
        }
    }
}
