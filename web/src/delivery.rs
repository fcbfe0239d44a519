//! What every answer carries: a tag, so that what has not changed is not sent again, and rules for the browser.

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::assets::tag;
use crate::pages;

/// Answers may be so large.
const ANSWER_MIB_MAX: usize = 64;

/// Most of what axum says of an address that it cannot read.
const REFUSAL_BYTES_MAX: usize = 64 << 10;

/// Nothing but what the service itself serves; reports and charts carry no styles of their own.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// Tags an answer, says 304 where the client has it already, and adds the rules.
pub async fn deliver(mut request: Request, next: Next) -> Response {
    let known = request.headers().get(header::IF_NONE_MATCH).cloned();
    let reads = [Method::GET, Method::HEAD].contains(request.method());
    if reads {
        // HEAD has the tag and the length of what GET has; the router leaves the content out.
        *request.method_mut() = Method::GET;
    }
    let is_for_people = pages::is_for_people(request.uri(), request.headers());
    let mut response = next.run(request).await;
    // Nothing of ours is plain text: it is axum that refuses.
    if response.status() == StatusCode::BAD_REQUEST && is_of(&response, "text/plain") {
        let why = to_bytes(response.into_body(), REFUSAL_BYTES_MAX).await.unwrap_or_default();
        response = pages::not_read(String::from_utf8_lossy(&why).into_owned(), is_for_people);
    }
    rules(response.headers_mut());
    let ours = response.headers().contains_key(header::CACHE_CONTROL);
    let streams = is_of(&response, "text/event-stream");
    if !reads || ours || streams || response.status() != StatusCode::OK {
        return response;
    }
    tagged(response, known.as_ref(), is_for_people).await
}

/// The answer with its tag; 304 where the client has it already.
async fn tagged(response: Response, known: Option<&HeaderValue>, is_for_people: bool) -> Response {
    let (mut parts, body) = response.into_parts();
    // What is no stream is whole already: nothing but its length is in the way.
    let Ok(bytes) = to_bytes(body, ANSWER_MIB_MAX << 20).await else {
        let mut refused = pages::too_large(ANSWER_MIB_MAX, is_for_people);
        rules(refused.headers_mut());
        return refused;
    };
    let tag = format!("\"{}\"", tag(&bytes));
    let same = known.and_then(|known| known.to_str().ok()).is_some_and(|known| matches(known, &tag));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        parts.headers.insert(header::ETAG, tag);
    }
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

/// Whether an answer is of this media type.
fn is_of(response: &Response, media_type: &str) -> bool {
    let kind = response.headers().get(header::CONTENT_TYPE);
    kind.is_some_and(|kind| kind.as_bytes().starts_with(media_type.as_bytes()))
}

/// Whether one of the tags that a client names is this one; a weak tag is as good for a whole answer.
fn matches(known: &str, tag: &str) -> bool {
    known.split(',').map(|one| one.trim().trim_start_matches("W/")).any(|one| one == "*" || one == tag)
}

fn rules(headers: &mut HeaderMap) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use serde_json::Value;

    use super::*;

    #[tokio::test]
    async fn an_answer_beyond_the_bound_says_what_to_ask_for() {
        let answer = |bytes: usize| vec![b'1'; bytes].into_response();
        let most = ANSWER_MIB_MAX << 20;
        assert_eq!(tagged(answer(most), None, false).await.status(), StatusCode::OK);
        for (is_for_people, kind) in [(false, "application/problem+json"), (true, "text/html")] {
            let refused = tagged(answer(most + 1), None, is_for_people).await;
            assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
            assert!(is_of(&refused, kind), "{kind}: {:?}", refused.headers());
            assert!(refused.headers().contains_key(header::CONTENT_SECURITY_POLICY));
            let body = to_bytes(refused.into_body(), 1 << 20).await.unwrap();
            let text = String::from_utf8(body.to_vec()).unwrap();
            assert!(text.contains("64 MiB") && text.contains("limit"), "{text}");
            if !is_for_people {
                let problem: Value = serde_json::from_str(&text).unwrap();
                assert_eq!(problem["code"], "page_too_large", "{problem}");
            }
        }
    }

    #[test]
    fn any_of_several_tags_counts() {
        for (known, same) in [
            ("\"a\"", true),
            ("\"b\", W/\"a\"", true),
            ("*", true),
            ("\"b\"", false),
            ("a", false),
            ("", false),
        ] {
            assert_eq!(matches(known, "\"a\""), same, "{known}");
        }
    }
}
