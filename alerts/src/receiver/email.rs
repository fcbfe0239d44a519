//! Mail over SMTP: text and HTML, marked as sent by a program.

mod server;

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use lettre::Message as Mail;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue};
use lettre::message::{Attachment, Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::client::{Certificate, Tls as Encryption, TlsParameters};
use windvane_store::Secret;

pub(super) use self::server::IDLE_MAX;
pub use self::server::MailServers;
use self::server::{NotSent, Server, Taken};
use super::SettingsFault;
use crate::delivery::Attempt;
use crate::message::{Image, Message};
use crate::notification::{Notification, hash};

/// How long an attempt may take: a server that has a mail may look into it before it says that it takes it, and one that is left
/// meanwhile delivers that mail and every further try. RFC 5321 asks for ten minutes; a filter takes less than one.
pub(super) const ATTEMPT_MAX: Duration = Duration::from_secs(60);

/// How a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    None,
    /// After STARTTLS, which the server must offer.
    StartTls,
    /// From the first byte.
    Wrapper,
}

impl Tls {
    /// The port that is usual for it.
    #[must_use]
    pub fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::StartTls => 587,
            Self::Wrapper => 465,
        }
    }
}

/// Who we are to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The user.
    pub username: String,
    /// The user's password.
    pub password: Secret,
}

/// What mail is sent with.
#[derive(Debug, Clone)]
pub struct EmailSettings {
    /// The server's name.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// A PEM file with certificates to trust beside the public ones.
    pub ca_file: Option<PathBuf>,
    /// The sender.
    pub from: String,
    /// Who receives it.
    pub to: Vec<String>,
    /// Who we are to the server.
    pub login: Option<Login>,
}

/// A way to a mail server.
#[derive(Debug)]
pub struct Email {
    server: Arc<Server>,
    from: Mailbox,
    to: Vec<Mailbox>,
    domain: String,
}

impl Email {
    /// The way to one of these servers, or to another one that is put beside them.
    pub fn new(settings: &EmailSettings, servers: &mut MailServers) -> Result<Self, SettingsFault> {
        let from = mailbox("from", &settings.from)?;
        let to: Vec<Mailbox> = settings.to.iter().map(|to| mailbox("to", to)).collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(SettingsFault { key: "to", problem: "names nobody".to_owned() });
        }
        let server = servers.of(settings)?;
        let domain = from.email.domain().to_owned();
        Ok(Self { server, from, to, domain })
    }

    /// What takes leave of connections that have been kept unused for so long.
    pub fn closing(&self, idle_min: Duration) -> Option<BoxFuture<'static, ()>> {
        self.server.closing(idle_min)
    }

    pub async fn send(&self, notification: &Notification, message: &Message) -> Attempt {
        let mail = match self.mail(notification, message) {
            Ok(mail) => mail,
            Err(error) => return Attempt::Refused(format!("the mail cannot be made: {error}")),
        };
        match self.server.send(&mail).await {
            Ok(Taken { response, refused }) => {
                let words = response.message().collect::<Vec<_>>().join(" ");
                let answer = format!("{}: {words}", response.code());
                if refused.is_empty() {
                    return Attempt::Taken(answer);
                }
                let (receiver, refused) = (&notification.receiver, refused.join("; "));
                tracing::warn!(
                    receiver,
                    refused,
                    "the mail server refuses some of a receiver; the others have the mail"
                );
                Attempt::Taken(format!("{answer}; not for those whom it refused: {refused}"))
            }
            Err(NotSent { answer, for_good: true }) => Attempt::Refused(answer),
            Err(NotSent { answer, for_good: false }) => Attempt::Later { answer, pause: None },
        }
    }

    pub(super) fn mail(
        &self,
        notification: &Notification,
        message: &Message,
    ) -> Result<Mail, lettre::error::Error> {
        let thread = format!("<{}@{}>", thread(notification), self.domain);
        let mut builder = Mail::builder()
            .from(self.from.clone())
            .subject(&message.subject)
            .message_id(Some(format!("<{}@{}>", notification.id, self.domain)))
            .references(thread.clone())
            .in_reply_to(thread)
            .header(AutoSubmitted)
            .header(ListId(list_id(&notification.receiver)));
        // Without a date of ours the builder takes the moment of sending.
        if let Ok(date) = SystemTime::try_from(notification.made_at) {
            builder = builder.date(date);
        }
        for to in &self.to {
            builder = builder.to(to.clone());
        }
        let text = SinglePart::builder().header(ContentType::TEXT_PLAIN).body(message.text.clone());
        let html = SinglePart::builder().header(ContentType::TEXT_HTML).body(message.html.clone());
        let both = MultiPart::alternative().singlepart(text);
        builder.multipart(match message.images.is_empty() {
            true => both.singlepart(html),
            false => both.multipart(with_images(html, &message.images)),
        })
    }
}

