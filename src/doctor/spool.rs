//! The spool and the tokens: what waits, what was laid aside, who may come in.

use windvane_collector::{DeadLetter, DeadLetters, SpoolState, Tokens};
use windvane_types::counting::counted;
use windvane_types::{Clock, SystemClock};

use super::Check;
use crate::config::Config;

/// Events that have waited longer than this say that ClickHouse does not take them.
const OLD_S: i64 = 300;

pub(super) fn check(config: &Config, checks: &mut Vec<Check>) {
    let folder = &config.collector.spool_dir;
    checks.push(match SpoolState::of(folder) {
        Err(error) => {
            Check::fail("spool", format!("cannot read `{}`: {error}", folder.display()), "check its owner")
        }
        Ok(state) => waiting(&state),
    });
    checks.push(match DeadLetter::all(folder) {
        Err(error) => {
            Check::fail("dead letters", format!("cannot read their folder: {error}"), "check its owner")
        }
        Ok(DeadLetters { unreadable, .. }) if !unreadable.is_empty() => {
            let problems: Vec<_> = unreadable.into_iter().map(|file| file.problem).collect();
            Check::fail("dead letters", problems.join("; "), "mend the file, or move it out of the folder")
        }
        Ok(DeadLetters { readable, .. }) if readable.is_empty() => Check::ok("dead letters", "none"),
        Ok(DeadLetters { readable, .. }) => {
            let rows: u64 = readable.iter().map(|letter| letter.rows).sum();
            Check::warn(
                "dead letters",
                format!(
                    "{} with {} that ClickHouse could not take",
                    readable.len(),
                    counted(rows, "row", "rows")
                ),
                "`windvane spool list` says why, `windvane spool retry` sends them again",
            )
        }
    });
    checks.push(tokens(config));
}

fn waiting(state: &SpoolState) -> Check {
    let rows: u64 = state.tables.iter().map(|table| table.pending_rows).sum();
    let bytes: u64 = state.tables.iter().map(|table| table.disk_bytes).sum();
    let damaged: u64 = state.tables.iter().map(|table| table.damaged_files).sum();
    let oldest = state.tables.iter().filter_map(|table| table.oldest_us).min();
    let age_s = oldest.map_or(0, |oldest| (SystemClock.now().as_microsecond() - oldest) / 1_000_000);
    let user = if state.in_use { "in use" } else { "used by no service" };
    let detail = format!(
        "{user}; {}, the oldest {age_s} s; {} MiB",
        counted(rows, "row waits", "rows wait"),
        bytes >> 20
    );
    if damaged > 0 {
        return Check::warn(
            "spool",
            format!("{detail}; {} of damaged bytes", counted(damaged, "file", "files")),
            "look at the disk; *.damaged files hold what was damaged, and are yours to remove",
        );
    }
    if rows > 0 && !state.in_use {
        return Check::warn("spool", detail, "start the service; it sends what waits");
    }
    if age_s > OLD_S {
        return Check::warn(
            "spool",
            detail,
            "ClickHouse does not take events; see the store below and the log",
        );
    }
    Check::ok("spool", detail)
}

fn tokens(config: &Config) -> Check {
    let now_us = SystemClock.now().as_microsecond();
    let path = &config.server.tokens_file;
    match Tokens::load(path) {
        // The configuration was refused already where this matters.
        Err(error) => Check::fail("tokens", error.to_string(), "mend or remove the file"),
        Ok(tokens) => {
            let active = tokens.map_or(0, |tokens| {
                tokens.all().iter().filter(|token| token.state(now_us) == "active").count()
            });
            match (active, config.server.listen.ip().is_loopback()) {
                (0, true) => Check::ok("tokens", "none; the port is reached from this machine only"),
                (0, false) => Check::warn(
                    "tokens",
                    "none, and other machines reach the port (server.allow_unauthenticated)",
                    "`windvane token create`, unless a proxy authenticates",
                ),
                (n, true) => Check::ok("tokens", format!("{n} active in `{}`", path.display())),
                (n, false) if config.server.tls.is_none() => Check::warn(
                    "tokens",
                    format!("{n} active, and they travel in clear text"),
                    "set server.tls, or put a proxy with TLS before the port",
                ),
                (n, false) => Check::ok("tokens", format!("{n} active in `{}`, over TLS", path.display())),
            }
        }
    }
}
