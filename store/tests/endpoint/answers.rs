//! What answers say beside their rows: headers, statuses of exceptions, and the first words with Grafana.

use std::io::Read;

use crate::service::{User, finish, service};

#[tokio::test]
async fn answers_name_their_server_query_format_and_time_zone() {
    for method in [reqwest::Method::POST, reqwest::Method::HEAD] {
        let asked = service().request(User::Reader, &[("query_id", method.as_str()), ("query", "SELECT 1")]);
        let (client, request) = asked.build_split();
        let mut request = request.unwrap();
        *request.method_mut() = method.clone();
        let response = client.execute(request).await.unwrap();
        let header =
            |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        for (name, value) in [
            ("X-ClickHouse-Server-Display-Name", "windvane"),
            ("X-ClickHouse-Query-Id", method.as_str()),
            ("X-ClickHouse-Format", "TabSeparated"),
            ("Content-Type", "text/tab-separated-values; charset=UTF-8"),
            ("Keep-Alive", "timeout=10"),
        ] {
            assert_eq!(header(name).as_deref(), Some(value), "{method} {name}");
        }
        let zone = header("X-ClickHouse-Timezone").unwrap();
        assert_eq!(service().text("SELECT timezone()").await.trim_end(), zone);
        let summary = header("X-ClickHouse-Summary").unwrap();
        assert!(summary.contains("\"read_rows\":\"1\""), "{summary}");
        let body = response.text().await.unwrap();
        assert_eq!(body, if method == reqwest::Method::HEAD { "" } else { "1\n" });
    }
}

#[tokio::test]
async fn each_exception_has_the_status_that_clickhouse_gives_it() {
    for (sql, parameters, expected) in [
        ("SELECT sleep(3)", &[("max_execution_time", "1")][..], (408, 159)),
        (
            "SELECT number FROM numbers(10)",
            &[("max_result_rows", "3"), ("result_overflow_mode", "throw")],
            (500, 396),
        ),
        ("SELECT 1; SELECT 2", &[], (400, 62)),
        ("SELECT toUInt8('x')", &[], (400, 6)),
        ("SELECT nothing", &[], (404, 47)),
        ("SELECT * FROM nowhere", &[], (404, 60)),
        ("SELECT 1", &[("database", "nowhere")], (403, 497)),
    ] {
        let answer = finish(service().request(User::Reader, parameters).body(sql)).await;
        assert_eq!((answer.status, answer.code()), expected, "{sql}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_header_names_the_database() {
    let request = service().request(User::Writer, &[]).header("X-ClickHouse-Database", "system");
    assert_eq!(
        finish(request.body("SELECT currentDatabase(), count() FROM one")).await.text(),
        "system\t1\n"
    );
}

/// As clickhouse-go sends it for Grafana: gzip is accepted, the format is Native by default, and the whole block is compared.
#[tokio::test]
async fn grafanas_hello_comes_packed_as_it_asks() {
    let parameters = [("default_format", "Native"), ("client_protocol_version", "54483")];
    let ask = async |sql: &'static str| {
        let request = service().request(User::Reader, &parameters).header("Accept-Encoding", "gzip");
        let answer = finish(request.body(sql)).await;
        assert_eq!(answer.header("Content-Encoding"), Some("gzip"), "{sql}");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_end(&mut unpacked).unwrap();
        unpacked
    };
    let word = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
    let version = service().text("SELECT version()").await;
    let zone = service().text("SELECT timezone()").await;
    let expected = [
        b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01".to_vec(),
        [word("displayName()"), word("String"), vec![0], word("windvane")].concat(),
        [word("version()"), word("String"), vec![0], word(version.trim_end())].concat(),
        [word("revision()"), word("UInt32"), vec![0], vec![0; 4]].concat(),
        [word("timezone()"), word("String"), vec![0], word(zone.trim_end())].concat(),
    ];
    assert_eq!(ask("SELECT displayName(), version(), revision(), timezone()").await, expected.concat());
    // Later blocks are plain Native.
    assert_eq!(ask("SELECT 1").await, b"\x01\x01\x011\x05UInt8\x01");
}
