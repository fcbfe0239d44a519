//! The same rows straight into the engine: blocks of 100,000 rows, one INSERT after the other, as the collector sends them.

use std::time::{Duration, Instant};

use windvane_store::{Block, Store, Table};
use windvane_types::{Clock, SystemClock};

use crate::events::{BATCH, Templates, id};
use crate::process::Usage;
use crate::{Measured, Processes, count, quantiles};

const BLOCK_BATCHES: u64 = 100;

pub(crate) async fn run(
    store: &Store,
    templates: &Templates,
    (events, processes): (u64, Processes),
) -> Measured {
    let (mut times, mut total, mut used) = (Vec::new(), Duration::ZERO, [Usage::default(); 3]);
    let batches = events / BATCH;
    for first in (0..batches).step_by(usize::try_from(BLOCK_BATCHES).unwrap_or(1)) {
        let block = block(templates, first..batches.min(first + BLOCK_BATCHES));
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
    assert_eq!(count(store, "direct").await, (events, events), "rows and distinct ids in the store");
    let (p50, p99) = quantiles(times);
    let [service, engine, driver] = used;
    Measured {
        name: "direct inserts",
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

fn block(templates: &Templates, batches: std::ops::Range<u64>) -> Block {
    let (first, mut rows, mut body) = (batches.start, 0, Vec::new());
    // The table keeps rows by when they came in, so an old time here would let the engine drop them.
    let now_us = SystemClock.now().as_microsecond();
    for batch in batches {
        for (event, n) in templates.events(batch).iter().zip(batch * BATCH..) {
            event.encode(&id(n), now_us, &mut body);
            rows += 1;
        }
    }
    let token = format!("bench-direct-{first}");
    Block {
        table: Table::Predictions,
        layout: Table::Predictions.layout(),
        rows,
        token,
        body: vec![body.into()],
    }
}
