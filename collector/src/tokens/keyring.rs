//! The tokens as a running service holds them: looked up by id, compared in constant time, read again when the file
//! changes.

use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use subtle::ConstantTimeEq;

use super::{PREFIX, Scope, Token, Tokens, TokensError, hash, unhex};

/// How often the file is looked at: what a revocation takes to hold.
const LOOK: Duration = Duration::from_secs(1);

/// Whoever sent a good token.
#[derive(Debug, PartialEq, Eq)]
pub struct Holder {
    token: Token,
    hash: [u8; 32],
}

impl Holder {
    /// The token's public part.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.token.id
    }

    /// Whether the token permits this; `admin` permits all.
    #[must_use]
    pub fn has(&self, scope: Scope) -> bool {
        self.token.scopes.iter().any(|own| *own == scope || *own == Scope::Admin)
    }

    /// The beginnings of the models that it may name; empty: all.
    #[must_use]
    pub fn model_prefixes(&self) -> &[String] {
        &self.token.model_prefixes
    }

    /// Whether it may send events of this model.
    #[must_use]
    pub fn may_send(&self, model: &str) -> bool {
        let prefixes = &self.token.model_prefixes;
        prefixes.is_empty() || prefixes.iter().any(|prefix| model.starts_with(prefix.as_str()))
    }

    /// Its own bound on requests.
    pub(crate) fn requests_per_s(&self) -> Option<u32> {
        self.token.requests_per_s
    }
}

/// Why a request has no holder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// It carries no token.
    Missing,
    /// It carries something that is no active token.
    Invalid,
}

/// A file as it was when it was read last: who replaces it, writes it or mends its mode changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    bytes: u64,
    mode: u32,
    /// When its content or what is known of it changed; nobody can set it, as a copy sets when its content did.
    changed: (i64, i64),
}

impl Stamp {
    fn of(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        Some(Self { inode: metadata.ino(), bytes: metadata.len(), mode: metadata.mode(), changed })
    }
}

/// All tokens of a file.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    held: RwLock<Held>,
    looked: Mutex<Looked>,
}

#[derive(Debug, Default)]
struct Held {
    by_id: HashMap<String, Arc<Holder>>,
    /// Whether there was ever a token: revoking the last one, or losing the file, must not open the service.
    required: bool,
}

#[derive(Debug)]
struct Looked {
    at: Instant,
    stamp: Option<Stamp>,
}

impl Keyring {
    /// Reads the file, which may be missing.
    ///
    /// # Errors
    /// As [`Tokens::load`].
    pub fn open(path: &Path) -> Result<Self, TokensError> {
        let stamp = Stamp::of(path);
        let held = Tokens::load(path)?.map(hold).unwrap_or_default();
        let looked = Mutex::new(Looked { at: Instant::now(), stamp });
        Ok(Self { path: path.to_owned(), held: RwLock::new(held), looked })
    }

    /// Whether requests need a token: from the first one on.
    pub fn is_required(&self) -> bool {
        self.look(LOOK);
        self.held.read().required
    }

    /// Who presents this token.
    ///
    /// # Errors
    /// It is no active one.
    pub fn holder(&self, presented: &str, now_us: i64) -> Result<Arc<Holder>, Denial> {
        let mut parts = presented.splitn(3, '_');
        let (Some(PREFIX), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(Denial::Invalid);
        };
        let found = self.find(id).or_else(|| {
            // It may have been made this second.
            self.look(Duration::ZERO);
            self.find(id)
        });
        // An unknown id takes as long as a wrong secret.
        let known = found.as_ref().map_or([0; 32], |holder| holder.hash);
        let is_equal = bool::from(hash(secret).ct_eq(&known));
        match found {
            Some(holder) if is_equal && holder.token.state(now_us) == "active" => Ok(holder),
            _ => Err(Denial::Invalid),
        }
    }

    fn find(&self, id: &str) -> Option<Arc<Holder>> {
        self.held.read().by_id.get(id).map(Arc::clone)
    }

    /// Reads the file again if it has changed and nobody has looked for so long. A file that does not read changes nothing.
    pub(super) fn look(&self, after: Duration) {
        let Some(mut looked) = self.looked.try_lock() else { return };
        if looked.at.elapsed() < after {
            return;
        }
        looked.at = Instant::now();
        let stamp = Stamp::of(&self.path);
        if stamp == looked.stamp {
            return;
        }
        looked.stamp = stamp;
        match Tokens::load(&self.path) {
            Ok(Some(tokens)) => {
                let mut held = self.held.write();
                let required = held.required;
                *held = hold(tokens);
                held.required |= required;
                tracing::info!(tokens = held.by_id.len(), file = %self.path.display(), "read the tokens again");
            }
            Ok(None) => {
                tracing::error!(file = %self.path.display(), "the file of tokens is gone; those that were read hold until a restart");
            }
            Err(error) => {
                tracing::error!(%error, "cannot read the tokens again; those that were read before hold");
            }
        }
    }
}

fn hold(tokens: Tokens) -> Held {
    let required = !tokens.tokens.is_empty();
    let held = tokens.tokens.into_iter().filter(|token| token.revoked_at.is_none()).filter_map(|token| {
        let hash = unhex(&token.sha256)?;
        Some((token.id.clone(), Arc::new(Holder { token, hash })))
    });
    Held { by_id: held.collect(), required }
}
