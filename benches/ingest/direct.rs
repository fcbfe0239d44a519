//! The same rows straight into the engine: blocks of 100,000 rows, one INSERT after the other, as the collector sends them.

use std::time::{Duration, Instant};

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
    fn table(self) -> Table {
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

pub(crate) async fn run(store: &Store, rows: Rows<'_>, (events, processes): (u64, Processes)) -> Measured {
    let (mut times, mut total, mut used) = (Vec::new(), Duration::ZERO, [Usage::default(); 3]);
    let batches = events / BATCH;
    for first in (0..batches).step_by(usize::try_from(BLOCK_BATCHES).unwrap_or(1)) {
        let block = block(rows, first..batches.min(first + BLOCK_BATCHES));
        let before = processes.usage();
        let begun = Instant::now();
        store.insert(&block).await.expect("the engine takes the block");
        times.push(begun.elapsed());
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
        name: match rows {
            Rows::Events(_) => "direct inserts of events",
            Rows::Spans(_) => "direct inserts of spans",
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

fn block(rows: Rows<'_>, batches: std::ops::Range<u64>) -> Block {
    let (table, first, count) = (rows.table(), batches.start, (batches.end - batches.start) * BATCH);
    let mut body = Vec::new();
    // The table keeps rows by when they came in, so an old time here would let the engine drop them.
    let now_us = SystemClock.now().as_microsecond();
    for batch in batches {
        rows.encode(batch, now_us, &mut body);
    }
    let token = format!("bench-direct-{table}-{first}");
    Block { table, layout: table.layout(), rows: count, token, body: vec![body.into()] }
}