/// The HTML with the images that it shows, which no mail program has to fetch from elsewhere.
fn with_images(html: SinglePart, images: &[Image]) -> MultiPart {
    let kind = ContentType::parse("image/png").expect("it is a type");
    let related = MultiPart::related().singlepart(html);
    let inline =
        |image: &Image| Attachment::new_inline(image.name.clone()).body(image.png.clone(), kind.clone());
    images.iter().fold(related, |related, image| related.singlepart(inline(image)))
}

/// Names the thread of a group, so that mail programs show its mails together.
fn thread(notification: &Notification) -> String {
    format!("group-{:016x}", hash(&notification.group_key()))
}

/// Names what is sent to one receiver; letters and digits only, because it looks like a host name.
fn list_id(receiver: &str) -> String {
    let name: String = receiver
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .collect();
    format!("Windvane <{name}.windvane>")
}

fn mailbox(key: &'static str, text: &str) -> Result<Mailbox, SettingsFault> {
    text.parse().map_err(|_| SettingsFault {
        key,
        problem: format!(
            "`{text}` is no mail address; allowed is `name@example.org` or `Name <name@example.org>`"
        ),
    })
}

fn encryption(settings: &EmailSettings) -> Result<Encryption, SettingsFault> {
    if settings.tls == Tls::None {
        return Ok(Encryption::None);
    }
    let fault = |key, problem| SettingsFault { key, problem };
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let pem = std::fs::read(path)
            .map_err(|error| fault("ca_file", format!("cannot read `{}`: {error}", path.display())))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| {
            fault("ca_file", format!("`{}` holds no certificate: {error}", path.display()))
        })?;
        parameters = parameters.add_root_certificate(certificate);
    }
    let parameters =
        parameters.build_rustls().map_err(|error| fault("host", format!("no TLS can be made: {error}")))?;
    Ok(match settings.tls {
        Tls::Wrapper => Encryption::Wrapper(parameters),
        _ => Encryption::Required(parameters),
    })
}

/// Tells other programs that this mail comes from a program, so that they do not answer it.
#[derive(Debug, Clone, Copy)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".to_owned())
    }
}

/// Lets people sort the mails of a receiver.
#[derive(Debug, Clone)]
struct ListId(String);

impl Header for ListId {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("List-Id")
    }

    fn parse(text: &str) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self(text.to_owned()))
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    fn settings() -> EmailSettings {
        EmailSettings {
            host: "localhost".to_owned(),
            port: 25,
            tls: Tls::None,
            ca_file: None,
            from: "Windvane <windvane@example.org>".to_owned(),
            to: vec!["a@example.org".to_owned(), "B <b@example.org>".to_owned()],
            login: Some(Login { username: "u".to_owned(), password: Secret::new("hunter2") }),
        }
    }

    #[tokio::test]
    async fn a_mail_says_that_a_program_wrote_it_and_keeps_its_id() {
        let email = Email::new(&settings(), &mut MailServers::default()).unwrap();
        let notification = Notification::test("On Call", "0198".to_owned(), Timestamp::UNIX_EPOCH);
        let mail = email.mail(&notification, &Message::of(&notification)).unwrap();
        let text = String::from_utf8(mail.formatted()).unwrap();
        for header in [
            "From: Windvane <windvane@example.org>\r\n",
            "To: a@example.org, B <b@example.org>\r\n",
            "Subject: [TEST] This is a test notification; nothing is wrong\r\n",
            "Message-ID: <0198@example.org>\r\n",
            "Auto-Submitted: auto-generated\r\n",
            "List-Id: Windvane <on-call.windvane>\r\n",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
            "Content-Type: text/plain; charset=utf-8\r\n",
            "Content-Type: text/html; charset=utf-8\r\n",
        ] {
            assert!(text.contains(header), "{header} is not in {text}");
        }
    }

    #[tokio::test]
    async fn debug_does_not_print_the_password() {
        let shown =
            format!("{:?} {:?}", settings(), Email::new(&settings(), &mut MailServers::default()).unwrap());
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn a_wrong_address_names_its_key_and_what_is_allowed() {
        let wrong = EmailSettings { to: vec!["nobody".to_owned()], ..settings() };
        let fault = Email::new(&wrong, &mut MailServers::default()).map(|_| ());
        assert_eq!(
            fault.unwrap_err().to_string(),
            "to: `nobody` is no mail address; allowed is `name@example.org` or `Name <name@example.org>`"
        );
    }
}
