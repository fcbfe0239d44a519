//! Style and script of the pages, under names that change with their content, so that browsers keep them for good.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};
use windvane_types::hex;

use crate::page::{SCRIPT, STYLE, THEME};

/// A file that pages name.
#[derive(Debug)]
struct Asset {
    name: String,
    media_type: &'static str,
    text: &'static str,
}

static STYLE_ASSET: LazyLock<Asset> = LazyLock::new(|| Asset::new("page", "css", STYLE));
static SCRIPT_ASSET: LazyLock<Asset> = LazyLock::new(|| Asset::new("page", "js", SCRIPT));
static THEME_ASSET: LazyLock<Asset> = LazyLock::new(|| Asset::new("theme", "js", THEME));

impl Asset {
    fn new(stem: &str, ending: &str, text: &'static str) -> Self {
        let media_type =
            if ending == "css" { "text/css; charset=utf-8" } else { "text/javascript; charset=utf-8" };
        Self { name: format!("{stem}-{}.{ending}", tag(text.as_bytes())), media_type, text }
    }
}

/// A short name of a content: the first half of its SHA-256.
pub fn tag(content: &[u8]) -> String {
    hex::encode(&Sha256::digest(content)[..16])
}

/// Where the style is.
pub fn style_path() -> String {
    format!("/assets/{}", STYLE_ASSET.name)
}

/// Where the script is.
pub fn script_path() -> String {
    format!("/assets/{}", SCRIPT_ASSET.name)
}

/// Where the script is that chooses the theme.
pub fn theme_path() -> String {
    format!("/assets/{}", THEME_ASSET.name)
}

/// `/assets/…`.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Response {
    let found = [&STYLE_ASSET, &SCRIPT_ASSET, &THEME_ASSET].into_iter().find(|asset| asset.name == name);
    match found {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.media_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.text).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_style_or_script_leads_to_another_host() {
        for text in [STYLE, SCRIPT, THEME] {
            for outside in ["http://", "https://", "@import", "url(", "eval(", "innerHTML"] {
                assert!(!text.contains(outside), "`{outside}`");
            }
        }
        assert_ne!(script_path(), theme_path());
    }
}
