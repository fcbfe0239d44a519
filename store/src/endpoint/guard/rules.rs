//! The rules: which statement, function, table and engine a role may name.

use super::super::access::Role;
use super::super::settings;
use super::super::status::{code, exception};
use super::super::tokens::{Kind, Token};
use super::names;
use super::tree::{Node, Tree};
use super::{Special, Verdict};
use crate::chdb::{Class, Exception};

/// A statement before the rules.
pub(super) struct Case<'c> {
    pub(super) tree: &'c Tree,
    pub(super) tokens: &'c [Token],
    pub(super) text: &'c [u8],
    pub(super) role: Role,
    /// Databases that a reader may name.
    pub(super) readable: &'c [String],
}

fn denied(message: impl Into<String>) -> Exception {
    exception(code::ACCESS_DENIED, message)
}

/// A database that a reader may not name.
pub(super) fn no_database(name: &str, readable: &[String]) -> Exception {
    denied(format!("Database `{name}` is not open to readers; these are: {}.", readable.join(", ")))
}

/// Judges a statement of this class.
pub(super) fn judge(case: &Case, class: Class) -> Result<Verdict, Exception> {
    no_secret_door(case)?;
    settings_of_the_text(case)?;
    let special = root(case, class)?;
    for (index, node) in case.tree.nodes.iter().enumerate() {
        match node.class() {
            "Function" | "FunctionWithKeyValueArguments" => function(case, index, node)?,
            "TableIdentifier" => table(case, node.name())?,
            "Identifier" => identifier(case, index, node)?,
            "ColumnsApplyTransformer" => applied_functions(case)?,
            "Literal" if is_outside_file(case, index) => {
                return Err(denied("INTO OUTFILE and FROM INFILE are refused by this endpoint."));
            }
            "Dictionary" => return Err(denied("Dictionaries are refused by this endpoint.")),
            _ => {}
        }
    }
    Ok(Verdict { class, special })
}

/// The same for names that come in through parameters of the type Identifier.
pub(super) fn parameters_forge_no_lines(sql: &str, parameters: &[(String, String)]) -> Result<(), Exception> {
    let odd = |value: &str| value.contains(|c: char| c.is_control() || c == '\\');
    if sql.to_ascii_lowercase().contains("identifier") && parameters.iter().any(|(_, value)| odd(value)) {
        return Err(denied(
            "Parameters with control characters or backslashes are refused beside one of type Identifier.",
        ));
    }
    Ok(())
}

