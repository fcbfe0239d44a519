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
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls as Encryption};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use lettre::transport::smtp::{Error, commands};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use windvane_types::span::in_words;

use super::{EmailSettings, Login, Tls, encryption};
use crate::chain::chain;
use crate::delivery::ATTEMPT_MAX;
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

/// A mail that the server has taken.
#[derive(Debug)]
pub(super) struct Taken {
    /// What it said.
    pub(super) response: Response,
    /// Those who should get it and whom it refused, each with the reason; never all of them.
    pub(super) refused: Vec<String>,
}

/// A mail that the server has not said to have taken.
#[derive(Debug)]
pub(super) struct NotSent {
    /// What happened.
    pub(super) answer: String,
    /// Whether another try would end alike.
    pub(super) for_good: bool,
}

impl NotSent {
    /// 5xx is an answer for good; a server without STARTTLS or with a wrong certificate will not change either. What a kept
    /// connection is refused may be about that connection, such as one mail too many: a new one tells.
    fn of(error: &Error, on_kept: bool) -> Self {
        let for_good = (error.is_permanent() || error.is_client() || error.is_tls()) && !on_kept;
        Self { answer: chain(error), for_good }
    }
}

impl Kept {
    /// Whether other mails had it before.
    fn is_used(&self) -> bool {
        self.mails > 0
    }
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
    /// Sends a mail once. Whoever stops waiting for it stops the connection, too. What comes before the mail itself has as long as
    /// an attempt elsewhere; a server that has all of it may look at it for longer, and is given up by whoever waits.
    pub(super) async fn send(&self, mail: &Mail) -> Result<Taken, NotSent> {
        let bytes = mail.formatted();
        let begun = timeout(ATTEMPT_MAX, self.begin(mail.envelope(), &bytes)).await;
        let silent = |_elapsed| NotSent {
            answer: format!("no answer within {}", in_words(ATTEMPT_MAX)),
            for_good: false,
        };
        let (_slot, mut kept, refused) = begun.map_err(silent)??;
        let response = match kept.connection.message(&bytes).await {
            Ok(response) => response,
            Err(error) => {
                let not_sent = NotSent::of(&error, kept.is_used());
                farewell(kept).await;
                return Err(not_sent);
            }
        };
        // The mail is taken: nothing is waited for any more, or our limit on time could make it be sent again.
        if kept.mails + 1 < MAILS_MAX {
            self.lock().push(Kept { mails: kept.mails + 1, since: Instant::now(), ..kept });
        }
        Ok(Taken { response, refused })
    }

    /// A connection on which the server waits for this mail, and those whom it refused.
    async fn begin(
        &self,
        envelope: &Envelope,
        bytes: &[u8],
    ) -> Result<(SemaphorePermit<'_>, Kept, Vec<String>), NotSent> {
        // With a mail there are fewer others than this, and a new connection is made only where none is kept.
        let slot = self.slots.acquire().await.expect("nobody closes it");
        let mut kept = match self.alive().await {
            Some(kept) => kept,
            None => {
                let connection = self.connect().await.map_err(|error| NotSent::of(&error, false))?;
                Kept { connection, mails: 0, since: Instant::now() }
            }
        };
        let on_kept = kept.is_used();
        match announce(&mut kept.connection, (envelope, bytes), on_kept).await {
            Ok(refused) => Ok((slot, kept, refused)),
            Err(not_sent) => {
                farewell(kept).await;
                Err(not_sent)
            }
        }
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

/// Tells the server of a mail, and says whom it refused: one address that is no more keeps the mail from nobody else. Where it
/// refuses all of them, or does not want one of them now, nobody gets the mail.
async fn announce(
    connection: &mut AsyncSmtpConnection,
    (envelope, bytes): (&Envelope, &[u8]),
    on_kept: bool,
) -> Result<Vec<String>, NotSent> {
    let parameters = parameters(connection, envelope, bytes)?;
    let not_sent = |error: Error| NotSent::of(&error, on_kept);
    let from = commands::Mail::new(envelope.from().cloned(), parameters);
    connection.command(from).await.map_err(not_sent)?;
    let mut refused = Vec::new();
    for to in envelope.to() {
        let others = refused.len() + 1 < envelope.to().len();
        match connection.command(commands::Rcpt::new(to.clone(), Vec::new())).await {
            Ok(_response) => {}
            // On a kept connection that may be about the connection.
            Err(error) if error.is_permanent() && others && !on_kept => {
                refused.push(format!("{to}, {}", chain(&error)));
            }
            Err(error) => return Err(not_sent(error)),
        }
    }
    connection.command(commands::Data).await.map_err(not_sent)?;
    Ok(refused)
}

/// What the server has to be able to do for this mail.
fn parameters(
    connection: &AsyncSmtpConnection,
    envelope: &Envelope,
    bytes: &[u8],
) -> Result<Vec<MailParameter>, NotSent> {
    let mut addresses = envelope.from().into_iter().chain(envelope.to());
    let is_ascii = addresses.all(|address| AsRef::<str>::as_ref(address).is_ascii());
    let body = MailParameter::Body(MailBodyParameter::EightBitMime);
    let mut parameters = Vec::new();
    for (needed, word, extension, parameter) in [
        (!is_ascii, "SMTPUTF8", Extension::SmtpUtfEight, MailParameter::SmtpUtfEight),
        (!bytes.is_ascii(), "8BITMIME", Extension::EightBitMime, body),
    ] {
        if !needed {
            continue;
        }
        if !connection.server_info().supports_feature(extension) {
            let answer = format!("the server does not offer {word}, which this mail needs");
            return Err(NotSent { answer, for_good: true });
        }
        parameters.push(parameter);
    }
    Ok(parameters)
}

/// A server that does not say goodbye is left without.
async fn farewell(mut kept: Kept) {
    let _ = timeout(QUIT_MAX, kept.connection.abort()).await;
}

#[cfg(test)]
mod tests;
