//! The file of tokens: mode 600, replaced as a whole, changed by one process at a time.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::{Tokens, TokensError};

/// A file of tokens that is longer is no such file.
const BYTES_MAX: u64 = 16 << 20;

impl Tokens {
    /// Reads the file; `None` where there is none.
    ///
    /// # Errors
    /// It cannot be read, is open to others, or holds something else.
    pub fn load(path: &Path) -> Result<Option<Self>, TokensError> {
        let failed = |source| TokensError::File { what: "read", path: path.to_owned(), source };
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(TokensError::Mode { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let read = serde_json::from_str(&text);
        read.map(Some).map_err(|source| TokensError::Content { path: path.to_owned(), source })
    }

    /// Reads the file, changes it and writes it, while no other process does. What a service holds of it follows within a second.
    ///
    /// # Errors
    /// As [`Tokens::load`], or what `change` refuses; then the file stays as it is.
    pub fn change<T>(
        path: &Path,
        change: impl FnOnce(&mut Self) -> Result<T, TokensError>,
    ) -> Result<T, TokensError> {
        let failed = |what| move |source| TokensError::File { what, path: path.to_owned(), source };
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(failed("write"))?;
        }
        // The lock is a file of its own, because the file of tokens is replaced.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false).mode(0o600);
        let lock = options.open(path.with_extension("lock")).map_err(failed("lock"))?;
        lock.lock().map_err(failed("lock"))?;
        let mut tokens = Self::load(path)?.unwrap_or_default();
        let result = change(&mut tokens)?;
        tokens.write(path).map_err(failed("write"))?;
        Ok(result)
    }

    fn write(&self, path: &Path) -> io::Result<()> {
        let draft = path.with_extension("json.new");
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.set_permissions(std::fs::Permissions::from_mode(0o600))?;
        file.write_all(serde_json::to_string_pretty(self)?.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        std::fs::rename(&draft, path)?;
        match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => File::open(folder)?.sync_all(),
            _ => Ok(()),
        }
    }
}
