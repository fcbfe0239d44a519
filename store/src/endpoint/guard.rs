//! What may run: every statement is judged by the engine's own parser before it is executed.
//!
//! Three answers of the engine are combined: `chdb_classify_query_n` (one statement? which class?), `EXPLAIN AST` (the
//! syntax tree, after parameters were filled in) and `tokenizeQuery` (the tokens, for what the tree does not print).
//! None of them executes the statement.

mod names;
mod rules;
mod tree;

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use parking_lot::Mutex;
use windvane_types::hex;

use super::access::Role;
use super::status::{code, exception};
use super::tokens::{self, Token};
use crate::chdb::{Class, Connection, Engine, EngineError, Exception};
use tree::Tree;

/// Connections kept for judging.
const CONNECTIONS_MAX: usize = 8;
/// Statements remembered, and the longest that is.
const REMEMBERED_MAX: usize = 512;
const REMEMBERED_BYTES_MAX: usize = 16 << 10;
/// Most tokens of a statement whose tokens are remembered: 24 bytes each, so that all of them take 24 MiB at most.
const TOKENS_MAX: usize = 2_000;

/// What the guard found out about a statement that may run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verdict {
    /// What the statement does to lasting state.
    pub(super) class: Class,
    /// What kind of statement it is, where the endpoint treats it apart.
    pub(super) special: Special,
}

/// Statements that the endpoint treats apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Special {
    /// None of those below.
    No,
    /// `SET …`, kept by a session.
    Set,
    /// `USE database`.
    Use(String),
    /// `KILL QUERY WHERE query_id = '…'`.
    Kill(String),
}

/// Judges statements.
#[derive(Debug)]
pub(super) struct Guard {
    engine: Arc<Engine>,
    /// Databases that a reader may name.
    readable: Vec<String>,
    connections: Mutex<Vec<Connection>>,
    verdicts: Mutex<HashMap<(Role, String), Verdict>>,
    /// By the text of the statement.
    cut: Mutex<HashMap<Vec<u8>, Vec<Token>>>,
}

impl Guard {
    /// A guard whose readers may name `windvane`, `system`, `information_schema` and these databases.
    pub(super) fn new(engine: Arc<Engine>, databases: &[String]) -> Self {
        let fixed = [crate::DATABASE, "system", "information_schema", "INFORMATION_SCHEMA"];
        let readable = fixed.into_iter().map(str::to_owned).chain(databases.iter().cloned()).collect();
        let (connections, verdicts, cut) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { engine, readable, connections, verdicts, cut }
    }

    /// Whether a role may have this database as its current one.
    pub(super) fn check_database(&self, database: &str, role: Role) -> Result<(), Exception> {
        if role == Role::Reader && !self.readable.iter().any(|name| name == database) {
            return Err(rules::no_database(database, &self.readable));
        }
        Ok(())
    }

    /// The tokens of a text.
    pub(super) fn tokens(&self, text: &[u8]) -> Result<Vec<Token>, Exception> {
        self.with(|connection| tokens::tokens(connection, text))
    }

    /// The tokens of a statement without data behind it. Pages and rules ask the same ones again and again: they are cut once.
    pub(super) fn tokens_of_statement(&self, text: &[u8]) -> Result<Vec<Token>, Exception> {
        if let Some(tokens) = self.cut.lock().get(text) {
            return Ok(tokens.clone());
        }
        let tokens = self.tokens(text)?;
        if text.len() <= REMEMBERED_BYTES_MAX && tokens.len() <= TOKENS_MAX {
            remember(&mut self.cut.lock(), text.to_vec(), tokens.clone());
        }
        Ok(tokens)
    }

