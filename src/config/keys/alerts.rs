//! The keys of alerts: who receives them.

use crate::config::keys::Key;
use crate::config::kind::Kind;

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "alerts.receivers.<NAME>.type",
        kind: Kind::Choice(&["email", "webhook", "slack", "teams", "pagerduty"]),
        default: "none: it is required",
        example: "type = \"email\"",
        about: "What kind of receiver it is. `windvane alerts test --receiver NAME` tries it out.",
    },
    Key {
        path: "alerts.receivers.<NAME>.url",
        kind: Kind::Url,
        default: "pagerduty: its Events API; others: required, unless url_env or url_file is set",
        example: "url = \"https://alerts.example.org/hook\"",
        about: "Where webhook, slack, teams and pagerduty are posted to. The addresses of Slack and Teams are secrets: keep them in url_file or url_env.",
    },
    Key {
        path: "alerts.receivers.<NAME>.url_env",
        kind: Kind::Text,
        default: "none",
        example: "url_env = \"SLACK_URL\"",
        about: "The environment variable with the url.",
    },
    Key {
        path: "alerts.receivers.<NAME>.url_file",
        kind: Kind::Path,
        default: "none",
        example: "url_file = \"/run/secrets/slack\"",
        about: "The file with the url. A trailing line end is ignored.",
    },
    Key {
        path: "alerts.receivers.<NAME>.allow_private_targets",
        kind: Kind::Flag,
        default: "false",
        example: "allow_private_targets = true",
        about: "Permits a url inside a network (private and link-local addresses); this machine itself is always permitted. Redirects are never followed.",
    },
    Key {
        path: "alerts.receivers.<NAME>.key_env",
        kind: Kind::Text,
        default: "none: bodies are not signed",
        example: "key_env = \"WEBHOOK_KEY\"",
        about: "webhook: the environment variable with the key that signs bodies, HMAC-SHA-256 in X-Windvane-Signature.",
    },
    Key {
        path: "alerts.receivers.<NAME>.key_file",
        kind: Kind::Path,
        default: "none: bodies are not signed",
        example: "key_file = \"/run/secrets/webhook\"",
        about: "webhook: the file with the key that signs bodies.",
    },
    Key {
        path: "alerts.receivers.<NAME>.routing_key_env",
        kind: Kind::Text,
        default: "none",
        example: "routing_key_env = \"PAGERDUTY_KEY\"",
        about: "pagerduty: the environment variable with the integration's routing key.",
    },
    Key {
        path: "alerts.receivers.<NAME>.routing_key_file",
        kind: Kind::Path,
        default: "none",
        example: "routing_key_file = \"/run/secrets/pagerduty\"",
        about: "pagerduty: the file with the integration's routing key. One of the two is required unless url is set.",
    },
    Key {
        path: "alerts.receivers.<NAME>.host",
        kind: Kind::Text,
        default: "none: email requires it",
        example: "host = \"smtp.example.org\"",
        about: "email: the SMTP server.",
    },
    Key {
        path: "alerts.receivers.<NAME>.port",
        kind: Kind::Integer { min: 1, max: 65_535 },
        default: "587 with starttls, 465 with wrapper, 25 with none",
        example: "port = 587",
        about: "email: the server's port.",
    },
    Key {
        path: "alerts.receivers.<NAME>.tls",
        kind: Kind::Choice(&["none", "starttls", "wrapper"]),
        default: "starttls",
        example: "tls = \"starttls\"",
        about: "email: how the connection is encrypted: not at all, after STARTTLS (which the server must offer), or from the first byte.",
    },
    Key {
        path: "alerts.receivers.<NAME>.ca_file",
        kind: Kind::Path,
        default: "none: the public authorities",
        example: "ca_file = \"/etc/ssl/company.pem\"",
        about: "email: a PEM file with a certificate to trust beside the public authorities.",
    },
    Key {
        path: "alerts.receivers.<NAME>.from",
        kind: Kind::Text,
        default: "none: email requires it",
        example: "from = \"Windvane <windvane@example.org>\"",
        about: "email: the sender.",
    },
    Key {
        path: "alerts.receivers.<NAME>.to",
        kind: Kind::Texts { max: 50 },
        default: "none: email requires it",
        example: "to = [\"ml-team@example.org\"]",
        about: "email: who receives it.",
    },
    Key {
        path: "alerts.receivers.<NAME>.username",
        kind: Kind::Text,
        default: "none: no login",
        example: "username = \"windvane\"",
        about: "email: the user of the SMTP server.",
    },
    Key {
        path: "alerts.receivers.<NAME>.password_env",
        kind: Kind::Text,
        default: "none",
        example: "password_env = \"SMTP_PASSWORD\"",
        about: "email: the environment variable with the user's password.",
    },
    Key {
        path: "alerts.receivers.<NAME>.password_file",
        kind: Kind::Path,
        default: "none",
        example: "password_file = \"/run/secrets/smtp\"",
        about: "email: the file with the user's password. A trailing line end is ignored.",
    },
];
