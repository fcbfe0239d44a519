//! API tokens: who may send events, who may read, who may change things, and which models a sender may name.
//!
//! A token is shown once, when it is made; the file keeps its SHA-256. The secret is 244 random bits, so that a slow
//! hash would protect nothing, and a lookup costs a request less than a microsecond.

mod error;
mod file;
mod keyring;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use windvane_types::hex;

pub use self::error::TokensError;
pub use self::keyring::{Denial, Holder, Keyring};

/// What every token begins with, so that a leaked one is recognised by scanners for secrets.
const PREFIX: &str = "wvt";

/// Tokens of one file, revoked ones included.
const TOKENS_MAX: usize = 10_000;
/// Models that one token may be limited to.
const MODEL_PREFIXES_MAX: usize = 64;
/// Characters of a token's name.
const NAME_CHARS_MAX: usize = 64;

/// What a token permits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending events.
    Ingest,
    /// Pages, the read API, and metrics.
    Read,
    /// Everything, changes through the API included.
    Admin,
}

impl Scope {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ingest, Self::Read, Self::Admin];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Read => "read",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Scope {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|scope| scope.as_str() == text)
            .ok_or_else(|| format!("`{text}` is no scope; there are ingest, read and admin"))
    }
}

/// One token as the file keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The public part, which names it in lists and logs.
    pub id: String,
    /// What its maker called it.
    pub name: String,
    /// What it permits.
    pub scopes: Vec<Scope>,
    /// Where not empty: only events of models whose names begin with one of these.
    #[serde(default)]
    pub model_prefixes: Vec<String>,
    /// Requests a second; none: what the configuration says.
    #[serde(default)]
    pub requests_per_s: Option<u32>,
    /// The hash of the secret part, in hex.
    pub sha256: String,
    /// RFC 3339.
    pub created_at: String,
    /// RFC 3339; none: it does not end by itself.
    #[serde(default)]
    pub expires_at: Option<String>,
    /// RFC 3339; none: it was not revoked.
    #[serde(default)]
    pub revoked_at: Option<String>,
}

impl Token {
    /// Its state at this time: `active`, `revoked` or `expired`.
    #[must_use]
    pub fn state(&self, now_us: i64) -> &'static str {
        match (&self.revoked_at, &self.expires_at) {
            (Some(_), _) => "revoked",
            // A time that does not read counts as past.
            (None, Some(at)) if windvane_types::span::instant(at).is_none_or(|at| at <= now_us) => "expired",
            _ => "active",
        }
    }
}

/// What a new token is to be.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// What it is called; no other active token is called so.
    pub name: String,
    /// What it permits; at least one.
    pub scopes: Vec<Scope>,
    /// As [`Token::model_prefixes`].
    pub model_prefixes: Vec<String>,
    /// As [`Token::requests_per_s`].
    pub requests_per_s: Option<u32>,
    /// When it ends, microseconds since 1970.
    pub expires_us: Option<i64>,
}

/// The tokens of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tokens {
    schema: String,
    tokens: Vec<Token>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self { schema: "windvane.tokens/1".to_owned(), tokens: Vec::new() }
    }
}

impl Tokens {
    /// All of them, in the order of their making.
    #[must_use]
    pub fn all(&self) -> &[Token] {
        &self.tokens
    }

    /// Whether any is active at this time.
    #[must_use]
    pub fn any_active(&self, now_us: i64) -> bool {
        self.tokens.iter().any(|token| token.state(now_us) == "active")
    }

    /// Adds a token and returns its text, which is nowhere else. `random` are fresh random numbers.
    ///
    /// # Errors
    /// What is wanted is not allowed.
    pub fn add(&mut self, wanted: Wanted, random: [Uuid; 3], now_us: i64) -> Result<String, TokensError> {
        self.check(&wanted, now_us)?;
        let id = random[0].simple().to_string()[..8].to_owned();
        let secret = format!("{}{}", random[1].simple(), random[2].simple());
        self.tokens.push(Token {
            id: id.clone(),
            name: wanted.name,
            scopes: wanted.scopes,
            model_prefixes: wanted.model_prefixes,
            requests_per_s: wanted.requests_per_s,
            sha256: hex::encode(&hash(&secret)),
            created_at: windvane_types::span::shown(now_us),
            expires_at: wanted.expires_us.map(windvane_types::span::shown),
            revoked_at: None,
        });
        Ok(format!("{PREFIX}_{id}_{secret}"))
    }

    fn check(&self, wanted: &Wanted, now_us: i64) -> Result<(), TokensError> {
        let refuse = |problem: String| Err(TokensError::Wanted { problem });
        let Wanted { name, scopes, model_prefixes, .. } = wanted;
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return refuse(format!(
                "the name `{name}` is not allowed; allowed are 1 to {NAME_CHARS_MAX} printable characters"
            ));
        }
        if self.tokens.iter().any(|token| token.name == *name && token.state(now_us) == "active") {
            return refuse(format!("there is an active token `{name}`; revoke it, or choose another name"));
        }
        if scopes.is_empty() {
            return refuse("a token needs a scope: ingest, read or admin".to_owned());
        }
        if !model_prefixes.is_empty() && scopes.iter().any(|scope| *scope != Scope::Ingest) {
            return refuse(
                "a limit on models goes with the scope ingest alone: reading is not cut by model".to_owned(),
            );
        }
        if model_prefixes.len() > MODEL_PREFIXES_MAX || model_prefixes.iter().any(String::is_empty) {
            return refuse(format!(
                "allowed are up to {MODEL_PREFIXES_MAX} model prefixes that are not empty"
            ));
        }
        if self.tokens.len() >= TOKENS_MAX {
            return refuse(format!(
                "the file holds {TOKENS_MAX} tokens, revoked ones included; no more are allowed"
            ));
        }
        Ok(())
    }

    /// Revokes the active token of this id or name and returns its id.
    ///
    /// # Errors
    /// There is none.
    pub fn revoke(&mut self, id_or_name: &str, now_us: i64) -> Result<String, TokensError> {
        let is_meant = |token: &&mut Token| {
            token.revoked_at.is_none() && (token.id == id_or_name || token.name == id_or_name)
        };
        let Some(token) = self.tokens.iter_mut().rev().find(is_meant) else {
            return Err(TokensError::Unknown { wanted: id_or_name.to_owned() });
        };
        token.revoked_at = Some(windvane_types::span::shown(now_us));
        Ok(token.id.clone())
    }
}

fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests;
