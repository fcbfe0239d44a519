//! A mail server, and one connection to it that is kept for a moment, so that mails that come close together share it.
//!
//! A connection is with the mail that is being sent, or it is kept. It is kept when the server has said that it took the mail, and
//! never otherwise: one whose mail was cut off, by our limit on time or by a fault, goes with that mail. Its next command would be
//! part of the mail, and a late answer that of another one; lettre's own pool takes such a connection back. Nothing is sent twice
//! here: whoever hears that a mail was not sent decides that.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use lettre::Message as Mail;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls as Encryption};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::time::timeout;

use super::EmailSettings;

/// How long a connection is kept unused. Servers wait for five minutes, by RFC 5321.
pub(in crate::receiver) const IDLE_MAX: Duration = Duration::from_secs(30);
/// Mails on one connection: some servers take a hundred, some twenty.
const MAILS_MAX: u32 = 20;
/// How long a kept connection may take to show that it is alive; a new one is made after it.
const NOOP_MAX: Duration = Duration::from_secs(2);
/// How long the server may take to say goodbye.
const QUIT_MAX: Duration = Duration::from_secs(1);

/// A way to a mail server.
pub(super) struct Server {
    host: String,
    port: u16,
    encryption: Encryption,
    login: Option<Credentials>,
    hello: ClientId,
    kept: Mutex<Option<Kept>>,
}

/// A connection on which nothing is being said.
struct Kept {
    connection: AsyncSmtpConnection,
    mails: u32,
    since: Instant,
}

/// A mail that the server has not said to have taken.
#[derive(Debug)]
pub(super) struct NotSent {
    /// Why.
    pub(super) error: Error,
    /// Whether that was on a connection that other mails had before.
    pub(super) on_kept: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

impl Server {
    pub(super) fn new(settings: &EmailSettings, encryption: Encryption) -> Self {
        let login = settings.login.as_ref();
        Self {
            host: settings.host.clone(),
            port: settings.port,
            encryption,
            login: login
                .map(|login| Credentials::new(login.username.clone(), login.password.expose().to_owned())),
            hello: ClientId::default(),
            kept: Mutex::new(None),
        }
    }

    /// Sends a mail once. Whoever stops waiting for it stops the connection, too.
    pub(super) async fn send(&self, mail: &Mail) -> Result<Response, NotSent> {
        let kept = self.alive().await;
        let on_kept = kept.is_some();
        let not_sent = |error| NotSent { error, on_kept };
        let (mut connection, mails) = match kept {
            Some(kept) => (kept.connection, kept.mails),
            None => (self.connect().await.map_err(not_sent)?, 0),
        };
        let response = connection.send(mail.envelope(), &mail.formatted()).await.map_err(not_sent)?;
        // The mail is taken: nothing is waited for any more, or our limit on time could make it be sent again.
        if mails + 1 < MAILS_MAX {
            *self.lock() = Some(Kept { connection, mails: mails + 1, since: Instant::now() });
        }
        Ok(response)
    }

    /// What takes leave of the kept connection, where it has been unused for so long.
    pub(super) fn closing(&self, idle_min: Duration) -> Option<BoxFuture<'static, ()>> {
        let mut kept = self.lock().take_if(|kept| kept.since.elapsed() >= idle_min)?;
        Some(Box::pin(async move {
            // A server that does not say goodbye is left without.
            let _ = timeout(QUIT_MAX, kept.connection.abort()).await;
        }))
    }

    /// The kept connection, where it answers.
    async fn alive(&self) -> Option<Kept> {
        let kept = self.lock().take();
        let mut kept = kept.filter(|kept| kept.since.elapsed() < IDLE_MAX)?;
        let answers = timeout(NOOP_MAX, kept.connection.test_connected()).await;
        matches!(answers, Ok(true)).then_some(kept)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let address = (self.host.as_str(), self.port);
        let wrapper = match &self.encryption {
            Encryption::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        // The limit on an attempt covers this, too.
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(address, None, &self.hello, wrapper, None).await?;
        if let Encryption::Required(parameters) = &self.encryption {
            connection.starttls(parameters.clone(), &self.hello).await?;
        }
        if let Some(login) = &self.login {
            connection.auth(DEFAULT_MECHANISMS, login).await?;
        }
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
