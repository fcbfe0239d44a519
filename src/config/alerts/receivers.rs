//! `[alerts.receivers.NAME]`: who is told, made ready to be told.

use windvane_alerts::receiver::{EmailSettings, HttpSettings, Login, MailServers, Tls};
use windvane_alerts::{Receiver, Settings};
use windvane_store::Secret;

use super::targets;
use crate::config::layers::Layers;
use crate::config::path::KeyPath;

/// Where PagerDuty takes events.
const PAGERDUTY_URL: &str = "https://events.pagerduty.com/v2/enqueue";
/// Where Opsgenie and Telegram have their APIs.
const OPSGENIE_URL: &str = "https://api.opsgenie.com";
const TELEGRAM_URL: &str = "https://api.telegram.org";
/// The kinds that are posted to.
const POSTED: &[&str] =
    &["webhook", "slack", "teams", "pagerduty", "discord", "opsgenie", "telegram", "alertmanager"];

/// The keys of every kind, and the kinds that read each.
const READ_BY: &[(&str, &[&str])] = &[
    ("url", POSTED),
    ("url_env", POSTED),
    ("url_file", POSTED),
    ("allow_private_targets", POSTED),
    ("key_env", &["webhook", "opsgenie"]),
    ("key_file", &["webhook", "opsgenie"]),
    ("routing_key_env", &["pagerduty"]),
    ("routing_key_file", &["pagerduty"]),
    ("token_env", &["telegram"]),
    ("token_file", &["telegram"]),
    ("chat_id", &["telegram"]),
    ("command", &["exec"]),
    ("path", &["file"]),
    ("host", &["email"]),
    ("port", &["email"]),
    ("tls", &["email"]),
    ("ca_file", &["email"]),
    ("from", &["email"]),
    ("to", &["email"]),
    ("username", &["email"]),
    ("password_env", &["email"]),
    ("password_file", &["email"]),
];

/// All receivers, by name; what is wrong with one is a fault of the layers.
pub fn receivers(layers: &mut Layers) -> Vec<Receiver> {
    let tables = KeyPath::from("alerts.receivers");
    let mut servers = MailServers::default();
    let made = layers.names(tables.clone()).into_iter().filter_map(|name| {
        let table = tables.join(&name);
        let settings = settings(layers, &table)?;
        match Receiver::beside(&mut servers, &name, &settings) {
            Ok(receiver) => Some(receiver),
            Err(fault) => {
                layers.contradiction(table.join(fault.key), &fault.problem);
                None
            }
        }
    });
    made.collect()
}

fn settings(layers: &mut Layers, table: &KeyPath) -> Option<Settings> {
    let kind = layers.required_text(table, "type")?;
    for (key, kinds) in READ_BY {
        if layers.has(table.join(key)) && !kinds.contains(&kind.as_str()) {
            let problem = format!("is no key of type `{kind}`; it goes with {}", kinds.join(", "));
            layers.contradiction(table.join(key), &problem);
        }
    }
    match kind.as_str() {
        "email" => email(layers, table).map(Settings::Email),
        "webhook" => {
            let key = layers.secret(table, ["key_env", "key_file"]);
            Some(Settings::Webhook { http: http(layers, table, None)?, key: key.ok()? })
        }
        "slack" => http(layers, table, None).map(Settings::Slack),
        "teams" => http(layers, table, None).map(Settings::Teams),
        "discord" => http(layers, table, None).map(Settings::Discord),
        "alertmanager" => http(layers, table, None).map(Settings::Alertmanager),
        "opsgenie" => {
            let key = own_secret(layers, table, ["key_env", "key_file"])?;
            Some(Settings::Opsgenie { http: http(layers, table, Some(OPSGENIE_URL))?, key })
        }
        "telegram" => {
            let chat_id = layers.required_text(table, "chat_id");
            let token = own_secret(layers, table, ["token_env", "token_file"])?;
            let http = http(layers, table, Some(TELEGRAM_URL))?;
            Some(Settings::Telegram { http, token, chat_id: chat_id? })
        }
        "exec" => {
            let command = layers.texts(table.join("command"));
            if command.is_empty() {
                layers.missing(table, "command");
                return None;
            }
            Some(Settings::Exec { command })
        }
        "file" => match layers.path(table.join("path")) {
            Some(path) => Some(Settings::File { path }),
            None => {
                layers.missing(table, "path");
                None
            }
        },
        _ => {
            let routing_key = own_secret(layers, table, ["routing_key_env", "routing_key_file"])?;
            Some(Settings::PagerDuty { http: http(layers, table, Some(PAGERDUTY_URL))?, routing_key })
        }
    }
}

/// A secret without which the service of this kind takes nothing; another address may do without.
fn own_secret(layers: &mut Layers, table: &KeyPath, keys: [&str; 2]) -> Option<Secret> {
    let elsewhere = ["url", "url_env", "url_file"].iter().any(|key| layers.has(table.join(key)));
    let secret = layers.secret(table, keys).ok()?;
    if secret.is_none() && !elsewhere {
        layers.contradiction(table.clone(), &format!("`{}` or `{}` is missing", keys[0], keys[1]));
    }
    Some(secret.unwrap_or_default())
}

fn http(layers: &mut Layers, table: &KeyPath, default: Option<&str>) -> Option<HttpSettings> {
    let own = layers.text(table.join("url")).map(Secret::new);
    let url = match layers.secret(table, ["url_env", "url_file"]).ok()? {
        Some(_) if own.is_some() => {
            layers.contradiction(table.join("url"), "excludes url_env and url_file; keep one of the three");
            return None;
        }
        Some(url) => url,
        None => match own.or_else(|| default.map(Secret::new)) {
            Some(url) => url,
            None => {
                layers.required_text(table, "url")?;
                return None;
            }
        },
    };
    let targets = targets(layers, table.join("allow_private_targets"));
    Some(HttpSettings { url, targets })
}

fn email(layers: &mut Layers, table: &KeyPath) -> Option<EmailSettings> {
    let host = layers.required_text(table, "host");
    let from = layers.required_text(table, "from");
    let to = layers.texts(table.join("to"));
    if to.is_empty() {
        layers.missing(table, "to");
    }
    let tls = match layers.text(table.join("tls")).as_deref() {
        Some("none") => Tls::None,
        Some("wrapper") => Tls::Wrapper,
        _ => Tls::StartTls,
    };
    let password = layers.secret(table, ["password_env", "password_file"]).ok()?;
    let login = match (layers.text(table.join("username")), password) {
        (Some(username), Some(password)) => Some(Login { username, password }),
        (Some(_), None) => {
            layers.contradiction(table.join("username"), "needs password_env or password_file");
            return None;
        }
        (None, Some(_)) => {
            layers.missing(table, "username");
            return None;
        }
        (None, None) => None,
    };
    let (host, from) = (host?, from?);
    let here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
    if login.is_some() && tls == Tls::None && !here {
        layers.contradiction(
            table.join("tls"),
            "`none` would send the password in the clear; allowed with a username is starttls or wrapper",
        );
    }
    let port = layers.integer(table.join("port"), u64::from(tls.port()));
    let ca_file = layers.path(table.join("ca_file"));
    // The bounds of the key are those of a port.
    let port = u16::try_from(port).unwrap_or(tls.port());
    Some(EmailSettings { host, port, tls, ca_file, from, to, login })
}
