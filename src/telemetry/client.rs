//! What telemetry of our own is sent by: HTTP, or HTTPS by rustls. It blocks, because the thread that sends traces has no runtime.

use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use anyhow::Context;
use axum::http::{Request, Response};
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError};
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::config::Telemetry;

/// How long one message may take, and the last one at the end.
pub const SEND: Duration = Duration::from_secs(5);
/// Bytes of an answer that are read.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// A client for the receiver of one configuration; clones share its connections.
#[derive(Debug, Clone)]
pub struct Client(Agent);

impl Client {
    /// A client that trusts the certificates of `ca_file`, or else the public authorities.
    ///
    /// # Errors
    /// The file cannot be read, or holds no certificate.
    pub fn new(telemetry: &Telemetry) -> anyhow::Result<Self> {
        let mut tls = TlsConfig::builder();
        if let Some(file) = &telemetry.ca_file {
            tls = tls.root_certs(RootCerts::from(certificates(file)?));
        }
        // A redirect would send what was meant for one host to another.
        let config = Agent::config_builder()
            .tls_config(tls.build())
            .timeout_global(Some(SEND))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .build();
        Ok(Self(config.new_agent()))
    }

    /// Sends a request and waits for the answer, whatever its status.
    ///
    /// # Errors
    /// There was no answer.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let (head, body) = self.0.run(Request::from_parts(head, &body[..]))?.into_parts();
        let body = body.into_with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Response::from_parts(head, body.into()))
    }
}

impl HttpClient for Client {
    fn send_bytes<'client, 'sent>(
        &'client self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'sent>>
    where
        'client: 'sent,
        Self: 'sent,
    {
        Box::pin(async move { self.send(request) })
    }
}

/// The certificates of a file in PEM.
///
/// # Errors
/// It cannot be read, or holds none.
pub fn certificates(file: &Path) -> anyhow::Result<Vec<Certificate<'static>>> {
    let text = std::fs::read(file).with_context(|| format!("cannot read `{}`", file.display()))?;
    let mut found = Vec::new();
    for item in parse_pem(&text) {
        if let PemItem::Certificate(certificate) =
            item.with_context(|| format!("cannot read the certificates in `{}`", file.display()))?
        {
            found.push(certificate);
        }
    }
    anyhow::ensure!(!found.is_empty(), "`{}` holds no certificate in PEM", file.display());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::path::PathBuf;
    use std::sync::Arc;

    use tokio_rustls::rustls::{ServerConnection, StreamOwned};

    use super::*;
    use crate::service::TlsFiles;

    fn made(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories/tls").join(name)
    }

    /// A server over TLS that answers one request a connection; it ends with the test's process.
    fn receiver() -> String {
        let files = TlsFiles { cert: made("vouched.crt"), key: made("vouched.key") };
        let config = Arc::new(files.load().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
                let mut line = String::new();
                // A client that does not trust the certificate is gone before its first line.
                while stream.read_line(&mut line).is_ok_and(|read| read > 0) && line != "\r\n" {
                    line.clear();
                }
                let answer = b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n";
                let _ = stream.get_mut().write_all(answer).and_then(|()| stream.get_mut().flush());
            }
        });
        endpoint
    }

    fn ask(endpoint: &str, ca_file: Option<PathBuf>) -> Result<u16, String> {
        let telemetry = Telemetry {
            endpoint: endpoint.to_owned(),
            ca_file,
            metrics_every: Duration::from_secs(60),
            traces_share: 0.0,
        };
        let request = Request::post(endpoint).body(Bytes::new()).unwrap();
        let answer = Client::new(&telemetry).unwrap().send(request);
        answer.map(|answer| answer.status().as_u16()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_receiver_over_tls_has_to_be_vouched_for() {
        let endpoint = receiver();
        assert_eq!(ask(&endpoint, Some(made("authority.crt"))), Ok(204));
        for stranger in [None, Some(made("first.crt"))] {
            let told = ask(&endpoint, stranger.clone()).unwrap_err();
            assert!(told.to_lowercase().contains("certificate"), "{stranger:?}: {told}");
        }
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let told = certificates(&made("vouched.key")).unwrap_err().to_string();
        assert!(told.ends_with("vouched.key` holds no certificate in PEM"), "{told}");
        assert!(certificates(&made("nowhere.crt")).unwrap_err().to_string().starts_with("cannot read"));
    }
}
