//! A statement taken apart: what kind it is, its FORMAT clause, and where the data of an insert begin.

use super::tokens::{Kind, Token};

/// A statement as the endpoint runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `INSERT INTO t …` whose data follow; the engine takes head and format apart.
    InsertData {
        /// Bytes of the statement before its FORMAT or VALUES.
        head_end: usize,
        /// Bytes of the statement with its FORMAT clause: what the parser is to check.
        statement_end: usize,
        /// First byte of the data.
        data_begin: usize,
        /// The FORMAT clause; none when the statement names none.
        format: Option<String>,
    },
    /// Anything else, with its FORMAT clause.
    Query {
        /// Byte offset of the word FORMAT and the name after it.
        format: Option<(usize, String)>,
        /// End of the last token, before a closing semicolon and trailing comments.
        end: usize,
        /// Whether the first word is SELECT or WITH or FROM, or a parenthesis: what may be streamed.
        select: bool,
        /// Whether it is `KILL …`.
        kill: bool,
        /// Whether a row of totals comes after the rows.
        totals: bool,
    },
    /// No token at all.
    Empty,
}

impl Shape {
    /// Takes a statement apart. For an insert `text` may hold data behind the statement.
    pub(super) fn of(text: &[u8], tokens: &[Token]) -> Self {
        let Some(first) = tokens.first() else { return Self::Empty };
        if first.is(text, "INSERT")
            && let Some(insert) = insert_with_data(text, tokens)
        {
            return insert;
        }
        query(text, tokens, first)
    }
}

/// The shape of an insert whose data follow; none for INSERT … SELECT.
fn insert_with_data(text: &[u8], tokens: &[Token]) -> Option<Shape> {
    let mut depth = 0_usize;
    let mut last_end = 0;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            // A name after `INTO`, `TABLE` or a dot is a name, whatever word it is.
            Kind::Word if depth == 0 && at > 1 && !is_name_position(text, tokens, at) => {
                if token.is(text, "SELECT")
                    || token.is(text, "WITH")
                    || token.is(text, "WATCH")
                    || token.is(text, "FROM")
                {
                    return None;
                }
                if token.is(text, "VALUES") {
                    return Some(Shape::InsertData {
                        head_end: token.begin,
                        statement_end: token.end,
                        data_begin: token.end,
                        format: Some("Values".to_owned()),
                    });
                }
                if token.is(text, "FORMAT")
                    && let Some(name) = tokens.get(at + 1).and_then(|next| next.name(text))
                {
                    let end = tokens[at + 1].end;
                    return Some(Shape::InsertData {
                        head_end: token.begin,
                        statement_end: end,
                        data_begin: data_begin(text, end),
                        format: Some(name),
                    });
                }
            }
            Kind::Semicolon | Kind::Error if depth == 0 => break,
            _ => {}
        }
        last_end = token.end;
    }
    // `INSERT INTO t (SELECT …)` has no data either.
    let is_select = |pair: &[Token]| {
        pair[0].kind == Kind::Open && (pair[1].is(text, "SELECT") || pair[1].is(text, "WITH"))
    };
    if tokens.windows(2).any(is_select) {
        return None;
    }
    Some(Shape::InsertData {
        head_end: last_end,
        statement_end: last_end,
        data_begin: last_end,
        format: None,
    })
}

fn is_name_position(text: &[u8], tokens: &[Token], at: usize) -> bool {
    let before = &tokens[at - 1];
    before.kind == Kind::Dot
        || before.is(text, "INTO") && !tokens[at].is(text, "FUNCTION")
        || before.is(text, "TABLE") && tokens.get(at - 2).is_some_and(|token| token.is(text, "INTO"))
}

/// ClickHouse skips blanks and one line end between the name of a format and the data.
fn data_begin(text: &[u8], format_end: usize) -> usize {
    let mut at = format_end;
    while text.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t')) {
        at += 1;
    }
    if text.get(at) == Some(&b';') {
        at += 1;
    }
    if text.get(at) == Some(&b'\r') {
        at += 1;
    }
    if text.get(at) == Some(&b'\n') {
        at += 1;
    }
    at
}

fn query(text: &[u8], tokens: &[Token], first: &Token) -> Shape {
    let end = tokens.iter().rev().find(|token| token.kind != Kind::Semicolon).map_or(0, |token| token.end);
    let select =
        ["SELECT", "WITH", "FROM"].iter().any(|word| first.is(text, word)) || first.kind == Kind::Open;
    let words = |pair: &[Token]| {
        pair[0].is(text, "WITH") && ["TOTALS", "ROLLUP", "CUBE"].iter().any(|w| pair[1].is(text, w))
    };
    Shape::Query {
        format: format_clause(text, tokens),
        end,
        select,
        kill: first.is(text, "KILL"),
        totals: tokens.windows(2).any(words),
    }
}

/// The last `FORMAT name` outside of parentheses with nothing but SETTINGS behind it.
fn format_clause(text: &[u8], tokens: &[Token]) -> Option<(usize, String)> {
    let mut depth = 0_usize;
    let mut found = None;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Open => depth += 1,
            Kind::Close => depth = depth.saturating_sub(1),
            Kind::Word if depth == 0 && at > 0 && token.is(text, "FORMAT") => {
                let named = tokens.get(at + 1).and_then(|next| next.name(text));
                let closes = tokens
                    .get(at + 2)
                    .is_none_or(|next| next.kind == Kind::Semicolon || next.is(text, "SETTINGS"));
                if let (Some(name), true) = (named, closes) {
                    found = Some((token.begin, name));
                }
            }
            _ => {}
        }
    }
    found
}
