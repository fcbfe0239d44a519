//! The ClickHouse HTTP interface, point by point, as curl and other plain clients use it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::service::{User, finish, service, until};

#[tokio::test]
async fn health_checks_need_no_password() {
    let client = reqwest::Client::new();
    for path in ["", "ping", "replicas_status"] {
        for method in [reqwest::Method::GET, reqwest::Method::HEAD] {
            let answer = finish(client.request(method.clone(), format!("{}{path}", service().url))).await;
            let body = if method == reqwest::Method::HEAD { "" } else { "Ok.\n" };
            assert_eq!((answer.status, answer.text().as_str()), (200, body), "{method} /{path}");
        }
    }
    assert_eq!(finish(client.get(format!("{}nowhere", service().url))).await.status, 404);
    assert_eq!(finish(client.delete(&service().url)).await.status, 405);
}

#[tokio::test]
async fn strangers_get_403_and_code_516() {
    let client = reqwest::Client::new();
    let url = format!("{}?query=SELECT+1", service().url);
    for request in [
        client.get(&url),
        client.get(&url).basic_auth("windvane", Some("wrong")),
        client.get(&url).basic_auth("nobody", Some(&service().access.password)),
        client.get(&url).header("X-ClickHouse-User", "windvane").header("X-ClickHouse-Key", ""),
        client.get(&url).bearer_auth(&service().access.password),
        client.get(format!("{url}&user=windvane&password=wrong")),
    ] {
        let answer = finish(request).await;
        assert_eq!((answer.status, answer.code()), (403, 516));
        assert!(answer.text().contains("(AUTHENTICATION_FAILED) (version "), "{}", answer.text());
    }
    let named = client.get(format!("{url}&user=windvane&password={}", service().access.password));
    assert_eq!(finish(named).await.text(), "1\n");
}