    /// Runs something on a connection that has no state.
    pub(super) fn with<T>(
        &self,
        act: impl FnOnce(&mut Connection) -> Result<T, EngineError>,
    ) -> Result<T, Exception> {
        let kept = self.connections.lock().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.engine.connect().map_err(EngineError::into_exception)?,
        };
        let outcome = act(&mut connection);
        let mut connections = self.connections.lock();
        if connections.len() < CONNECTIONS_MAX {
            connections.push(connection);
        }
        outcome.map_err(EngineError::into_exception)
    }

    /// Closes the guard's connections.
    pub(super) fn close(&self) {
        self.connections.lock().clear();
    }

    /// Judges a statement (for an insert with data: the part before the data, with its FORMAT).
    pub(super) fn check(
        &self,
        sql: &str,
        parameters: &[(String, String)],
        role: Role,
    ) -> Result<Verdict, Exception> {
        let key = (role, sql.to_owned());
        let holds = holds_for_others(sql, parameters);
        if holds && let Some(verdict) = self.verdicts.lock().get(&key) {
            return Ok(verdict.clone());
        }
        let verdict = self.judge(sql, parameters, role)?;
        if holds && !is_of_value(&verdict, parameters) {
            remember(&mut self.verdicts.lock(), key, verdict.clone());
        }
        Ok(verdict)
    }

    fn judge(&self, sql: &str, parameters: &[(String, String)], role: Role) -> Result<Verdict, Exception> {
        let classified = self.with(|connection| connection.classify(sql))?;
        if classified.class == Class::Unknown || classified.statements == 0 {
            return Err(self.syntax_error(sql));
        }
        if classified.statements > 1 {
            return Err(exception(code::SYNTAX_ERROR, "Syntax error: Multi-statements are not allowed."));
        }
        rules::parameters_forge_no_lines(sql, parameters)?;
        // The tokens come first: EXPLAIN applies a SETTINGS clause of the statement that it shows.
        let tokens = self.tokens_of_statement(sql.as_bytes())?;
        rules::judge_tokens(sql.as_bytes(), &tokens)?;
        let tree = self.with(|connection| {
            let output = connection.query(&format!("EXPLAIN AST {sql}"), "TSVRaw", parameters)?;
            Ok(String::from_utf8_lossy(output.bytes()).into_owned())
        })?;
        let tree = Tree::parse(&tree).ok_or_else(|| {
            exception(
                code::ACCESS_DENIED,
                "The syntax tree of this statement cannot be read, so it does not run.",
            )
        })?;
        let case = rules::Case {
            tree: &tree,
            tokens: &tokens,
            text: sql.as_bytes(),
            role,
            readable: &self.readable,
        };
        rules::judge(&case, classified.class)
    }

    /// The parser's message for text that does not parse. `formatQuery` parses without executing.
    fn syntax_error(&self, sql: &str) -> Exception {
        let hex = hex::encode(sql.as_bytes());
        let parsed = self.with(|connection| {
            connection.query("SELECT formatQuery(unhex({text:String}))", "Null", &[("text".to_owned(), hex)])
        });
        match parsed {
            Err(mut error) if error.code == code::SYNTAX_ERROR => {
                // The analyzer adds the scope, which is our own statement.
                if let Some(at) = error.message.find(": In scope SELECT formatQuery(") {
                    error.message.truncate(at);
                    error.message.push('.');
                }
                error
            }
            _ => exception(
                code::SYNTAX_ERROR,
                "Syntax error: the text is not one statement that this endpoint knows.",
            ),
        }
    }
}

/// Whether the verdict on a text is that on the same text with other parameters: no rule looks at a value, but one of them may be a
/// name.
fn holds_for_others(sql: &str, parameters: &[(String, String)]) -> bool {
    let names = !parameters.is_empty() && sql.to_ascii_lowercase().contains("identifier");
    !names && sql.len() <= REMEMBERED_BYTES_MAX
}

/// Whether the verdict tells the value of a parameter: what is to be killed.
fn is_of_value(verdict: &Verdict, parameters: &[(String, String)]) -> bool {
    !parameters.is_empty() && matches!(verdict.special, Special::Kill(_))
}

/// Remembers one more; where that would be too many, it is the first one anew.
fn remember<K: Eq + Hash, V>(known: &mut HashMap<K, V>, key: K, value: V) {
    if known.len() >= REMEMBERED_MAX {
        known.clear();
    }
    known.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_verdict_is_remembered_for_other_values_and_never_for_other_names() {
        let one = [("x".to_owned(), "1".to_owned())];
        assert!(holds_for_others("SELECT {x:String}", &one) && holds_for_others("SELECT {x:String}", &[]));
        let long = "a".repeat(REMEMBERED_BYTES_MAX + 1);
        for sql in ["SELECT {x:Identifier}", "SELECT {x: IDENTIFIER }", long.as_str()] {
            assert!(!holds_for_others(sql, &one), "{sql}");
        }
        let verdict = |special| Verdict { class: Class::ReadOnly, special };
        assert!(is_of_value(&verdict(Special::Kill("1".to_owned())), &one));
        assert!(!is_of_value(&verdict(Special::Kill("1".to_owned())), &[]));
        assert!(!is_of_value(&verdict(Special::No), &one));
    }

    #[test]
    fn no_more_statements_are_remembered_than_it_says() {
        let mut known = HashMap::new();
        for number in 0..=2 * REMEMBERED_MAX {
            remember(&mut known, number, ());
            assert!(known.len() <= REMEMBERED_MAX && known.contains_key(&number));
        }
    }
}
