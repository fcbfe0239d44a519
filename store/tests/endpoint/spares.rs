//! Connections that one statement leaves to the next: whose they are, and that nothing of the one is seen by the other.

use crate::service::{Answer, User, finish, service, until};

/// A connection says by this which one it is.
const MARK: &str = "SELECT getSetting('log_comment')";

async fn ask(user: User, parameters: &[(&str, &str)], sql: &str) -> Answer {
    finish(service().request(user, parameters).body(sql.to_owned())).await
}

/// The mark of the connection on which a statement of this kind runs now.
async fn mark(user: User, parameters: &[(&str, &str)]) -> String {
    let answer = ask(user, parameters, MARK).await;
    assert_eq!(answer.code(), 0, "{}", answer.text());
    answer.text()
}

#[tokio::test]
async fn a_connection_is_left_to_a_statement_of_the_same_kind_alone() {
    // No other test sets this, so that no other test takes the connection.
    let kind = [("max_block_size", "12345"), ("database", "system")];
    let first = mark(User::Writer, &kind).await;
    assert!(first.starts_with("wv:"), "{first}");
    assert_eq!(mark(User::Writer, &kind).await, first);
    for other in [
        &[("max_block_size", "12346"), ("database", "system")][..],
        &[("max_block_size", "12345")],
        &[("max_block_size", "12345"), ("database", "system"), ("max_threads", "1")],
    ] {
        assert_ne!(mark(User::Writer, other).await, first, "{other:?}");
    }
    let reader = mark(User::Reader, &kind).await;
    assert_ne!(reader, first);
    assert_eq!(mark(User::Reader, &kind).await, reader, "readers have their own");
    let written = ask(User::Reader, &kind, "CREATE TABLE windvane.spare (a UInt8) ENGINE = Null").await;
    assert_eq!(written.code(), 164, "{}", written.text());
}

#[tokio::test]
async fn nothing_of_a_statement_is_seen_by_the_next_one_on_its_connection() {
    let kind = [("max_block_size", "23456")];
    let state = "SELECT getSetting('max_threads') = 7, getSetting('max_block_size'), currentDatabase(), getSetting('log_comment')";
    let before = ask(User::Writer, &kind, state).await.text();
    assert!(before.starts_with("0\t23456\twindvane\twv:"), "{before}");
    let with_secret = [("max_block_size", "23456"), ("param_secret", "s")];
    for (parameters, sql) in [
        (&kind[..], "SELECT 1 SETTINGS max_threads = 7"),
        (&kind[..], "SELECT * FROM (SELECT 1 SETTINGS max_block_size = 77)"),
        (&kind[..], "SELECT number FROM numbers(10) FORMAT JSONEachRow"),
        (&with_secret[..], "SELECT {secret:String}"),
    ] {
        assert_eq!(ask(User::Writer, parameters, sql).await.code(), 0, "{sql}");
        assert_eq!(ask(User::Writer, &kind, state).await.text(), before, "after {sql}");
    }
    let unset = ask(User::Writer, &kind, "SELECT {secret:String}").await;
    assert_eq!(unset.code(), 456, "{}", unset.text());
}

#[tokio::test]
async fn a_connection_is_left_by_nothing_but_a_select_that_succeeded() {
    let kind = [("max_block_size", "34567")];
    for (sql, code) in [
        ("SELECT throwIf(1)", 395),
        ("CREATE TEMPORARY TABLE spare (a UInt8)", 0),
        ("SET max_threads = 7", 0),
        ("USE system", 0),
        ("SHOW TABLES", 0),
    ] {
        let before = mark(User::Writer, &kind).await;
        assert_eq!(ask(User::Writer, &kind, sql).await.code(), code, "{sql}");
        assert_ne!(mark(User::Writer, &kind).await, before, "after {sql}");
    }
}

#[tokio::test]
async fn a_statement_on_a_connection_of_another_can_be_killed_and_takes_the_connection_with_it() {
    let kind = [("max_block_size", "45678")];
    let before = mark(User::Writer, &kind).await;
    let long = "SELECT sum(sipHash64(number, 'spare')) FROM numbers(1000000000000)";
    let named = [("max_block_size", "45678"), ("query_id", "on a spare")];
    let request = tokio::spawn(finish(service().request(User::Writer, &named).body(long)));
    let by_mark = format!(
        "SELECT count() FROM system.processes WHERE Settings['log_comment'] = '{}' AND query LIKE 'SELECT sum(sip%'",
        before.trim()
    );
    until(&by_mark, "1").await;
    service().text("KILL QUERY WHERE query_id = 'on a spare'").await;
    assert_eq!(request.await.unwrap().code(), 394);
    assert_ne!(mark(User::Writer, &kind).await, before);
}