#[tokio::test]
async fn passwords_are_private_and_an_address_of_others_is_refused() {
    let path = service().data_dir.join("access.json");
    assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn the_format_comes_from_clause_then_header_then_parameter() {
    let service = service();
    for (parameters, header, sql, format, body) in [
        (&[][..], None, "SELECT 1 AS a", "TabSeparated", "1\n"),
        (&[("default_format", "CSV")][..], None, "SELECT 'x' AS a", "CSV", "\"x\"\n"),
        (
            &[("default_format", "CSV")][..],
            Some("JSONEachRow"),
            "SELECT 1 AS a",
            "JSONEachRow",
            "{\"a\":1}\n",
        ),
        (
            &[("default_format", "CSV")][..],
            Some("JSON"),
            "SELECT 1 AS a FORMAT TSVWithNames",
            "TSVWithNames",
            "a\n1\n",
        ),
        (&[][..], None, "SHOW TABLES FROM windvane LIKE 'none' FORMAT JSONEachRow;", "JSONEachRow", ""),
    ] {
        let mut request = service.request(User::Reader, parameters).body(sql);
        if let Some(header) = header {
            request = request.header("X-ClickHouse-Format", header);
        }
        let answer = finish(request).await;
        assert_eq!(
            (answer.header("X-ClickHouse-Format"), answer.text().as_str()),
            (Some(format), body),
            "{sql}"
        );
    }
}

#[tokio::test]
async fn get_is_readonly_and_post_is_not() {
    let service = service();
    let url = reqwest::Url::parse_with_params(
        &service.url,
        [("query", "CREATE TABLE by_get (a UInt8) ENGINE = Memory")],
    );
    let get = reqwest::Client::new().get(url.unwrap()).basic_auth("windvane", Some(&service.access.password));
    let answer = finish(get).await;
    assert_eq!((answer.status, answer.code()), (500, 164), "{}", answer.text());
}

#[tokio::test]
async fn statement_and_data_are_joined_from_url_and_body() {
    let service = service();
    service.text("CREATE OR REPLACE TABLE joined (a Int64, b String) ENGINE = Memory").await;
    for (query, body) in [
        ("", "INSERT INTO joined FORMAT JSONEachRow {\"a\":1,\"b\":\"x\"}"),
        ("", "INSERT INTO joined (a, b) VALUES (2, 'y')"),
        ("INSERT INTO joined FORMAT CSV", "3,\"z\"\n"),
        ("INSERT INTO joined FORMAT CSV\n4,\"in url\"\n", "5,\"in body\"\n"),
        ("INSERT INTO joined", "FORMAT TSV\n6\tw\n"),
        ("INSERT INTO joined SETTINGS async_insert = 0 FORMAT TSV", "7\tw\n"),
        ("INSERT INTO joined (b, a) FORMAT TSV", "eight\t8\n"),
        ("INSERT INTO joined SELECT 9,", "'nine'"),
    ] {
        let answer = finish(service.request(User::Writer, &[("query", query)]).body(body)).await;
        assert_eq!(answer.code(), 0, "{query} {body}: {}", answer.text());
        let summary = answer.header("X-ClickHouse-Summary").unwrap();
        assert!(
            summary.contains("\"written_rows\":\"") && !summary.contains("\"written_rows\":\"0\""),
            "{query}: {summary}"
        );
    }
    assert_eq!(
        service.text("SELECT groupArray(a) FROM (SELECT a FROM joined ORDER BY a)").await,
        "[1,2,3,4,5,6,7,8,9]\n"
    );
}

#[tokio::test]
async fn every_encoding_works_both_ways() {
    let service = service();
    service.text("CREATE OR REPLACE TABLE encoded (a String) ENGINE = Memory").await;
    let gzip = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"gzip\n").unwrap();
        encoder.finish().unwrap()
    };
    let zstd = zstd::bulk::compress(b"zstd\n", 1).unwrap();
    let lz4 = {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(b"lz4\n").unwrap();
        encoder.finish().unwrap()
    };
    let zlib = {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"deflate\n").unwrap();
        encoder.finish().unwrap()
    };
    let mut brotli = Vec::new();
    brotli::CompressorWriter::new(&mut brotli, 4096, 5, 22).write_all(b"br\n").unwrap();
    for (encoding, body) in [
        ("gzip", gzip),
        ("zstd", zstd),
        ("lz4", lz4),
        ("deflate", zlib),
        ("br", brotli),
        ("identity", b"identity\n".to_vec()),
    ] {
        let request = service.request(User::Writer, &[("query", "INSERT INTO encoded FORMAT TSV")]);
        let answer = finish(request.header("Content-Encoding", encoding).body(body)).await;
        assert_eq!(answer.code(), 0, "{encoding}: {}", answer.text());
    }
    assert_eq!(
        service.text("SELECT arraySort(groupArray(a)) FROM encoded").await,
        "['br','deflate','gzip','identity','lz4','zstd']\n"
    );

    let expected: String = (0..100_000).map(|n| format!("{n}\n")).collect();
    for encoding in ["gzip", "zstd", "lz4", "deflate", "br"] {
        let request = service.request(User::Reader, &[]).header("Accept-Encoding", encoding);
        let answer = finish(request.body("SELECT number FROM numbers(100000)")).await;
        assert_eq!(answer.header("Content-Encoding"), Some(encoding));
        let mut unpacked = String::new();
        match encoding {
            "gzip" => flate2::read::GzDecoder::new(answer.body.as_slice()).read_to_string(&mut unpacked),
            "deflate" => flate2::read::ZlibDecoder::new(answer.body.as_slice()).read_to_string(&mut unpacked),
            "br" => brotli::Decompressor::new(answer.body.as_slice(), 4096).read_to_string(&mut unpacked),
            "zstd" => zstd::Decoder::new(answer.body.as_slice()).unwrap().read_to_string(&mut unpacked),
            _ => lz4_flex::frame::FrameDecoder::new(answer.body.as_slice()).read_to_string(&mut unpacked),
        }
        .unwrap();
        assert!(unpacked == expected, "{encoding}");
    }
    let unknown = service.request(User::Writer, &[]).header("Content-Encoding", "snappy").body("SELECT 1");
    assert_eq!(finish(unknown).await.code(), 89);
    let corrupt =
        service.request(User::Writer, &[("query", "INSERT INTO encoded FORMAT TSV"), ("decompress", "1")]);
    let answer = finish(corrupt.body(vec![7; 64])).await;
    assert_eq!((answer.status, answer.code()), (400, 39), "{}", answer.text());
}

