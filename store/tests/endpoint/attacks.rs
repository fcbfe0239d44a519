//! Statements that try to leave the engine: each line of `attacks.tsv` with the code it must be refused with.

use crate::service::{User, finish, service};

const SETUP: [&str; 5] = [
    "CREATE DATABASE IF NOT EXISTS private",
    "CREATE DATABASE IF NOT EXISTS opened",
    "CREATE TABLE IF NOT EXISTS private.t (a UInt8) ENGINE = Memory",
    "CREATE TABLE IF NOT EXISTS opened.t (a UInt8) ENGINE = Memory",
    "CREATE TABLE IF NOT EXISTS windvane.t (a Int64, b String) ENGINE = MergeTree ORDER BY a",
];

fn unescaped(text: &str) -> String {
    let mut unescaped = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => unescaped.push('\n'),
                Some('t') => unescaped.push('\t'),
                Some(other) => unescaped.push(other),
                None => unescaped.push('\\'),
            },
            other => unescaped.push(other),
        }
    }
    unescaped
}

#[tokio::test]
async fn no_statement_leaves_the_engine_and_ordinary_ones_run() {
    let service = service();
    for sql in SETUP {
        service.text(sql).await;
    }
    let mut wrong = Vec::new();
    let mut checked = 0;
    for line in
        include_str!("../attacks.tsv").lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        let mut fields = line.splitn(3, '\t');
        let user = match fields.next().unwrap() {
            "reader" => User::Reader,
            "writer" => User::Writer,
            other => panic!("unknown role {other}"),
        };
        let expected: i32 = fields.next().unwrap().parse().unwrap();
        let sql = unescaped(fields.next().unwrap());
        let answer = service.run(user, &sql).await;
        checked += 1;
        if answer.code() != expected {
            wrong.push(format!(
                "{user:?} {sql}: {} in place of {expected}: {}",
                answer.code(),
                answer.text()
            ));
        }
        assert!(!answer.text().contains("root:"), "{sql} has read /etc/passwd");
    }
    assert!(wrong.is_empty(), "{} of {checked} differ:\n{}", wrong.len(), wrong.join("\n"));
    assert!(checked >= 60);
    assert!(!std::path::Path::new("/tmp/windvane-attack").exists());
}

#[tokio::test]
async fn names_in_parameters_are_judged_as_names_in_the_text() {
    type Case<'c> = (&'c str, &'c [(&'c str, &'c str)], i32);
    let cases: [Case; 9] = [
        (
            "SELECT * FROM {d:Identifier}.{t:Identifier}",
            &[("param_d", "default"), ("param_t", "/etc/passwd")],
            497,
        ),
        ("SELECT 1 IN {t:Identifier}", &[("param_t", "default./etc/passwd")], 497),
        ("SELECT {x:Identifier} FROM (SELECT 1 AS a)", &[("param_x", "a\\n   Function numbers")], 497),
        ("SELECT {x:Identifier} FROM (SELECT 1 AS a)", &[("param_x", "a")], 0),
        // What was allowed under one name is not under another.
        ("SELECT {x:Identifier} FROM (SELECT 1 AS a)", &[("param_x", "a\\n   Function numbers")], 497),
        ("SELECT {x:String}", &[("param_x", "a\\nb")], 0),
        ("SELECT 1", &[("readonly", "0")], 164),
        ("SELECT 1", &[("additional_result_filter", "file('/etc/passwd') != ''")], 497),
        ("SELECT 1", &[("default_format", "JSON SETTINGS readonly = 0")], 36),
    ];
    for (sql, parameters, expected) in cases {
        let answer = finish(service().request(User::Reader, parameters).body(sql)).await;
        assert_eq!(answer.code(), expected, "{sql} {parameters:?}: {}", answer.text());
    }
}

#[tokio::test]
async fn readers_do_not_enter_sessions_or_databases_of_others() {
    let service = service();
    let session = [("session_id", "mine")];
    let made =
        finish(service.request(User::Writer, &session).body("CREATE TEMPORARY TABLE secret (a UInt8)")).await;
    assert_eq!(made.code(), 0, "{}", made.text());
    let seen = finish(service.request(User::Reader, &session).body("SELECT * FROM secret")).await;
    assert_eq!(seen.code(), 60, "{}", seen.text());
    let used = finish(service.request(User::Reader, &[("database", "private")]).body("SELECT 1")).await;
    assert_eq!(used.code(), 497, "{}", used.text());
    // Clients that name `default` mean the default one, which is `windvane` here.
    let default =
        finish(service.request(User::Reader, &[("database", "default")]).body("SELECT currentDatabase()"))
            .await;
    assert_eq!(default.text(), "windvane\n");
}
