//! The year, played in order of time: predictions as they are made, outcomes as they become known.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::flights::Flights;
use super::model::{Champion, outcome_line};
use crate::delivery::{Answer, Delivery, Events};

/// Flights of one request.
const BATCH_ROWS: usize = 2000;
/// Requests on their way, and as many prepared.
const IN_FLIGHT: usize = 4;

/// What was played.
#[derive(Debug, Clone, Copy, Default)]
pub struct Played {
    pub predictions: u64,
    pub outcomes: u64,
    pub seconds: f64,
}

struct Message {
    predictions: Bytes,
    outcomes: Bytes,
    rows: u64,
    ts_us: i64,
}

/// Plays all flights through the model and sends what happens.
///
/// # Errors
/// The model fails, or the service does not take a batch.
pub async fn play(flights: Flights, champion: Champion, delivery: &Delivery) -> anyhow::Result<Played> {
    let bar = progress(flights.len() as u64);
    let started = Instant::now();
    let (sender, receiver) = mpsc::channel(IN_FLIGHT);
    // Inference is blocking work; it ends when all is sent or when the receiver is dropped.
    let player = tokio::task::spawn_blocking(move || produce(&flights, champion, &sender));
    let messages = stream::unfold((receiver, 0_u64), |(mut receiver, number)| async move {
        receiver.recv().await.map(|message: Message| ((number, message), (receiver, number + 1)))
    });
    let delivered = messages.map(|(number, message)| deliver(delivery, number, message)).buffered(IN_FLIGHT);
    let mut delivered = std::pin::pin!(delivered);
    let mut played = Played::default();
    while let Some(one) = delivered.next().await {
        let (message, predictions, outcomes) = one?;
        played.predictions += predictions.accepted;
        played.outcomes += outcomes.accepted;
        bar.inc(message.rows);
        bar.set_message(Timestamp::from_microsecond(message.ts_us).map_or_else(|_| String::new(), day));
    }
    player.await.context("the model's thread failed")??;
    bar.finish_and_clear();
    played.seconds = started.elapsed().as_secs_f64();
    Ok(played)
}

fn day(instant: Timestamp) -> String {
    instant.to_string().chars().take(10).collect()
}

fn progress(rows: u64) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    let template = "playing 2013  {bar:32} {msg}  {human_pos} of {human_len} flights  {rate}  ETA {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        let rate = |state: &ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0}/s", state.per_sec());
        };
        bar.set_style(style.with_key("rate", rate));
    }
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

fn produce(flights: &Flights, mut champion: Champion, sender: &mpsc::Sender<Message>) -> anyhow::Result<()> {
    let mut waiting = Waiting::default();
    let mut first = 0;
    while first < flights.len() {
        let rows = first..(first + BATCH_ROWS).min(flights.len());
        let predictions = champion.predict(flights, rows.clone())?;
        let ts_us = flights.ts_us[rows.end - 1];
        rows.clone().for_each(|row| waiting.add(flights, row));
        // At the end of the year the last aeroplanes are still in the air: their outcomes come now.
        let now = if rows.end == flights.len() { i64::MAX } else { ts_us };
        let message = Message {
            predictions: predictions.into(),
            outcomes: waiting.known_until(flights, now).into(),
            rows: rows.len() as u64,
            ts_us,
        };
        if sender.blocking_send(message).is_err() {
            return Ok(());
        }
        first = rows.end;
    }
    Ok(())
}

/// Outcomes that are not known yet, the earliest on top.
#[derive(Debug, Default)]
struct Waiting(BinaryHeap<Reverse<(i64, usize)>>);

impl Waiting {
    fn add(&mut self, flights: &Flights, row: usize) {
        if let Some(truth) = &flights.outcome[row] {
            self.0.push(Reverse((truth.ts_us, row)));
        }
    }

    /// Those that are known at this time, as NDJSON, in the order in which they became known.
    fn known_until(&mut self, flights: &Flights, now_us: i64) -> Vec<u8> {
        let mut body = Vec::new();
        while let Some(Reverse((ts_us, row))) = self.0.peek().copied() {
            if ts_us > now_us {
                break;
            }
            self.0.pop();
            if let Some(truth) = &flights.outcome[row] {
                body.extend_from_slice(outcome_line(&flights.event_id[row], truth).as_bytes());
                body.push(b'\n');
            }
        }
        body
    }
}

async fn deliver(
    delivery: &Delivery,
    number: u64,
    message: Message,
) -> anyhow::Result<(Message, Answer, Answer)> {
    let key = format!("demo-{number}");
    let predictions = delivery.post(Events::Predictions, message.predictions.clone(), &key).await?;
    let outcomes = match message.outcomes.is_empty() {
        true => Answer::default(),
        false => {
            delivery.post(Events::Outcomes, message.outcomes.clone(), &format!("{key}-outcomes")).await?
        }
    };
    let rejected = predictions.rejected.iter().chain(&outcomes.rejected).next();
    if let Some(rejected) = rejected {
        anyhow::bail!("the collector rejected an event of the demo: {}: {}", rejected.code, rejected.message);
    }
    Ok((message, predictions, outcomes))
}
