//! A collector by hand: answers once per Idempotency-Key, after the faults that it was told.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::read::GzDecoder;
use serde_json::{Value, json};
use windvane_sdk::{Client, Settings};

/// What goes wrong with a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This status, and this Retry-After.
    Status(u16, &'static str),
    /// The connection is closed before the request is read.
    Away,
    /// The batch is stored, the answer is not sent.
    Lost,
    /// 200, with a body that is not ours.
    Rubbish,
}

/// What the server was told, and what came.
#[derive(Debug, Default)]
pub struct Held {
    pub plan: VecDeque<Fault>,
    pub always: Option<Fault>,
    pub events_max: Option<usize>,
    pub records: HashMap<String, Vec<Value>>,
    pub authorization: Option<String>,
    /// Bytes of each request that was read, before compression.
    pub sizes: Vec<usize>,
    keys: HashMap<String, (Vec<u8>, Value)>,
}

/// A running server.
#[derive(Debug)]
pub struct Collector {
    pub url: String,
    held: Arc<Mutex<Held>>,
}

impl Collector {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let held = Arc::new(Mutex::new(Held::default()));
        let shared = Arc::clone(&held);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || serve(&stream, &shared));
            }
        });
        Self { url, held }
    }

    pub fn told<T>(&self, tell: impl FnOnce(&mut Held) -> T) -> T {
        tell(&mut self.held.lock().unwrap())
    }

    pub fn records(&self, kind: &str) -> Vec<Value> {
        self.held.lock().unwrap().records.get(kind).cloned().unwrap_or_default()
    }

    pub fn authorization(&self) -> Option<String> {
        self.held.lock().unwrap().authorization.clone()
    }

    /// Settings with short delays.
    pub fn settings(&self) -> Settings {
        Settings {
            model: "m".to_owned(),
            flush_interval: Duration::from_millis(10),
            retry_delay: Duration::from_millis(5),
            retry_delay_max: Duration::from_millis(20),
            timeout: Duration::from_secs(5),
            exit_timeout: Duration::from_millis(200),
            ..Settings::new(&self.url)
        }
    }

    pub fn client(&self) -> Client {
        Client::new(self.settings()).unwrap()
    }
}

fn serve(stream: &TcpStream, held: &Mutex<Held>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read(&mut reader) {
        let Some(answer) = respond(&request, &mut held.lock().unwrap()) else { break };
        if (&mut &*stream).write_all(&answer).is_err() {
            break;
        }
    }
    drop(stream.shutdown(std::net::Shutdown::Both));
}

struct Request {
    kind: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

fn read(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut first = String::new();
    if reader.read_line(&mut first).ok()? == 0 {
        return None;
    }
    let kind = first.split(' ').nth(1)?.rsplit('/').next()?.to_owned();
    let mut headers = HashMap::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.insert(name.to_lowercase(), value.to_owned());
    }
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Request { kind, headers, body })
}

/// The answer's bytes, or none where the connection is closed instead.
fn respond(request: &Request, held: &mut Held) -> Option<Vec<u8>> {
    let fault = held.plan.pop_front().or_else(|| held.always.clone());
    held.authorization = request.headers.get("authorization").cloned();
    match &fault {
        Some(Fault::Away) => return None,
        Some(Fault::Status(status, after)) => {
            return Some(answer(*status, after, &json!({"code": "a_fault", "detail": "on purpose"})));
        }
        _ => {}
    }
    let mut text = String::new();
    GzDecoder::new(&request.body[..]).read_to_string(&mut text).unwrap();
    held.sizes.push(text.len());
    let records: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    if held.events_max.is_some_and(|max| records.len() > max) {
        return Some(answer(413, "", &json!({"code": "body_too_large"})));
    }
    let key = request.headers["idempotency-key"].clone();
    if !held.keys.contains_key(&key) {
        let (bad, good): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| record["model"] == "refused");
        let told =
            json!({"accepted": good.len(), "rejected": bad.iter().map(|_| json!({})).collect::<Vec<_>>()});
        held.records.entry(request.kind.clone()).or_default().extend(good);
        held.keys.insert(key.clone(), (request.body.clone(), told));
    }
    let (body, told) = &held.keys[&key];
    assert_eq!(*body, request.body, "a key came back with another body");
    match fault {
        Some(Fault::Lost) => None,
        Some(Fault::Rubbish) => Some(answer(200, "", &json!(["not ours"]))),
        _ => Some(answer(if told["accepted"] == 0 { 400 } else { 200 }, "", told)),
    }
}

fn answer(status: u16, retry_after: &str, document: &Value) -> Vec<u8> {
    let body = document.to_string();
    let after =
        if retry_after.is_empty() { String::new() } else { format!("retry-after: {retry_after}\r\n") };
    format!(
        "HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {}\r\n{after}\r\n{body}",
        body.len()
    )
    .into_bytes()
}