#[tokio::test]
async fn large_results_are_one_document_in_every_format() {
    let service = service();
    for (format, lines) in [
        ("TSVWithNamesAndTypes", 200_002),
        ("CSVWithNames", 200_001),
        ("JSONCompactEachRowWithNames", 200_001),
    ] {
        let text = service.text(&format!("SELECT number AS n FROM numbers(200000) FORMAT {format}")).await;
        assert_eq!(text.lines().count(), lines, "{format}");
        assert_eq!(
            text.matches("n\"").count() + text.matches("n\n").count(),
            1,
            "{format} repeats its header"
        );
    }
    let json: serde_json::Value =
        serde_json::from_str(&service.text("SELECT number AS n FROM numbers(200000) FORMAT JSON").await)
            .unwrap();
    assert_eq!(json["rows"], 200_000);
    assert_eq!(json["data"].as_array().unwrap().len(), 200_000);
    for wait in ["0", "1"] {
        let request = service.request(User::Reader, &[("wait_end_of_query", wait)]);
        let answer =
            finish(request.body("SELECT number FROM numbers(2000000) FORMAT RowBinaryWithNamesAndTypes"))
                .await;
        assert_eq!(answer.body.len(), 15 + 7 + 16_000_000 - 7, "wait_end_of_query={wait}");
    }
}

#[tokio::test]
async fn a_failure_in_mid_result_is_marked_and_the_transfer_breaks() {
    let sql = "SELECT throwIf(number = 3000000), number FROM numbers(10000000)";
    let answer = service().run(User::Reader, sql).await;
    assert_eq!(answer.status, 200);
    let tag = answer.header("X-ClickHouse-Exception-Tag").unwrap().to_owned();
    let text = answer.text();
    let tail = &text[text.rfind("\r\n__exception__\r\n").unwrap()..];
    assert_eq!(tail, "\r\n__exception__\r\n");
    let block = &text[text.find("\r\n__exception__\r\n").unwrap()..];
    assert!(
        block.starts_with(&format!("\r\n__exception__\r\n{tag}\r\nCode: 395. DB::Exception: ")),
        "{block}"
    );
    assert!(answer.cut, "a plain client would take the result for complete");

    let held = finish(service().request(User::Reader, &[("wait_end_of_query", "1")]).body(sql)).await;
    assert_eq!((held.status, held.code()), (500, 395));
}

