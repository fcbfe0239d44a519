//! The tokens of a statement, as ClickHouse's own lexer cuts them (`tokenizeQuery`).

use windvane_types::hex;

use crate::chdb::{Connection, EngineError};

/// What a token is, as far as we ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An unquoted word: keyword, name or function.
    Word,
    /// `` `name` `` or `"name"`.
    QuotedName,
    /// `'text'` or a here-document.
    Text,
    /// `(`, `[` or `{`.
    Open,
    /// `)`, `]` or `}`.
    Close,
    /// `.`
    Dot,
    /// `,`
    Comma,
    /// `;`
    Semicolon,
    /// `=`
    Equals,
    /// A number, an operator, or anything else that means something.
    Other,
    /// Bytes the lexer cannot cut; data may begin here.
    Error,
}

/// One token that is neither space nor comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Byte offset of its begin in the text.
    pub(super) begin: usize,
    /// Byte offset of its end.
    pub(super) end: usize,
}

impl Token {
    /// The token's bytes.
    pub(super) fn bytes<'t>(&self, text: &'t [u8]) -> &'t [u8] {
        text.get(self.begin..self.end).unwrap_or_default()
    }

    /// Whether it is this keyword.
    pub(super) fn is(&self, text: &[u8], keyword: &str) -> bool {
        self.kind == Kind::Word && self.bytes(text).eq_ignore_ascii_case(keyword.as_bytes())
    }

    /// The name that a word or a quoted name stands for; a quoted one without its quotes, escapes as they are.
    pub(super) fn name(&self, text: &[u8]) -> Option<String> {
        let bytes = self.bytes(text);
        let inner = match self.kind {
            Kind::Word => bytes,
            Kind::QuotedName => bytes.get(1..bytes.len().saturating_sub(1)).unwrap_or_default(),
            _ => return None,
        };
        Some(String::from_utf8_lossy(inner).into_owned())
    }
}

/// Cuts a text into tokens. The text may be followed by data of any kind: those come out as tokens without sense.
pub(super) fn tokens(connection: &mut Connection, text: &[u8]) -> Result<Vec<Token>, EngineError> {
    let hex = hex::encode(text);
    // In a parameter of type String the digits need no escaping, and the text is never part of a statement.
    let sql = "SELECT t.1, t.2, t.3 FROM (SELECT arrayJoin(tokenizeQuery(unhex({text:String}))) AS t)";
    let output = connection.query(sql, "TabSeparatedRaw", &[("text".to_owned(), hex)])?;
    let rows = String::from_utf8_lossy(output.bytes()).into_owned();
    Ok(rows.lines().filter_map(token).collect())
}

fn token(row: &str) -> Option<Token> {
    let mut fields = row.split('\t');
    let begin = fields.next()?.parse().ok()?;
    let end = fields.next()?.parse().ok()?;
    let kind = match fields.next()? {
        "Whitespace" | "Comment" | "EndOfStream" => return None,
        "BareWord" => Kind::Word,
        "QuotedIdentifier" => Kind::QuotedName,
        "StringLiteral" | "HereDoc" => Kind::Text,
        "OpeningRoundBracket" | "OpeningSquareBracket" | "OpeningCurlyBrace" => Kind::Open,
        "ClosingRoundBracket" | "ClosingSquareBracket" | "ClosingCurlyBrace" => Kind::Close,
        "Dot" => Kind::Dot,
        "Comma" => Kind::Comma,
        "Semicolon" => Kind::Semicolon,
        "Equals" => Kind::Equals,
        other if other.starts_with("Error") => Kind::Error,
        _ => Kind::Other,
    };
    Some(Token { kind, begin, end })
}
