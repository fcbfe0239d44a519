//! What the collector is told of events that were lost: a measurement beside the others, which is no event of the caller.

use crate::clock;
use crate::disk::compress;
use crate::event::Measurement;
use crate::id::EventId;
use crate::json;

/// What was told so far, and what waits to be told.
#[derive(Debug, Default)]
pub(crate) struct Report {
    told: u64,
    waiting: Option<(EventId, Vec<u8>)>,
}

impl Report {
    /// The key and the body of what is to be sent now, where so many events were lost.
    pub(crate) fn take(&mut self, lost: u64) -> Option<(EventId, Vec<u8>)> {
        if self.waiting.is_none() && lost > self.told {
            self.waiting = measured(lost - self.told);
            self.told = lost;
        }
        self.waiting.take()
    }

    /// It was not taken, and is sent again later.
    pub(crate) fn give_back(&mut self, key: EventId, body: Vec<u8>) {
        self.waiting = Some((key, body));
    }
}

fn measured(lost: u64) -> Option<(EventId, Vec<u8>)> {
    let host = std::env::var("HOSTNAME").unwrap_or_else(|_| "localhost".to_owned());
    let unit_id = format!("rust/{host}/{}", std::process::id());
    let event_id = EventId::make();
    let measurement = Measurement {
        unit_id: &unit_id,
        metric: "windvane.sdk.dropped",
        value: lost as f64,
        ts_us: None,
        event_id: &event_id,
    };
    let (mut record, mut line) = (Vec::new(), Vec::new());
    measurement.encode(&mut record, clock::unix_us());
    json::line(&mut line, &record);
    compress(&line, Vec::new()).ok().map(|body| (EventId::make(), body))
}