#[tokio::test]
async fn an_id_runs_once_and_can_be_killed() {
    let service = service();
    let long = "SELECT sum(sipHash64(number)) FROM numbers(1000000000000)";
    let first = tokio::spawn(finish(service.request(User::Writer, &[("query_id", "long")]).body(long)));
    until("SELECT count() > 0 FROM system.processes WHERE query LIKE 'SELECT sum(sipHash64(number))%'", "1")
        .await;
    let second = finish(service.request(User::Writer, &[("query_id", "long")]).body("SELECT 1")).await;
    assert_eq!(second.code(), 216, "{}", second.text());
    let by_reader = service.run(User::Reader, "KILL QUERY WHERE query_id = 'long'").await;
    assert_eq!(by_reader.code(), 164);
    let killed = service.text("KILL QUERY WHERE query_id = 'long' SYNC").await;
    assert_eq!(killed, "waiting\tlong\twindvane\t\n");
    let answer = first.await.unwrap();
    assert_eq!(answer.code(), 394, "{}", answer.text());
    assert_eq!(service.text("KILL QUERY WHERE query_id = 'nobody'").await, "");
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_statement_with_it() {
    let service = service();
    let long = "SELECT sum(sipHash64(number, 'gone')) FROM numbers(1000000000000)";
    let running = "SELECT count() > 0 FROM system.processes WHERE query LIKE 'SELECT sum(sipHash64(number, \\'gone\\'))%'";
    let request = tokio::spawn(finish(service.request(User::Writer, &[]).body(long)));
    until(running, "1").await;
    request.abort();
    until(running, "0").await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_stream_with_it() {
    let service = service();
    let endless = "SELECT number, 'stream' FROM numbers(1000000000000)";
    let running = "SELECT count() > 0 FROM system.processes WHERE query LIKE 'SELECT number, \\'stream\\'%'";
    let mut response = service.request(User::Writer, &[]).body(endless).send().await.unwrap();
    assert!(response.chunk().await.unwrap().is_some());
    until(running, "1").await;
    drop(response);
    until(running, "0").await;
}

#[tokio::test]
async fn an_insert_cut_off_in_its_body_leaves_nothing() {
    let service = service();
    service.text("CREATE OR REPLACE TABLE cut (a UInt64) ENGINE = MergeTree ORDER BY a").await;
    let host = service.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let (user, password) = (service.access.user.clone(), service.access.password.clone());
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(host).unwrap();
        write!(
            stream,
            "POST /?query=INSERT%20INTO%20cut%20FORMAT%20TSV HTTP/1.1\r\nHost: x\r\nX-ClickHouse-User: {user}\r\n\
             X-ClickHouse-Key: {password}\r\nContent-Length: 1000000\r\n\r\n"
        )
        .unwrap();
        stream.write_all("1\n2\n3\n".repeat(1000).as_bytes()).unwrap();
        stream.flush().unwrap();
    })
    .await
    .unwrap();
    until("SELECT count() FROM system.processes WHERE query LIKE 'INSERT INTO cut%'", "0").await;
    assert_eq!(service.text("SELECT count() FROM cut").await, "0\n");
    let bad = service.request(User::Writer, &[("query", "INSERT INTO cut FORMAT TSV")]).body("1\n2\nx\n");
    let answer = finish(bad).await;
    assert_eq!((answer.status, answer.code()), (400, 27), "{}", answer.text());
    assert_eq!(service.text("SELECT count() FROM cut").await, "0\n");
}

#[tokio::test]
async fn sessions_keep_their_state_and_requests_do_not_leak_into_it() {
    let service = service();
    let session = |extra: &[(&'static str, &'static str)]| {
        let all: Vec<_> = [("session_id", "kept")].into_iter().chain(extra.iter().copied()).collect();
        service.request(User::Writer, &all)
    };
    for sql in [
        "SET max_threads = 3",
        "CREATE TEMPORARY TABLE scratch (a UInt8)",
        "USE system",
        "CREATE DATABASE IF NOT EXISTS s",
    ] {
        assert_eq!(finish(session(&[]).body(sql)).await.code(), 0, "{sql}");
    }
    let inserted = finish(session(&[]).body("INSERT INTO scratch VALUES (1), (2)")).await;
    assert_eq!(inserted.code(), 0, "{}", inserted.text());
    let state = "SELECT getSetting('max_threads'), currentDatabase(), (SELECT count() FROM scratch)";
    assert_eq!(finish(session(&[]).body(state)).await.text(), "3\tsystem\t2\n");
    assert_eq!(
        finish(session(&[("max_threads", "1"), ("database", "s")]).body(state)).await.text(),
        "1\ts\t2\n"
    );
    assert_eq!(finish(session(&[]).body(state)).await.text(), "3\tsystem\t2\n");
    let unknown = [("session_id", "unknown"), ("session_check", "1")];
    assert_eq!(finish(service.request(User::Writer, &unknown).body("SELECT 1")).await.code(), 372);

    let slow = tokio::spawn(finish(session(&[]).body("SELECT sleep(2) AS slow")));
    until("SELECT count() > 0 FROM system.processes WHERE query LIKE 'SELECT sleep(2) AS slow%'", "1").await;
    assert_eq!(finish(session(&[]).body("SELECT 1")).await.code(), 373);
    assert_eq!(slow.await.unwrap().code(), 0);
}

