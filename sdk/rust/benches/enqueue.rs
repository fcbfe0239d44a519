//! How long does a call of `log_prediction` with 20 features take, beside no hook at all?
//!
//! `cargo bench -p windvane-sdk --bench enqueue`, in three paces. 1,000 calls a second of a thread that sleeps in between, as a model
//! server's do, and whose caches are cold then. 20,000 calls a second of a thread that computes in between: about what the background
//! thread keeps up with. Back to back from 1, 2 and 4 threads: far more than can be sent, so that the queue grows to its bound, every page
//! of it a fault of somebody, and then is full. The server takes what it is sent, or is away. Times are by the clock: what else the
//! machine does is in them.

#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

use std::hint::black_box;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use windvane_sdk::{Answer, Client, Prediction, Settings, Value};

const AWAY: &str = "http://127.0.0.1:9";

/// When the next call is made.
#[derive(Debug, Clone, Copy)]
enum Pace {
    Sleeping(Duration),
    Computing(Duration),
    BackToBack,
}

fn main() -> io::Result<()> {
    let here = server()?;
    let ways = [("no hook", None), ("server here", Some(here.as_str())), ("server away", Some(AWAY))];
    let paces = [
        (1, Pace::Sleeping(Duration::from_millis(1)), 10_000),
        (1, Pace::Computing(Duration::from_micros(50)), 100_000),
        (1, Pace::BackToBack, 200_000),
        (2, Pace::BackToBack, 200_000),
        (4, Pace::BackToBack, 200_000),
    ];
    for (threads, pace, calls) in paces {
        for (way, url) in ways {
            measure(way, url, (threads, pace, calls));
        }
    }
    Ok(())
}

fn measure(way: &str, url: Option<&str>, (threads, pace, n): (usize, Pace, usize)) {
    let settings = |url| Settings { exit_timeout: Duration::ZERO, ..Settings::new(url) };
    let client = url.map(|url| Client::new(settings(url)).expect("the settings are right"));
    let mut took: Vec<u64> = std::thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(|| calls(client.as_ref(), pace, n))).collect();
        handles.into_iter().flat_map(|handle| handle.join().expect("no panic")).collect()
    });
    took.sort_unstable();
    let at = |per_mille: usize| took[(took.len() * per_mille / 1000).min(took.len() - 1)];
    let (p50, p99, p999, max) = (at(500), at(990), at(999), at(1000));
    println!("{way}  {pace:?}  threads {threads}  p50_ns {p50}  p99_ns {p99}  p99.9_ns {p999}  max_ns {max}",);
    if let Some(client) = client {
        client.close(Duration::from_secs(10));
        let stats = client.stats();
        assert_eq!(stats.accounted(), stats.logged, "an event is in none of the numbers: {stats:?}");
        println!("  {stats:?}");
    }
}

fn calls(client: Option<&Client>, pace: Pace, n: usize) -> Vec<u64> {
    let names: Vec<String> = (0..20).map(|i| format!("feature_{i}")).collect();
    let mut took = Vec::with_capacity(n);
    let mut due = Instant::now();
    for call in 0..n {
        match pace {
            Pace::Sleeping(time) => {
                due += time;
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
            }
            Pace::Computing(time) => {
                due += time;
                while Instant::now() < due {
                    std::hint::spin_loop();
                }
            }
            Pace::BackToBack => {}
        }
        #[expect(clippy::cast_precision_loss, reason = "values of a bench")]
        let value = |i: usize| match i % 4 {
            0 => Value::Text("UA"),
            _ => Value::Number((call * 31 + i) as f64 * 0.37),
        };
        let features: [(&str, Value<'_>); 20] = std::array::from_fn(|i| (names[i].as_str(), value(i)));
        let begun = Instant::now();
        let prediction = Prediction {
            model: "bench",
            version: "1",
            features: black_box(&features),
            answer: Answer::Score(0.5),
            latency_us: Some(830),
            ..Prediction::default()
        };
        match client {
            Some(client) => drop(black_box(client.log_prediction(&prediction))),
            None => drop(black_box(prediction)),
        }
        took.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    took
}

/// A server that takes every batch and does nothing with it.
fn server() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || serve(connection));
        }
    });
    Ok(url)
}

fn serve(connection: TcpStream) -> io::Result<()> {
    const TAKEN: &str = r#"{"accepted":18446744073709551615}"#;
    let mut reader = BufReader::new(connection);
    loop {
        let (mut length, mut line) = (0, String::new());
        while reader.read_line(&mut line)? > 2 {
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
            line.clear();
        }
        if line.is_empty() {
            return Ok(());
        }
        io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", TAKEN.len());
        reader.get_mut().write_all((head + TAKEN).as_bytes())?;
    }
}
