//! Receivers: one file a kind. A receiver is made of settings, and makes one attempt at a time.

mod alertmanager;
mod discord;
mod email;
mod embedded;
mod exec;
mod file;
mod http;
mod opsgenie;
mod pagerduty;
mod slack;
mod target;
mod teams;
mod telegram;
mod webhook;

#[cfg(test)]
mod tests;

pub use self::email::{EmailSettings, Login, MailServers, Tls};
pub use self::target::{HttpSettings, Targets};

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use thiserror::Error;
use windvane_store::Secret;

use self::email::Email;
use self::exec::Exec;
use self::file::Lines;
use self::http::Endpoint;
use crate::delivery::{ATTEMPT_MAX, Attempt};
use crate::message::Message;
use crate::notification::Notification;

/// How long a receiver keeps a connection that nobody uses.
pub(crate) const IDLE_MAX: Duration = email::IDLE_MAX;

/// What a receiver is made of.
#[derive(Debug, Clone)]
pub enum Settings {
    /// Mail over SMTP.
    Email(EmailSettings),
    /// The body of Alertmanager's webhooks, version 4.
    Webhook {
        /// Where it goes.
        http: HttpSettings,
        /// Signs the body, where the receiver wants to know who sent it.
        key: Option<Secret>,
    },
    /// An incoming webhook of Slack.
    Slack(HttpSettings),
    /// A workflow of Microsoft Teams that posts an Adaptive Card.
    Teams(HttpSettings),
    /// PagerDuty's Events API, version 2.
    PagerDuty {
        /// Where it goes; PagerDuty's own address unless a sink stands in.
        http: HttpSettings,
        /// The integration's key.
        routing_key: Secret,
    },
    /// An incoming webhook of Discord.
    Discord(HttpSettings),
    /// Opsgenie's API, version 2.
    Opsgenie {
        /// The API's address, without a path.
        http: HttpSettings,
        /// The integration's key.
        key: Secret,
    },
    /// A bot of Telegram.
    Telegram {
        /// The API's address, without a path.
        http: HttpSettings,
        /// The bot's token.
        token: Secret,
        /// The chat.
        chat_id: String,
    },
    /// Prometheus' Alertmanager, by its API, version 2.
    Alertmanager(HttpSettings),
    /// A program, with the body of a webhook on its standard input.
    Exec {
        /// The program and its arguments.
        command: Vec<String>,
    },
    /// A file, a line a notification.
    File {
        /// Its path.
        path: PathBuf,
    },
}

/// A setting that no receiver can be made of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{key}: {problem}")]
pub struct SettingsFault {
    /// The key in the receiver's table.
    pub key: &'static str,
    /// What is wrong, and what would have been accepted.
    pub problem: String,
}

/// Someone to tell.
#[derive(Debug)]
pub struct Receiver {
    name: String,
    channel: Channel,
}

#[derive(Debug)]
enum Channel {
    Email(Box<Email>),
    Webhook { endpoint: Endpoint, key: Option<Secret> },
    Slack(Endpoint),
    Teams(Endpoint),
    PagerDuty { endpoint: Endpoint, routing_key: Secret },
    Discord(Endpoint),
    Opsgenie { endpoint: Endpoint, key: Secret },
    Telegram { endpoint: Endpoint, token: Secret, chat_id: String },
    Alertmanager(Endpoint),
    Exec(Exec),
    File(Lines),
}