/// What the tokens alone decide, before the engine sees the statement in any form.
pub(super) fn judge_tokens(text: &[u8], tokens: &[Token]) -> Result<(), Exception> {
    for (at, token) in tokens.iter().enumerate() {
        let next = |word: &str| tokens.get(at + 1).is_some_and(|next| next.is(text, word));
        match token.kind {
            // A name with a line end could forge lines of the printed tree.
            Kind::QuotedName
                if token.bytes(text).iter().any(|byte| byte.is_ascii_control() || *byte == b'\\') =>
            {
                return Err(denied(
                    "Quoted names with control characters or backslashes are refused by this endpoint.",
                ));
            }
            Kind::Error => return Err(exception(code::SYNTAX_ERROR, "Syntax error: unknown token.")),
            Kind::Word
                if token.is(text, "INTO") && next("OUTFILE") || token.is(text, "FROM") && next("INFILE") =>
            {
                return Err(denied("INTO OUTFILE and FROM INFILE are refused by this endpoint."));
            }
            Kind::Equals if at > 0 && tokens.iter().any(|token| token.is(text, "SETTINGS")) => {
                let name = tokens[at - 1].name(text).unwrap_or_default().to_ascii_lowercase();
                if settings::is_refused(&name) {
                    return Err(settings::refused(&name));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// What the tree does not print is looked for among the tokens.
fn no_secret_door(case: &Case) -> Result<(), Exception> {
    let name = |at: usize| case.tokens.get(at).and_then(|token| token.name(case.text)).unwrap_or_default();
    let keyword = |at: usize, word: &str| case.tokens.get(at).is_some_and(|token| token.is(case.text, word));
    let kind = |at: usize| case.tokens.get(at).map(|token| token.kind);
    for at in 0..case.tokens.len() {
        // The engine's own `default` holds every file as a table.
        if name(at).eq_ignore_ascii_case("default") && kind(at + 1) == Some(Kind::Dot) {
            let table = name(at + 2);
            let plain = !table.is_empty() && table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if case.role == Role::Reader || !plain {
                return Err(denied(
                    "Database `default` names files of this machine and is refused by this endpoint.",
                ));
            }
        }
        let called =
            kind(at + 1) == Some(Kind::Open) && case.text.get(case.tokens[at + 1].begin) == Some(&b'(');
        let is_name = at > 0
            && (kind(at - 1) == Some(Kind::Dot)
                || ["INTO", "TABLE", "EXISTS", "VIEW", "AS"].iter().any(|word| keyword(at - 1, word)));
        let word = name(at).to_ascii_lowercase();
        if called && !is_name && is_outside(&word) {
            return Err(outside(&word));
        }
        let writes = ["CreateQuery", "AlterQuery"].contains(&case.tree.root().class());
        if writes && kind(at + 1) == Some(Kind::Equals) && matches!(word.as_str(), "disk" | "storage_policy")
        {
            return Err(denied(format!("Setting `{word}` of a table is refused by this endpoint.")));
        }
    }
    Ok(())
}

/// SETTINGS clauses: the tree says that there is one, the tokens what is in it.
fn settings_of_the_text(case: &Case) -> Result<(), Exception> {
    if !case.tree.nodes.iter().any(|node| node.class() == "Set") {
        return Ok(());
    }
    for pair in case.tokens.windows(2).filter(|pair| pair[1].kind == Kind::Equals) {
        let name = pair[0].name(case.text).unwrap_or_default().to_ascii_lowercase();
        if case.role == Role::Reader && settings::is_kept_from_readers(&name) {
            return Err(settings::kept_from_readers(&name));
        }
    }
    Ok(())
}

fn is_outside(lower: &str) -> bool {
    names::OUTSIDE.contains(&lower)
        || names::BY_NAME.contains(&lower)
        || names::BY_NAME_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

fn outside(name: &str) -> Exception {
    denied(format!("Function `{name}` reaches outside of the engine and is refused by this endpoint."))
}

/// The kind of statement.
fn root(case: &Case, class: Class) -> Result<Special, Exception> {
    let root = case.tree.root();
    let reader = names::READER_ROOTS.contains(&root.class());
    let writer = names::WRITER_ROOTS.contains(&root.class());
    match case.role {
        Role::Reader if !reader || class != Class::ReadOnly => {
            if !reader && !writer {
                return Err(denied("This kind of statement is refused by this endpoint."));
            }
            return Err(exception(code::READONLY, "Cannot execute query in readonly mode."));
        }
        Role::Writer if !reader && !writer => {
            return Err(denied("This kind of statement is refused by this endpoint."));
        }
        _ => {}
    }
    match root.class() {
        "Explain" if !names::EXPLAINS.contains(&root.name()) => {
            Err(denied("This kind of EXPLAIN is refused by this endpoint."))
        }
        "Set" => {
            let mut names = case
                .tokens
                .iter()
                .filter_map(|token| token.name(case.text))
                .map(|name| name.to_ascii_lowercase());
            match names.find(|name| settings::is_kept_from_sessions(name)) {
                Some(name) => Err(settings::refused(&name)),
                None => Ok(Special::Set),
            }
        }
        "UseQuery" => {
            let database = root.name().to_owned();
            if database == "default" {
                return Err(denied(
                    "Database `default` names files of this machine and is refused by this endpoint.",
                ));
            }
            Ok(Special::Use(database))
        }
        "KillQueryQuery" => killed(case),
        "ShowTables"
        | "ShowColumns"
        | "ShowCreateTableQuery"
        | "ShowCreateViewQuery"
        | "ShowCreateDatabaseQuery"
        | "ExistsTableQuery"
        | "ExistsViewQuery"
        | "ExistsDatabaseQuery"
        | "ExistsDictionaryQuery" => shown(case).map(|()| Special::No),
        "AlterQuery" => altered(case).map(|()| Special::No),
        _ => Ok(Special::No),
    }
}

/// SHOW and EXISTS print no table identifiers: their databases are looked for among the tokens.
fn shown(case: &Case) -> Result<(), Exception> {
    for (at, token) in case.tokens.iter().enumerate() {
        let Some(name) = token.name(case.text) else { continue };
        let before = at.checked_sub(1).map(|before| &case.tokens[before]);
        let after_from = before
            .is_some_and(|before| ["FROM", "IN", "DATABASE"].iter().any(|word| before.is(case.text, word)));
        let before_dot = case.tokens.get(at + 1).is_some_and(|next| next.kind == Kind::Dot);
        let is_columns = case.tree.root().class() == "ShowColumns";
        if name.eq_ignore_ascii_case("default") {
            return Err(denied(
                "Database `default` names files of this machine and is refused by this endpoint.",
            ));
        }
        // `SHOW COLUMNS FROM t FROM db`: the first FROM names a table.
        let second = is_columns
            && case.tokens[..at].iter().filter(|t| t.is(case.text, "FROM") || t.is(case.text, "IN")).count()
                < 2;
        if (before_dot || (after_from && !second))
            && case.role == Role::Reader
            && !case.readable.contains(&name)
        {
            return Err(no_database(&name, case.readable));
        }
    }
    Ok(())
}

/// Commands of ALTER that move parts between disks or folders.
fn altered(case: &Case) -> Result<(), Exception> {
    let refused = ["FREEZE", "FETCH", "MOVE_PARTITION", "UNFREEZE", "EXPORT", "MOVE"];
    for node in case.tree.nodes.iter().filter(|node| node.class() == "AlterCommand") {
        if refused.iter().any(|word| node.name().starts_with(word)) {
            return Err(denied(format!("ALTER … {} is refused by this endpoint.", node.name())));
        }
    }
    Ok(())
}

/// The query id that a KILL names. The engine's own ids are not the clients', so no other condition makes sense.
fn killed(case: &Case) -> Result<Special, Exception> {
    let shape = || {
        if case.tokens.get(1).is_some_and(|token| token.is(case.text, "MUTATION")) {
            let sync = case.tokens.iter().any(|token| token.is(case.text, "SYNC"));
            return (!sync).then_some(Special::No);
        }
        let (condition, node) = case.tree.children(0).next()?;
        if node.label != "Function equals" {
            return None;
        }
        let (list, _) = case.tree.children(condition).next()?;
        let labels: Vec<&str> = case.tree.children(list).map(|(_, node)| node.label.as_str()).collect();
        match labels.as_slice() {
            ["Identifier query_id", literal] | [literal, "Identifier query_id"] => {
                let text = literal.strip_prefix("Literal '")?.strip_suffix('\'')?;
                Some(Special::Kill(text.replace("\\'", "'").replace("\\\\", "\\")))
            }
            _ => None,
        }
    };
    shape().ok_or_else(|| {
        exception(
            code::NOT_IMPLEMENTED,
            "This endpoint knows KILL QUERY WHERE query_id = '…' and KILL MUTATION … ASYNC.",
        )
    })
}

/// A function of either kind, a table engine, or a data type with arguments.
fn function(case: &Case, index: usize, node: &Node) -> Result<(), Exception> {
    let name = node.name();
    let lower = name.to_ascii_lowercase();
    let parent = case.tree.parent(index).class();
    let is_engine = parent == "Storage" && node.position == 0 && case.tree.root().class() == "CreateQuery";
    if is_engine {
        return engine(case, name);
    }
    if is_outside(&lower) {
        return Err(outside(name));
    }
    let is_table_function = matches!(parent, "TableExpression" | "InsertQuery" | "CreateQuery" | "Explain");
    let allowed = names::READER_TABLE_FUNCTIONS.contains(&name)
        || (case.role == Role::Writer && names::WRITER_TABLE_FUNCTIONS.contains(&name));
    if is_table_function && !allowed {
        return Err(denied(format!(
            "Table function `{name}` is refused by this endpoint; readers may use: {}.",
            names::READER_TABLE_FUNCTIONS.join(", ")
        )));
    }
    Ok(())
}

fn engine(case: &Case, name: &str) -> Result<(), Exception> {
    let is_database = case.tokens.get(1).is_some_and(|token| token.is(case.text, "DATABASE"));
    let allowed: &[&str] = if is_database { &names::DATABASE_ENGINES } else { &names::TABLE_ENGINES };
    if allowed.contains(&name) {
        return Ok(());
    }
    Err(denied(format!("Engine `{name}` is refused by this endpoint; allowed are: {}.", allowed.join(", "))))
}

/// A table as the tree prints it: `database.table` or `table`.
fn table(case: &Case, printed: &str) -> Result<(), Exception> {
    let Some((database, table)) = printed.split_once('.') else { return Ok(()) };
    if database == "default" {
        let plain = table.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if case.role == Role::Reader || !plain {
            return Err(denied(
                "Database `default` names files of this machine and is refused by this endpoint.",
            ));
        }
    }
    if case.role == Role::Reader && !case.readable.iter().any(|name| name == database) {
        return Err(no_database(database, case.readable));
    }
    Ok(())
}

/// A name that is not a table in the tree, but may be read as one: the right side of IN, or a function handed over.
fn identifier(case: &Case, index: usize, node: &Node) -> Result<(), Exception> {
    let name = node.name();
    if name.split_once('.').is_some_and(|(database, _)| database == "default") {
        return table(case, name);
    }
    let list = case.tree.nodes[index].parent;
    let call = case.tree.parent(list);
    if case.tree.nodes[list].class() != "ExpressionList" || call.class() != "Function" {
        return Ok(());
    }
    let function = call.name();
    let is_in =
        function.to_ascii_lowercase().ends_with("in") && node.position == 1 && is_in_function(function);
    if is_in {
        return table(case, name);
    }
    // `arrayMap(file, paths)` calls `file`.
    if is_outside(&name.to_ascii_lowercase()) && is_higher_order(function) {
        return Err(outside(name));
    }
    Ok(())
}

fn is_in_function(name: &str) -> bool {
    matches!(
        name,
        "in" | "notIn"
            | "globalIn"
            | "globalNotIn"
            | "nullIn"
            | "notNullIn"
            | "globalNullIn"
            | "globalNotNullIn"
            | "inIgnoreSet"
            | "notInIgnoreSet"
            | "globalInIgnoreSet"
            | "globalNotInIgnoreSet"
            | "nullInIgnoreSet"
            | "notNullInIgnoreSet"
            | "globalNullInIgnoreSet"
            | "globalNotNullInIgnoreSet"
    )
}

/// Functions that take a function: `array…`, `map…` and `tuple…`.
fn is_higher_order(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    ["array", "map", "tuple", "apply", "kql"].iter().any(|prefix| lower.starts_with(prefix))
}

/// `* APPLY(f)` prints no `f`: none of the statement's words may be a function that reaches outside.
fn applied_functions(case: &Case) -> Result<(), Exception> {
    for token in case.tokens {
        if let Some(name) = token.name(case.text)
            && is_outside(&name.to_ascii_lowercase())
        {
            return Err(outside(&name));
        }
    }
    Ok(())
}

/// The file of INTO OUTFILE or FROM INFILE stands as a text directly under the statement.
fn is_outside_file(case: &Case, index: usize) -> bool {
    let parent = case.tree.nodes[index].parent;
    let class = case.tree.nodes[parent].class();
    parent == 0 && (class == "SelectWithUnionQuery" || class == "InsertQuery")
}
