//! `windvane token`: makes, lists and revokes the tokens that requests carry.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use comfy_table::{Table, presets};
use uuid::Uuid;
use windvane_collector::{Scope, Token, Tokens, TokensError, Wanted};
use windvane_types::{Clock, SystemClock, span};

use crate::config;
use crate::exit::{Because, CommandResult, Failure, Reason};
use crate::output::{self, print};

/// Make, list and revoke API tokens. A running service follows within a second.
///
/// From the first token on every request needs one, except /healthz and /readyz.
#[derive(Debug, Args)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make a token and print it; it cannot be shown again.
    Create(Create),
    /// List the tokens, never their secrets.
    List {
        #[command(flatten)]
        place: Place,
        /// How the list is written.
        #[arg(long, value_enum, default_value = "table")]
        format: Format,
    },
    /// Revoke a token; requests that carry it are refused within a second.
    Revoke {
        /// Its id or its name.
        token: String,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// What it is for, such as the program that will carry it.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// What it permits: ingest (sending events), read (pages, read API, metrics), admin (everything).
    #[arg(long, value_name = "A,B", value_delimiter = ',', required = true)]
    scope: Vec<Scope>,
    /// Only events of models whose names begin so; repeatable. Goes with `--scope ingest` alone.
    #[arg(long = "model-prefix", value_name = "PREFIX")]
    model_prefixes: Vec<String>,
    /// When it ends by itself, from now: 24h, 90d.
    #[arg(long, value_name = "LENGTH")]
    expires: Option<String>,
    /// Requests a second, in place of `limits.requests_per_s`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    requests_per_s: Option<u32>,
    #[command(flatten)]
    place: Place,
    /// How the result is written: the token alone, or JSON.
    #[arg(long, value_enum, default_value = "table")]
    format: Format,
}

/// Where the tokens are.
#[derive(Debug, Args)]
struct Place {
    /// The configuration file of the service.
    #[arg(long, value_name = "FILE", env = "WINDVANE_CONFIG")]
    config: Option<PathBuf>,
    /// The file of tokens, in place of the configuration's.
    #[arg(long, value_name = "FILE", conflicts_with = "config")]
    tokens_file: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl Place {
    fn path(&self) -> Result<PathBuf, Failure> {
        match &self.tokens_file {
            Some(path) => Ok(path.clone()),
            None => config::tokens_file(self.config.as_deref()).because(Reason::Config),
        }
    }
}

/// Runs `windvane token`.
pub fn run(arguments: Arguments) -> CommandResult {
    match arguments.action {
        Action::Create(create) => self::create(create),
        Action::List { place, format } => list(&place, format),
        Action::Revoke { token, place } => {
            let now_us = SystemClock.now().as_microsecond();
            let id =
                Tokens::change(&place.path()?, |tokens| tokens.revoke(&token, now_us)).map_err(failure)?;
            print(&format!("token {id} is revoked\n"))
        }
    }
}

fn create(create: Create) -> CommandResult {
    let now_us = SystemClock.now().as_microsecond();
    let expires_us = match &create.expires {
        None => None,
        Some(text) => Some(end(text, now_us).because(Reason::Usage)?),
    };
    let mut scopes = create.scope;
    scopes.sort_unstable();
    scopes.dedup();
    let wanted = Wanted {
        name: create.name,
        scopes,
        model_prefixes: create.model_prefixes,
        requests_per_s: create.requests_per_s,
        expires_us,
    };
    let random = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    let path = create.place.path()?;
    let added = Tokens::change(&path, |tokens| {
        let text = tokens.add(wanted, random, now_us)?;
        Ok((text, tokens.all().last().cloned()))
    });
    let (text, token) = added.map_err(failure)?;
    output::tell(&format!("windvane: this token is shown once; `{}` keeps its hash only", path.display()));
    match (create.format, token) {
        (Format::Json, Some(token)) => {
            let mut document = shown(&token, now_us);
            document["schema"] = "windvane.token/1".into();
            document["token"] = text.into();
            print(&format!("{document:#}\n"))
        }
        _ => print(&format!("{text}\n")),
    }
}

/// When a token ends that is to last so long from now. It is written down as a time, and has to be one.
fn end(text: &str, now_us: i64) -> anyhow::Result<i64> {
    let end = span::length_us(text).filter(|us| *us > 0).and_then(|us| now_us.checked_add(us));
    end.filter(|end| span::instant(&span::shown(*end)) == Some(*end)).ok_or_else(|| {
        anyhow::anyhow!(
            "`--expires {text}` is not allowed; allowed is a length such as 24h or 90d that ends before the year 10000"
        )
    })
}

fn list(place: &Place, format: Format) -> CommandResult {
    let tokens = Tokens::load(&place.path()?).map_err(failure)?.unwrap_or_default();
    let now_us = SystemClock.now().as_microsecond();
    if let Format::Json = format {
        let all: Vec<_> = tokens.all().iter().map(|token| shown(token, now_us)).collect();
        let document = serde_json::json!({"schema": "windvane.token_list/1", "tokens": all});
        return print(&format!("{document:#}\n"));
    }
    if tokens.all().is_empty() {
        return print("there is no token; requests need none on a loopback address\n");
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["id", "name", "scopes", "models", "state", "created", "expires"]);
    for token in tokens.all() {
        let scopes: Vec<&str> = token.scopes.iter().map(|scope| scope.as_str()).collect();
        let models = match token.model_prefixes.as_slice() {
            [] => "all".to_owned(),
            prefixes => prefixes.iter().map(|prefix| format!("{prefix}…")).collect::<Vec<_>>().join(", "),
        };
        table.add_row([
            token.id.as_str(),
            &token.name,
            &scopes.join(","),
            &models,
            token.state(now_us),
            &token.created_at,
            token.expires_at.as_deref().unwrap_or("never"),
        ]);
    }
    print(&format!("{table}\n"))
}

/// A token without its hash.
fn shown(token: &Token, now_us: i64) -> serde_json::Value {
    serde_json::json!({
        "id": token.id,
        "name": token.name,
        "scopes": token.scopes,
        "model_prefixes": token.model_prefixes,
        "requests_per_s": token.requests_per_s,
        "state": token.state(now_us),
        "created_at": token.created_at,
        "expires_at": token.expires_at,
        "revoked_at": token.revoked_at,
    })
}

fn failure(error: TokensError) -> Failure {
    let reason = match &error {
        TokensError::Wanted { .. } | TokensError::Unknown { .. } => Reason::Usage,
        TokensError::Content { .. } | TokensError::Mode { .. } => Reason::Config,
        TokensError::File { .. } => Reason::Unavailable,
    };
    Failure { reason, error: error.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_at_a_time_that_can_be_written_down() {
        let now_us = 1_700_000_000_000_000;
        assert_eq!(end("24h", now_us).unwrap(), now_us + 86_400_000_000);
        assert!(end("300000w", now_us).is_ok());
        for text in ["0h", "500000w", "15250000w", "soon"] {
            let told = end(text, now_us).unwrap_err().to_string();
            assert!(told.contains(text) && told.contains("90d"), "{told}");
        }
    }
}
