//! What came out of a message: rows by table, and what was refused.

use windvane_store::Table;
use windvane_types::rejection::{Code, Fault};

use crate::limits::ModelBytes;

/// The rows of one table.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) table: Table,
    /// RowBinary rows.
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u32,
    /// The rows of events by model; telemetry is nobody's.
    pub(crate) models: Vec<ModelBytes>,
    /// Records that were refused, by code.
    pub(crate) rejected: Vec<(Code, u64)>,
}

impl Part {
    /// Records that were read.
    pub(crate) fn records(&self) -> u64 {
        u64::from(self.rows) + self.rejected.iter().map(|(_, n)| n).sum::<u64>()
    }
}

/// What a message held.
#[derive(Debug, Default)]
pub(crate) struct Intake {
    pub(crate) parts: Vec<Part>,
    /// Spans, log records or data points that were refused.
    pub(crate) rejected: u64,
    /// Why the first of them was, or what of an accepted one was not understood.
    pub(crate) why: Option<String>,
}

impl Intake {
    /// The rows of a table, to add to.
    pub(super) fn part(&mut self, table: Table) -> &mut Part {
        let at = match self.parts.iter().position(|part| part.table == table) {
            Some(at) => at,
            None => {
                let (bytes, models, rejected) = (Vec::new(), Vec::new(), Vec::new());
                self.parts.push(Part { table, bytes, rows: 0, models, rejected });
                self.parts.len() - 1
            }
        };
        &mut self.parts[at]
    }

    /// Adds a row.
    pub(crate) fn add(&mut self, table: Table, encode: impl FnOnce(&mut Vec<u8>)) {
        let part = self.part(table);
        encode(&mut part.bytes);
        part.rows += 1;
    }

    /// Adds the row of an event, which may be of a model.
    pub(crate) fn add_event(&mut self, table: Table, model: Option<&str>, encode: impl FnOnce(&mut Vec<u8>)) {
        let before = self.part(table).bytes.len();
        self.add(table, encode);
        let Some(model) = model else { return };
        let part = self.part(table);
        let bytes = (part.bytes.len() - before) as u64;
        match part.models.iter_mut().find(|share| share.model == model) {
            Some(share) => {
                share.bytes += bytes;
                share.rows += 1;
            }
            None => part.models.push(ModelBytes { model: model.to_owned(), bytes, rows: 1 }),
        }
    }

    /// Refuses a span, a log record or data points.
    pub(super) fn reject(&mut self, table: Table, fault: Fault, records: u64) {
        self.rejected += records;
        self.refuse(table, fault, records);
    }

    /// Refuses what an accepted span or log record said of an event.
    pub(crate) fn refuse(&mut self, table: Table, fault: Fault, records: u64) {
        let rejected = &mut self.part(table).rejected;
        match rejected.iter_mut().find(|(code, _)| *code == fault.code) {
            Some((_, n)) => *n += records,
            None => rejected.push((fault.code, records)),
        }
        self.why.get_or_insert_with(|| format!("{}: {}", fault.code, fault.message));
    }
}
