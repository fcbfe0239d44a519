//! A service to which more connections are open than it takes at a time.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::time::Duration;

use windvane_kit::{Service, eventually};

/// How long an answer may take that is due.
const SOON: Duration = Duration::from_secs(60);
/// The least that `limits.connections_max` may be.
const BOUND: usize = 8;

/// A client that keeps its connection open between requests.
struct Client(BufReader<TcpStream>);

impl Client {
    fn connect(service: &Service) -> Self {
        let stream = TcpStream::connect(service.url().strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(SOON)).unwrap();
        Self(BufReader::new(stream))
    }

    fn send(&mut self) {
        self.ask("/healthz");
    }

    fn ask(&mut self, path: &str) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).unwrap();
    }

    /// The body of the next answer.
    fn receive(&mut self) -> String {
        let (mut line, mut length) = (String::new(), 0);
        while line != "\r\n" {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the connection was closed");
            if let Some(said) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = said.trim().parse().unwrap();
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    /// Whether nothing has come.
    fn is_silent(&mut self) -> bool {
        let stream = self.0.get_mut();
        stream.set_nonblocking(true).unwrap();
        let read = stream.peek(&mut [0]);
        stream.set_nonblocking(false).unwrap();
        read.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

#[test]
fn more_connections_than_the_bound_wait_until_one_ends() {
    const WELL: &str = r#"{"status":"ok"}"#;
    let folder = tempfile::tempdir().unwrap();
    let bound = format!("[limits]\nconnections_max = {BOUND}");
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), &bound);
    let mut clients: Vec<Client> = (0..BOUND).map(|_| Client::connect(&service)).collect();
    for client in &mut clients {
        client.send();
        assert_eq!(client.receive(), WELL);
    }
    let mut waiting = Client::connect(&service);
    waiting.send();
    // Those that have a place are served, while the one that came after them waits and is not refused.
    for client in &mut clients {
        client.send();
        assert_eq!(client.receive(), WELL);
    }
    assert!(waiting.is_silent(), "it has a place beside the others");
    eventually(SOON, || {
        let said = service.log().iter().any(|line| line.contains("the next ones wait for one to end"));
        if said { Ok(()) } else { Err(service.log()) }
    });
    drop(clients.pop());
    assert_eq!(waiting.receive(), WELL);
    drop((clients, waiting));
    assert_eq!(service.terminate(), Some(0));
}

#[test]
fn connections_are_counted_by_port_while_they_are_open() {
    let folder = tempfile::tempdir().unwrap();
    let service = Service::start(Path::new(env!("CARGO_BIN_EXE_windvane")), folder.path(), "");
    let mut first = Client::connect(&service);
    let mut counted = |http: usize, grpc: usize| {
        let wanted = [("http", http), ("grpc", grpc)]
            .map(|(port, open)| format!("windvane_http_connections{{port=\"{port}\"}} {open}"));
        eventually(SOON, || {
            first.ask("/metrics");
            let metrics = first.receive();
            match wanted.iter().all(|wanted| metrics.lines().any(|line| line == wanted)) {
                true => Ok(()),
                false => Err(format!("no {wanted:?} in\n{metrics}")),
            }
        });
    };
    counted(1, 0);
    let others: Vec<Client> = (0..4).map(|_| Client::connect(&service)).collect();
    counted(5, 0);
    let grpc = TcpStream::connect(service.otlp_url().strip_prefix("http://").unwrap()).unwrap();
    counted(5, 1);
    drop(others);
    counted(1, 1);
    drop(grpc);
    counted(1, 0);
    drop(first);
    assert_eq!(service.terminate(), Some(0));
}