#[tokio::test]
async fn full_pools_answer_503_with_retry_after() {
    let service = service();
    let slow: Vec<_> =
        (0..4).map(|_| tokio::spawn(service.run(User::Reader, "SELECT sleep(3) AS full"))).collect();
    until_full(service).await;
    for task in slow {
        assert_eq!(task.await.unwrap().code(), 0);
    }
}

/// Reads are answered with 503 once all four places are taken; writes are not.
async fn until_full(service: &'static crate::service::Service) {
    let deadline = Instant::now() + Duration::from_secs(3);
    loop {
        let answer = service.run(User::Reader, "SELECT 1").await;
        if answer.status == 503 {
            assert_eq!((answer.code(), answer.header("Retry-After")), (202, Some("1")));
            break;
        }
        assert!(Instant::now() < deadline, "four running statements leave a place");
    }
    let write =
        service.run(User::Writer, "CREATE TABLE IF NOT EXISTS beside (a UInt8) ENGINE = Memory").await;
    assert_eq!(write.code(), 0, "{}", write.text());
}

#[tokio::test]
async fn transport_settings_are_swallowed_and_unknown_ones_are_not() {
    let service = service();
    let swallowed =
        [("buffer_size", "1"), ("client_protocol_version", "54460"), ("quota_key", "a"), ("role", "r")];
    assert_eq!(finish(service.request(User::Reader, &swallowed).body("SELECT 1")).await.text(), "1\n");
    let unknown = finish(service.request(User::Reader, &[("no_such_setting", "1")]).body("SELECT 1")).await;
    assert_eq!((unknown.status, unknown.code()), (404, 115));
    let limited = finish(
        service
            .request(User::Reader, &[("max_memory_usage", "1000000")])
            .body("SELECT count() FROM (SELECT number FROM numbers(10000000) GROUP BY number)"),
    );
    let limited = limited.await;
    assert_eq!((limited.status, limited.code()), (500, 241), "{}", limited.text());
}

#[tokio::test]
async fn grafanas_hello_is_answered_in_its_own_protocol() {
    let parameters = [("default_format", "Native"), ("client_protocol_version", "54483")];
    let request = service().request(User::Reader, &parameters);
    let answer = finish(request.body("SELECT displayName(), version(), revision(), timezone()")).await;
    assert_eq!(answer.header("X-ClickHouse-Format"), Some("Native"));
    // Block info, four columns, one row; then name, type, has_custom = 0 and the value of each.
    assert!(
        answer.body.starts_with(
            b"\x01\x00\x02\xff\xff\xff\xff\x00\x04\x01\x0ddisplayName()\x06String\x00\x08windvane"
        )
    );
    let revision = b"\x0arevision()\x06UInt32\x00\x00\x00\x00\x00";
    assert!(answer.body.windows(revision.len()).any(|window| window == revision), "{:?}", answer.body);
    // Later blocks are plain Native.
    let ping = finish(service().request(User::Reader, &parameters).body("SELECT 1")).await;
    assert_eq!(ping.body, b"\x01\x01\x011\x05UInt8\x01");
}

#[tokio::test]
async fn forms_carry_statement_and_parameters() {
    let body = "--B\r\nContent-Disposition: form-data; name=\"query\"\r\n\r\nSELECT {x:String} AS a\r\n--B\r\n\
        Content-Disposition: form-data; name=\"param_x\"\r\n\r\nit's\r\n--B--\r\n";
    let form = |body: &'static str| {
        service()
            .request(User::Reader, &[])
            .header("Content-Type", "multipart/form-data; boundary=B")
            .body(body)
    };
    assert_eq!(finish(form(body)).await.text(), "it\\'s\n");
    let external = "--B\r\nContent-Disposition: form-data; name=\"t\"; filename=\"t\"\r\n\r\n1\r\n--B--\r\n";
    assert_eq!(finish(form(external)).await.status, 501);
}
