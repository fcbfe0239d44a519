//! The plugin's macros and Grafana's variables written out, as both do it before ClickHouse sees a statement: so that every
//! panel can be run without them.
//!
//! Expansions are those of the ClickHouse data source 4.20; of variables, `${name:singlequote}` and the plain forms.

use std::collections::BTreeMap;

/// The span of a dashboard and the values chosen.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Seconds since 1970 UTC.
    pub from_s: i64,
    /// Seconds since 1970 UTC.
    pub to_s: i64,
    /// What Grafana derives from the span and the width of a panel, seconds.
    pub interval_s: i64,
    /// By variable; empty means all.
    pub variables: BTreeMap<&'static str, Vec<String>>,
}

/// Why a statement cannot be written out.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandError {
    /// A macro that the plugin does not have, or that is not understood here.
    #[error("`{0}` is no macro that is known")]
    UnknownMacro(String),
    /// A macro with a number of arguments that it does not take.
    #[error("`{0}` has a number of arguments that it does not take")]
    Arguments(String),
    /// A parenthesis that is not closed.
    #[error("a parenthesis of `{0}` is not closed")]
    Open(String),
    /// A variable that the dashboard does not have.
    #[error("there is no variable `{0}`")]
    UnknownVariable(String),
}

/// The statement as ClickHouse gets it.
///
/// # Errors
/// A macro or a variable is not known.
pub fn expand(sql: &str, scope: &Scope) -> Result<String, ExpandError> {
    variables(&macros(sql, scope)?, scope)
}

fn macros(sql: &str, scope: &Scope) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find("$__") {
        out.push_str(&rest[..at]);
        let word_end = rest[at + 1..]
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .map_or(rest.len(), |end| at + 1 + end);
        let name = &rest[at..word_end];
        let (arguments, after) = arguments(name, &rest[word_end..])?;
        // Arguments may hold macros themselves.
        let arguments: Vec<String> =
            arguments.iter().map(|argument| macros(argument, scope)).collect::<Result<_, _>>()?;
        out.push_str(&one(name, &arguments, scope)?);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

/// The arguments behind a name, split at commas outside of parentheses and quotes; and what follows.
fn arguments<'a>(name: &str, rest: &'a str) -> Result<(Vec<String>, &'a str), ExpandError> {
    if !rest.starts_with('(') {
        return Ok((Vec::new(), rest));
    }
    let (mut depth, mut quoted, mut begin) = (0_u32, false, 1);
    let mut arguments = Vec::new();
    for (at, c) in rest.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            _ if quoted => {}
            '(' => depth += 1,
            ',' if depth == 1 => {
                arguments.push(rest[begin..at].trim().to_owned());
                begin = at + 1;
            }
            ')' if depth == 1 => {
                arguments.push(rest[begin..at].trim().to_owned());
                return Ok((arguments, &rest[at + 1..]));
            }
            ')' => depth -= 1,
            _ => {}
        }
    }
    Err(ExpandError::Open(name.to_owned()))
}

fn one(name: &str, arguments: &[String], scope: &Scope) -> Result<String, ExpandError> {
    let Scope { from_s, to_s, interval_s, .. } = scope;
    let wrong = || ExpandError::Arguments(name.to_owned());
    let column = || {
        arguments.first().filter(|argument| arguments.len() == 1 && !argument.is_empty()).ok_or_else(wrong)
    };
    Ok(match name {
        "$__timeFilter" => {
            let column = column()?;
            format!("{column} >= toDateTime({from_s}) AND {column} <= toDateTime({to_s})")
        }
        "$__timeFilter_ms" => {
            let column = column()?;
            format!(
                "{column} >= fromUnixTimestamp64Milli({}) AND {column} <= fromUnixTimestamp64Milli({})",
                from_s * 1_000,
                to_s * 1_000
            )
        }
        "$__timeInterval" => {
            format!("toStartOfInterval(toDateTime({}), INTERVAL {interval_s} second)", column()?)
        }
        "$__fromTime" => format!("toDateTime({from_s})"),
        "$__toTime" => format!("toDateTime({to_s})"),
        "$__interval_s" => interval_s.to_string(),
        "$__conditionalAll" => match arguments {
            [condition, variable] => {
                let variable = variable.trim_start_matches('$').trim_matches(['{', '}']);
                let chosen = scope
                    .variables
                    .get(variable)
                    .ok_or_else(|| ExpandError::UnknownVariable(variable.to_owned()))?;
                // The plugin takes an empty value for all of them.
                if chosen.iter().all(String::is_empty) { "1=1".to_owned() } else { condition.clone() }
            }
            _ => return Err(wrong()),
        },
        _ => return Err(ExpandError::UnknownMacro(name.to_owned())),
    })
}

fn variables(sql: &str, scope: &Scope) -> Result<String, ExpandError> {
    let mut out = String::with_capacity(sql.len());
    let mut rest = sql;
    while let Some(at) = rest.find("${") {
        out.push_str(&rest[..at]);
        let end =
            rest[at..].find('}').map(|end| at + end).ok_or_else(|| ExpandError::Open("${".to_owned()))?;
        let inner = &rest[at + 2..end];
        let (name, form) = inner.split_once(':').unwrap_or((inner, ""));
        let values =
            scope.variables.get(name).ok_or_else(|| ExpandError::UnknownVariable(name.to_owned()))?;
        let written: Vec<String> = match form {
            "singlequote" => values.iter().map(|value| format!("'{}'", value.replace('\'', "\\'"))).collect(),
            _ => values.clone(),
        };
        out.push_str(&written.join(","));
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
        let variables = BTreeMap::from([("model", values(&["it's", "b"])), ("version", Vec::new())]);
        Scope { from_s: 100, to_s: 200, interval_s: 60, variables }
    }

    #[test]
    fn macros_are_written_out_as_the_plugin_does() {
        for (sql, expected) in [
            ("$__timeFilter(ts)", "ts >= toDateTime(100) AND ts <= toDateTime(200)"),
            (
                "$__timeFilter_ms(f(a, b))",
                "f(a, b) >= fromUnixTimestamp64Milli(100000) AND f(a, b) <= fromUnixTimestamp64Milli(200000)",
            ),
            ("$__timeInterval(ts) AS time", "toStartOfInterval(toDateTime(ts), INTERVAL 60 second) AS time"),
            ("n / $__interval_s", "n / 60"),
            ("$__fromTime < $__toTime", "toDateTime(100) < toDateTime(200)"),
            ("m IN (${model:singlequote})", "m IN ('it\\'s','b')"),
            ("$__conditionalAll(v IN (${version:singlequote}), $version)", "1=1"),
            ("$__conditionalAll(m IN (${model:singlequote}), $model)", "m IN ('it\\'s','b')"),
        ] {
            assert_eq!(expand(sql, &scope()).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn what_the_plugin_does_not_know_is_an_error() {
        for sql in [
            "$__timeGroup(ts)",
            "$__timeFilter()x(",
            "$__timeFilter(a, b)",
            "${segment}",
            "$__conditionalAll(a, $b)",
        ] {
            assert!(expand(sql, &scope()).is_err(), "{sql}");
        }
    }
}
