//! The same rows straight into the engine: blocks of 100,000 rows, one INSERT after the other, and two at a time, as the collector sends
//! them while it has more than it can send.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use windvane_store::{Block, Store, Table};
use windvane_types::{Clock, SystemClock};

use crate::events::{BATCH, Templates, id};
use crate::process::Usage;
use crate::spans::Spans;
use crate::{Measured, Processes, count, quantiles};

const BLOCK_BATCHES: u64 = 100;

/// What is inserted.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Rows<'a> {
    Events(&'a Templates),
    Spans(&'a Spans),
}

impl Rows<'_> {
    pub(crate) fn table(self) -> Table {
        match self {
            Self::Events(_) => Table::Predictions,
            Self::Spans(_) => Table::Spans,
        }
    }

    /// Appends a batch.
    fn encode(self, batch: u64, now_us: i64, out: &mut Vec<u8>) {
        match self {
            Self::Events(templates) => {
                for (event, n) in templates.events(batch).iter().zip(batch * BATCH..) {
                    event.encode(&id(n), now_us, out);
                }
            }
            Self::Spans(spans) => spans.encode(batch, now_us, out),
        }
    }
}

/// Inserts all rows, so many blocks at a time. What it takes to make the blocks does not count.
pub(crate) async fn run(
    store: &Store,
    (rows, at_once): (Rows<'_>, usize),
    (events, processes): (u64, Processes),
) -> Measured {
    let (mut times, mut total, mut used) = (Vec::new(), Duration::ZERO, [Usage::default(); 3]);
    let batches = events / BATCH;
    let firsts: Vec<u64> = (0..batches).step_by(usize::try_from(BLOCK_BATCHES).unwrap_or(1)).collect();
    for firsts in firsts.chunks(at_once) {
        let blocks: Vec<Block> = firsts
            .iter()
            .map(|first| block(rows, *first..batches.min(first + BLOCK_BATCHES), at_once))
            .collect();
        let before = processes.usage();
        let begun = Instant::now();
        let inserted = blocks.iter().map(async |block| {
            store.insert(block).await.expect("the engine takes the block");
            begun.elapsed()
        });
        times.extend(join_all(inserted).await);
        total += begun.elapsed();
        for (used, (after, before)) in used.iter_mut().zip(processes.usage().into_iter().zip(before)) {
            let cpu = used.cpu + (after - before).cpu;
            *used = Usage { cpu, ..after };
        }
    }
    assert_eq!(
        count(store, rows.table(), "direct").await,
        (events, events),
        "rows and distinct ids in the store"
    );
    let (p50, p99) = quantiles(times);
    let [service, engine, driver] = used;
    Measured {
        name: match (rows, at_once) {
            (Rows::Events(_), 1) => "direct inserts of events",
            (Rows::Events(_), _) => "direct inserts of events, two at a time",
            (Rows::Spans(_), 1) => "direct inserts of spans",
            (Rows::Spans(_), _) => "direct inserts of spans, two at a time",
        },
        unit: match rows {
            Rows::Events(_) => "event",
            Rows::Spans(_) => "span",
        },
        events,
        acknowledged: total,
        stored: total,
        service,
        engine,
        driver,
        p50,
        p99,
    }
}

fn block(rows: Rows<'_>, batches: std::ops::Range<u64>, at_once: usize) -> Block {
    let (table, first, count) = (rows.table(), batches.start, (batches.end - batches.start) * BATCH);
    let mut body = Vec::new();
    // The table keeps rows by when they came in, so an old time here would let the engine drop them.
    let now_us = SystemClock.now().as_microsecond();
    for batch in batches {
        rows.encode(batch, now_us, &mut body);
    }
    let token = format!("bench-direct-{at_once}-{table}-{first}");
    Block { table, layout: table.layout(), rows: count, token, body: vec![body.into()] }
}
