//! Which ClickHouse a command talks to: the one of the configuration, or the one that its flags name.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use clap::Args;
use reqwest::Url;
use serde::Deserialize;
use windvane_store::{DATABASE, Secret, Store, StoreError, StoreOptions};

use crate::config;
use crate::exit::{Because, Failure, Reason};

/// Where the embedded engine listens unless the configuration says otherwise.
const ENGINE_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8123);

/// The flags of every command that reads a running service's tables.
#[derive(Debug, Args)]
pub struct Flags {
    /// The configuration file of the service.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
    /// The folder of the service's embedded engine, in place of the configuration's.
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A ClickHouse address to use instead, such as http://127.0.0.1:8123.
    #[arg(long, value_name = "URL", conflicts_with = "data_dir")]
    url: Option<String>,
    /// The user at --url.
    #[arg(
        long,
        value_name = "USER",
        requires = "url",
        default_value_if("url", clap::builder::ArgPredicate::IsPresent, "default")
    )]
    user: Option<String>,
    /// A file with the password at --url.
    #[arg(long, value_name = "FILE", requires = "url")]
    password_file: Option<PathBuf>,
}

impl Flags {
    /// The address and the user that the flags, or else the configuration, name.
    ///
    /// # Errors
    /// `--url` is no address, the configuration has faults, a password file cannot be read, or the embedded engine has never run.
    pub fn options(&self) -> Result<StoreOptions, Failure> {
        let Some(url) = self.url.clone() else {
            let config = config::load(self.config.as_deref()).because(Reason::Config)?;
            return match (&self.data_dir, &config.store) {
                (Some(dir), config::Store::Embedded { engine_listen, .. }) => embedded(dir, *engine_listen),
                (Some(dir), config::Store::Server { .. }) => embedded(dir, SocketAddr::from(ENGINE_LISTEN)),
                (None, store) => options(store),
            };
        };
        check_address("--url", &url, "http://127.0.0.1:8123")?;
        let password = match &self.password_file {
            None => Secret::default(),
            Some(path) => {
                let text = std::fs::read_to_string(path)
                    .with_context(|| format!("cannot read the password file `{}`", path.display()))
                    .because(Reason::Config)?;
                Secret::new(text.trim_end_matches(['\r', '\n']))
            }
        };
        let user = self.user.clone().unwrap_or_default();
        Ok(StoreOptions { url, user, password, database: DATABASE.to_owned() })
    }

    /// The configuration.
    ///
    /// # Errors
    /// It has faults.
    pub fn config(&self) -> Result<config::Config, Failure> {
        config::load(self.config.as_deref()).because(Reason::Config)
    }

    /// A handle on it; nothing is sent yet.
    ///
    /// # Errors
    /// As [`Flags::options`].
    pub fn store(&self) -> Result<Store, Failure> {
        Ok(Store::connect(&self.options()?))
    }
}

/// Whether the value of a flag is an address by http or https. It is not shown: a password may be in it.
///
/// # Errors
/// It is none; `example` says what would be one.
pub fn check_address(flag: &str, address: &str, example: &str) -> Result<(), Failure> {
    let is_address = |url: Url| matches!(url.scheme(), "http" | "https") && url.has_host();
    match Url::parse(address).is_ok_and(is_address) {
        true => Ok(()),
        false => Err(anyhow!("`{flag}` takes an address by http or https, such as {example}"))
            .because(Reason::Usage),
    }
}

/// The address and the user of the configured ClickHouse.
///
/// # Errors
/// The embedded engine has never run in its folder, so that there is no password yet.
pub fn options(store: &config::Store) -> Result<StoreOptions, Failure> {
    match store {
        config::Store::Embedded { data_dir, engine_listen, .. } => embedded(data_dir, *engine_listen),
        config::Store::Server { url, user, password } => Ok(StoreOptions {
            url: url.clone(),
            user: user.clone(),
            password: password.clone(),
            database: DATABASE.to_owned(),
        }),
    }
}

/// The users of an embedded engine; the file has more than is read here.
#[derive(Deserialize)]
struct Access {
    user: String,
    password: String,
}

/// In the data folder: the address of the engine that ran last, where the service has left it.
pub const ADDRESS_FILE: &str = "engine.url";

fn embedded(data_dir: &Path, engine_listen: SocketAddr) -> Result<StoreOptions, Failure> {
    let path = data_dir.join("access.json");
    let text = std::fs::read_to_string(&path)
        .with_context(|| {
            format!(
                "no service has run on `{}`: cannot read `{}`; start `windvane serve`, or name a ClickHouse with --url",
                data_dir.display(),
                path.display()
            )
        })
        .because(Reason::Unavailable)?;
    let access: Access = serde_json::from_str(&text)
        .with_context(|| format!("`{}` does not hold the users of an engine", path.display()))
        .because(Reason::Config)?;
    let url = match std::fs::read_to_string(data_dir.join(ADDRESS_FILE)) {
        Ok(url) => url.trim_end().to_owned(),
        Err(_never_written) => format!("http://{engine_listen}"),
    };
    Ok(StoreOptions {
        url,
        user: access.user,
        password: Secret::new(access.password),
        database: DATABASE.to_owned(),
    })
}

/// Gives a store's error its exit code: 69 where nobody answers, or ClickHouse is hindered by a full disk and the like, 65 where it refuses
/// the statement.
pub fn failure(error: StoreError) -> Failure {
    let is_silent = matches!(error, StoreError::Unreachable { .. } | StoreError::TimedOut { .. });
    let reason = match &error {
        _ if is_silent || error.is_hindered() => Reason::Unavailable,
        StoreError::Exception { .. } => Reason::Data,
        _ => Reason::Software,
    };
    let error = anyhow::Error::new(error);
    let error =
        if is_silent { error.context("no running service answers (start `windvane serve`)") } else { error };
    Failure { reason, error }
}

/// The same of findings that the store does not take.
pub fn not_recorded(error: StoreError) -> Failure {
    let Failure { reason, error } = failure(error);
    Failure { reason, error: error.context("the findings are not recorded (--no-record only prints them)") }
}

/// Runs the requests of a command that does nothing else meanwhile.
///
/// # Errors
/// What the work answers with, or the runtime cannot start.
pub fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

#[cfg(test)]
mod tests {
    use windvane_store::StoreError;

    use super::failure;
    use crate::exit::Reason;

    // 65 said that the data are wrong.
    #[test]
    fn a_full_disk_of_the_store_is_no_wrong_data() {
        for (code, reason) in [(243, Reason::Unavailable), (242, Reason::Unavailable), (62, Reason::Data)] {
            let message = format!("Code: {code}. DB::Exception: no");
            let failure = failure(StoreError::Exception { code, message });
            assert_eq!(failure.reason, reason, "{code}");
            assert!(!format!("{:#}", failure.error).contains("no running service"), "{code}");
        }
    }
}
