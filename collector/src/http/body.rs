//! Reads the body of a request whole, within bounds of bytes and of time: a client that sends a byte now and then holds nothing for long.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use thiserror::Error;

/// Why a body was not read. The rest of it is still on its way, so that the connection has no next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BodyRefused {
    /// It has more bytes than this.
    #[error("the body has more than the {0} bytes that are accepted")]
    TooLarge(usize),
    /// It broke off.
    #[error("the body ended before it was whole")]
    Incomplete,
    /// It was still on its way after this long.
    #[error("the body did not arrive within {} s", .0.as_secs_f64())]
    Late(Duration),
}

impl BodyRefused {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Incomplete => StatusCode::BAD_REQUEST,
            Self::Late(_) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The stable word.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge(_) => "body_too_large",
            Self::Incomplete => "body_incomplete",
            Self::Late(_) => "body_timeout",
        }
    }
}

/// Reads a body as it comes: so many bytes at most, and within this time from now.
///
/// # Errors
/// [`BodyRefused`] beyond the bounds, or where the client goes away.
pub async fn read_body(
    headers: &HeaderMap,
    body: Body,
    (bytes_max, within): (usize, Duration),
) -> Result<Bytes, BodyRefused> {
    let declared =
        headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > bytes_max) {
        return Err(BodyRefused::TooLarge(bytes_max));
    }
    match tokio::time::timeout(within, collect(body, bytes_max)).await {
        Ok(collected) => collected,
        Err(_elapsed) => Err(BodyRefused::Late(within)),
    }
}

async fn collect(body: Body, bytes_max: usize) -> Result<Bytes, BodyRefused> {
    let mut chunks = body.into_data_stream();
    let mut first = Bytes::new();
    let mut all = BytesMut::new();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| BodyRefused::Incomplete)?;
        if first.len().max(all.len()) + chunk.len() > bytes_max {
            return Err(BodyRefused::TooLarge(bytes_max));
        }
        if all.is_empty() && first.is_empty() {
            first = chunk;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&first);
        }
        all.extend_from_slice(&chunk);
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(body: Body, bytes_max: usize) -> Result<Bytes, BodyRefused> {
        read_body(&HeaderMap::new(), body, (bytes_max, Duration::from_secs(60))).await
    }

    fn in_parts(parts: &[&'static str]) -> Body {
        let parts: Vec<_> = parts.iter().map(|part| Ok::<_, std::io::Error>(Bytes::from(*part))).collect();
        Body::from_stream(futures_util::stream::iter(parts))
    }

    #[tokio::test]
    async fn a_body_of_as_many_bytes_as_are_accepted_is_read_and_one_more_is_refused() {
        for parts in [&["abcdef"][..], &["abc", "def"], &["a", "b", "cdef"]] {
            assert_eq!(read(in_parts(parts), 6).await, Ok(Bytes::from("abcdef")), "{parts:?}");
            assert_eq!(read(in_parts(parts), 5).await, Err(BodyRefused::TooLarge(5)), "{parts:?}");
        }
        assert_eq!(read(Body::empty(), 0).await, Ok(Bytes::new()));
    }
}
