//! Who may talk to the endpoint: two users in `DIR/access.json`, made once and kept over restarts.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use http::HeaderMap;
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::status::{code, exception};
use crate::chdb::Exception;

/// The file in the data folder.
const FILE: &str = "access.json";

/// The users of an endpoint and their passwords.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Access {
    /// The user that may do everything the endpoint allows.
    pub user: String,
    /// Its password.
    pub password: String,
    /// The user that may only read.
    pub reader_user: String,
    /// Its password.
    pub reader_password: String,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("user", &self.user)
            .field("password", &"[redacted]")
            .field("reader_user", &self.reader_user)
            .field("reader_password", &"[redacted]")
            .finish()
    }
}

/// What an authenticated user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Role {
    /// Everything the endpoint allows.
    Writer,
    /// Read-only statements over allowed databases.
    Reader,
}

/// Why the users of a data folder are not known.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be read or made.
    #[error("cannot read or make `{}`", path.display())]
    File {
        /// `DIR/access.json`.
        path: PathBuf,
        /// What the file system says.
        source: io::Error,
    },
    /// The file has another content.
    #[error("`{}` is not a JSON object with user, password, reader_user, reader_password", path.display())]
    Content {
        /// `DIR/access.json`.
        path: PathBuf,
        /// Where it differs.
        source: serde_json::Error,
    },
    /// Others can read the passwords.
    #[error("`{}` is readable by others (mode {mode:o}); make it 600", path.display())]
    Mode {
        /// `DIR/access.json`.
        path: PathBuf,
        /// Its mode bits.
        mode: u32,
    },
}

impl Access {
    /// Reads the users of a data folder, or makes them with random passwords of 244 bits.
    ///
    /// # Errors
    /// When the file cannot be read or made, is readable by others, or holds something else.
    pub fn load_or_create(data_dir: &Path) -> Result<Self, AccessError> {
        let path = data_dir.join(FILE);
        let io = |source| AccessError::File { path: path.clone(), source };
        match File::open(&path) {
            Ok(mut file) => {
                let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
                if mode & 0o077 != 0 {
                    return Err(AccessError::Mode { path, mode });
                }
                let mut text = String::new();
                file.read_to_string(&mut text).map_err(io)?;
                serde_json::from_str(&text).map_err(|source| AccessError::Content { path, source })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let access = Self {
                    user: "windvane".to_owned(),
                    password: random(),
                    reader_user: "reader".to_owned(),
                    reader_password: random(),
                };
                access.write(&path).map_err(io)?;
                Ok(access)
            }
            Err(error) => Err(io(error)),
        }
    }

    /// Writes the whole file under another name first, so that a crash leaves no half of it.
    fn write(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&draft, path)
    }

    /// The role of whoever sent these headers and parameters. Both passwords are always compared, in constant time.
    pub(super) fn authenticate(&self, given: &Credentials) -> Result<Role, Exception> {
        let is = |user: &str, password: &str| {
            bool::from(
                given.user.as_bytes().ct_eq(user.as_bytes())
                    & given.password.as_bytes().ct_eq(password.as_bytes()),
            )
        };
        let writer = is(&self.user, &self.password);
        let reader = is(&self.reader_user, &self.reader_password);
        match (writer, reader) {
            (true, _) => Ok(Role::Writer),
            (false, true) => Ok(Role::Reader),
            (false, false) => Err(exception(
                code::AUTHENTICATION_FAILED,
                format!(
                    "{}: Authentication failed: password is incorrect, or there is no user with such name.",
                    printable(&given.user)
                ),
            )),
        }
    }
}

/// Two random UUIDs: 244 bits of the system's randomness.
fn random() -> String {
    format!("{}{}", uuid::Uuid::new_v4().simple(), uuid::Uuid::new_v4().simple())
}

fn printable(user: &str) -> String {
    user.chars().filter(|c| !c.is_control()).take(64).collect()
}

/// What a client says it is.
pub(super) struct Credentials {
    user: String,
    password: String,
}

impl Credentials {
    /// In ClickHouse's order: its own headers, `Authorization: Basic`, the parameters `user` and `password`. A bearer
    /// token belongs to no user here.
    pub(super) fn read(headers: &HeaderMap, parameter: impl Fn(&str) -> Option<String>) -> Self {
        let header = |name: &str| {
            headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let own = (header("x-clickhouse-user"), header("x-clickhouse-key"));
        if own.0.is_some() || own.1.is_some() {
            return Self::new(own.0, own.1);
        }
        if let Some(authorization) = header("authorization") {
            let (scheme, value) = authorization.split_once(' ').unwrap_or((authorization.as_str(), ""));
            if scheme.eq_ignore_ascii_case("basic") {
                let decoded =
                    base64::engine::general_purpose::STANDARD.decode(value.trim()).unwrap_or_default();
                let decoded = String::from_utf8_lossy(&decoded).into_owned();
                let (user, password) = decoded.split_once(':').unwrap_or((decoded.as_str(), ""));
                return Self::new(Some(user.to_owned()), Some(password.to_owned()));
            }
        }
        Self::new(parameter("user"), parameter("password"))
    }

    fn new(user: Option<String>, password: Option<String>) -> Self {
        let user = user.filter(|user| !user.is_empty()).unwrap_or_else(|| "default".to_owned());
        Self { user, password: password.unwrap_or_default() }
    }

    /// The user's name, for the registry of running statements.
    pub(super) fn user(&self) -> &str {
        &self.user
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_made_once_and_kept_private() {
        let folder = tempfile::tempdir().unwrap();
        let made = Access::load_or_create(folder.path()).unwrap();
        let kept = Access::load_or_create(folder.path()).unwrap();
        assert_eq!(made.password, kept.password);
        assert_ne!(made.password, made.reader_password);
        assert!(!format!("{made:?}").contains(&made.password));
        assert!(!format!("{made:?}").contains(&made.reader_password));

        let path = folder.path().join(FILE);
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Access::load_or_create(folder.path()), Err(AccessError::Mode { mode: 0o644, .. })));
    }

    #[test]
    fn headers_come_before_basic_before_parameters() {
        let access = Access {
            user: "w".into(),
            password: "wp".into(),
            reader_user: "r".into(),
            reader_password: "rp".into(),
        };
        let basic = |text: &str| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
        type Case<'c> = (&'c [(&'static str, String)], &'c [(&'c str, &'c str)], Option<Role>);
        let cases: &[Case] = &[
            (&[], &[], None),
            (&[], &[("user", "w"), ("password", "wp")], Some(Role::Writer)),
            (&[("authorization", basic("r:rp"))], &[("user", "w"), ("password", "wp")], Some(Role::Reader)),
            (
                &[
                    ("x-clickhouse-user", "w".into()),
                    ("x-clickhouse-key", "wp".into()),
                    ("authorization", basic("r:rp")),
                ],
                &[],
                Some(Role::Writer),
            ),
            (&[("x-clickhouse-user", "w".into())], &[("password", "wp")], None),
            (&[("authorization", basic("w:rp"))], &[], None),
            (&[("authorization", "Bearer wp".into())], &[], None),
        ];
        for (headers, parameters, expected) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in *headers {
                map.insert(*name, value.parse().unwrap());
            }
            let find =
                |name: &str| parameters.iter().find(|(key, _)| *key == name).map(|(_, v)| (*v).to_owned());
            let role = access.authenticate(&Credentials::read(&map, find));
            assert_eq!(role.as_ref().ok(), expected.as_ref());
            if let Err(refused) = role {
                assert_eq!(refused.code, code::AUTHENTICATION_FAILED);
            }
        }
    }
}
