//! A mail server, and a bounded pool of connections to it that are kept for a moment, so that mails that come close together share
//! them, whichever receiver they go to.
//!
//! A connection is with the mail that is being sent, or it is kept. It is kept when the server has said that it took the mail, and
//! never otherwise: one whose mail was cut off, by our limit on time or by a fault, goes with that mail. Its next command would be
//! part of the mail, and a late answer that of another one; lettre's own pool takes such a connection back. Nothing is sent twice
//! here: whoever hears that a mail was not sent decides that.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use lettre::Message as Mail;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls as Encryption};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::{EmailSettings, Login, Tls, encryption};
use crate::receiver::SettingsFault;

/// How long a connection is kept unused. Servers wait for five minutes, by RFC 5321.
pub(in crate::receiver) const IDLE_MAX: Duration = Duration::from_secs(30);
/// Mails on one connection: some servers take a hundred, some twenty.
const MAILS_MAX: u32 = 20;
/// Connections to one server, with a mail or kept: as many as two receivers use at once by the usual `alerts.sends_max`, and fewer
/// than servers take from one address. A mail that finds all of them with others waits, within the limit on its attempt.
const CONNECTIONS_MAX: usize = 4;
/// How long a kept connection may take to show that it is alive; a new one is made after it.
const NOOP_MAX: Duration = Duration::from_secs(2);
/// How long the server may take to say goodbye.
const QUIT_MAX: Duration = Duration::from_secs(1);

/// The mail servers of several receivers: one for all that reach it in the same way.
#[derive(Debug, Default)]
pub struct MailServers(Vec<Arc<Server>>);

/// A mail server.
pub(super) struct Server {
    way: Way,
    encryption: Encryption,
    hello: ClientId,
    slots: Semaphore,
    /// The one that was used last is the last.
    kept: Mutex<Vec<Kept>>,
}

/// How a server is reached, and as whom.
#[derive(PartialEq, Eq)]
struct Way {
    host: String,
    port: u16,
    tls: Tls,
    ca_file: Option<PathBuf>,
    login: Option<Login>,
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
        let Way { host, port, .. } = &self.way;
        f.debug_struct("Server").field("host", host).field("port", port).finish_non_exhaustive()
    }
}

impl MailServers {
    /// The server of these settings, which is made where it is not there yet; nothing is connected.
    pub(super) fn of(&mut self, settings: &EmailSettings) -> Result<Arc<Server>, SettingsFault> {
        let EmailSettings { host, port, tls, ca_file, login, .. } = settings.clone();
        let way = Way { host, port, tls, ca_file, login };
        if let Some(known) = self.0.iter().find(|server| server.way == way) {
            return Ok(known.clone());
        }
        let server = Arc::new(Server {
            way,
            encryption: encryption(settings)?,
            hello: ClientId::default(),
            slots: Semaphore::new(CONNECTIONS_MAX),
            kept: Mutex::default(),
        });
        self.0.push(server.clone());
        Ok(server)
    }
}

impl Server {
    /// Sends a mail once. Whoever stops waiting for it stops the connection, too.
    pub(super) async fn send(&self, mail: &Mail) -> Result<Response, NotSent> {
        // With a mail there are fewer others than this, and a new connection is made only where none is kept.
        let _slot = self.slots.acquire().await.expect("nobody closes it");
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
            self.lock().push(Kept { connection, mails: mails + 1, since: Instant::now() });
        }
        Ok(response)
    }

    /// What takes leave of the kept connections that have been unused for so long.
    pub(super) fn closing(&self, idle_min: Duration) -> Option<BoxFuture<'static, ()>> {
        let is_old = |kept: &Kept| kept.since.elapsed() >= idle_min;
        let mut kept = self.lock();
        let (old, young): (Vec<Kept>, Vec<Kept>) = std::mem::take(&mut *kept).into_iter().partition(is_old);
        *kept = young;
        drop(kept);
        if old.is_empty() {
            return None;
        }
        Some(Box::pin(async move {
            join_all(old.into_iter().map(farewell)).await;
        }))
    }

    /// The kept connection that was used last, of those that answer.
    async fn alive(&self) -> Option<Kept> {
        while let Some(mut kept) = self.newest() {
            match timeout(NOOP_MAX, kept.connection.test_connected()).await {
                Ok(true) => return Some(kept),
                Ok(false) => {}
                // A server that is silent on one is silent on the others.
                Err(_elapsed) => self.lock().clear(),
            }
        }
        None
    }

    fn newest(&self) -> Option<Kept> {
        let mut kept = self.lock();
        if kept.last().is_some_and(|newest| newest.since.elapsed() >= IDLE_MAX) {
            kept.clear();
        }
        kept.pop()
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let address = (self.way.host.as_str(), self.way.port);
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
        if let Some(Login { username, password }) = &self.way.login {
            let credentials = Credentials::new(username.clone(), password.expose().to_owned());
            connection.auth(DEFAULT_MECHANISMS, &credentials).await?;
        }
        Ok(connection)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server that does not say goodbye is left without.
async fn farewell(mut kept: Kept) {
    let _ = timeout(QUIT_MAX, kept.connection.abort()).await;
}

#[cfg(test)]
mod tests;