impl Receiver {
    /// Makes a receiver; nothing is connected yet.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn new(name: &str, settings: &Settings) -> Result<Self, SettingsFault> {
        Self::beside(&mut MailServers::default(), name, settings)
    }

    /// Makes a receiver beside others that were made with the same servers: it shares connections with those of its own server.
    ///
    /// # Errors
    /// The first setting that is wrong.
    pub fn beside(servers: &mut MailServers, name: &str, settings: &Settings) -> Result<Self, SettingsFault> {
        let channel = match settings {
            Settings::Email(settings) => Channel::Email(Box::new(Email::new(settings, servers)?)),
            Settings::Webhook { http, key } => {
                Channel::Webhook { endpoint: Endpoint::new(http)?, key: key.clone() }
            }
            Settings::Slack(http) => Channel::Slack(Endpoint::new(http)?),
            Settings::Teams(http) => Channel::Teams(Endpoint::new(http)?),
            Settings::PagerDuty { http, routing_key } => {
                Channel::PagerDuty { endpoint: Endpoint::new(http)?, routing_key: routing_key.clone() }
            }
            Settings::Discord(http) => Channel::Discord(Endpoint::new(http)?),
            Settings::Opsgenie { http, key } => {
                Channel::Opsgenie { endpoint: Endpoint::new(http)?, key: key.clone() }
            }
            Settings::Telegram { http, token, chat_id } => Channel::Telegram {
                endpoint: Endpoint::new(http)?,
                token: token.clone(),
                chat_id: chat_id.clone(),
            },
            Settings::Alertmanager(http) => Channel::Alertmanager(Endpoint::new(http)?),
            Settings::Exec { command } => Channel::Exec(Exec { command: command.clone() }),
            Settings::File { path } => Channel::File(Lines { path: path.clone() }),
        };
        Ok(Self { name: name.to_owned(), channel })
    }

    /// Its name in the configuration.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether a secret, its address or a key, goes to another machine in the clear.
    #[must_use]
    pub fn shows_secret(&self) -> bool {
        match &self.channel {
            Channel::Slack(endpoint)
            | Channel::Teams(endpoint)
            | Channel::Discord(endpoint)
            | Channel::PagerDuty { endpoint, .. }
            | Channel::Opsgenie { endpoint, .. }
            | Channel::Telegram { endpoint, .. } => endpoint.is_in_clear(),
            // A password is never sent so; what else is posted to inside a network need not be a secret.
            Channel::Email(_)
            | Channel::Webhook { .. }
            | Channel::Alertmanager(_)
            | Channel::Exec(_)
            | Channel::File(_) => false,
        }
    }

    /// Whether it opens an incident by the key of a group, and closes it by the same key.
    pub(crate) fn keeps_incidents(&self) -> bool {
        matches!(self.channel, Channel::PagerDuty { .. } | Channel::Opsgenie { .. })
    }

    /// How long one attempt may take, with connecting and the answer.
    pub(crate) fn attempt_max(&self) -> Duration {
        match &self.channel {
            Channel::Email(_) => email::ATTEMPT_MAX,
            _ => ATTEMPT_MAX,
        }
    }

    /// What takes leave of connections that the receiver keeps, where nobody has used them for so long.
    pub(crate) fn closing(&self, idle_min: Duration) -> Option<BoxFuture<'static, ()>> {
        match &self.channel {
            Channel::Email(email) => email.closing(idle_min),
            _ => None,
        }
    }

    /// Tries once. The caller bounds the time and decides whether to try again.
    pub async fn attempt(&self, notification: &Notification, message: &Message) -> Attempt {
        match &self.channel {
            Channel::Email(email) => email.send(notification, message).await,
            Channel::Webhook { endpoint, key } => {
                let body = webhook::body(notification).to_string();
                let headers = webhook::headers(notification, &body, key.as_ref());
                endpoint.post(body, &headers).await
            }
            Channel::Slack(endpoint) => {
                endpoint.post(slack::body(notification, message).to_string(), &[]).await
            }
            Channel::Teams(endpoint) => {
                endpoint.post(teams::body(notification, message).to_string(), &[]).await
            }
            Channel::PagerDuty { endpoint, routing_key } => {
                let body = pagerduty::body(notification, message, routing_key.expose());
                endpoint.post(body.to_string(), &[]).await
            }
            Channel::Discord(endpoint) => {
                endpoint.post(discord::body(notification, message).to_string(), &[]).await
            }
            Channel::Opsgenie { endpoint, key } => {
                let (path, body) = opsgenie::request(notification, message);
                let headers = [("Authorization", format!("GenieKey {}", key.expose()))];
                endpoint.post_below(&path, body.to_string(), &headers).await
            }
            Channel::Telegram { endpoint, token, chat_id } => {
                let path = format!("/bot{}/sendMessage", token.expose());
                endpoint.post_below(&path, telegram::body(message, chat_id).to_string(), &[]).await
            }
            Channel::Alertmanager(endpoint) => {
                let body = alertmanager::body(notification).to_string();
                endpoint.post_below(alertmanager::PATH, body, &[]).await
            }
            Channel::Exec(exec) => exec.send(notification).await,
            Channel::File(lines) => lines.send(notification).await,
        }
    }
}
