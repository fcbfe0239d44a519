//! What came out of a message: rows by table, and what was refused.

use windvane_store::{Block, Table};
use windvane_types::rejection::{Code, Fault};

use super::Context;
use crate::limits::{ModelBytes, OTHER, Replaced, Word};
use crate::metrics::ByModel;

/// The rows of one table.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) table: Table,
    /// RowBinary rows.
    pub(crate) bytes: Vec<u8>,
    pub(crate) rows: u32,
    /// The rows of events by model; telemetry is nobody's.
    pub(crate) models: Vec<ModelBytes>,
    /// Rows in which words beyond a bound were replaced, by what these are.
    pub(crate) replaced: Vec<(Word, u64)>,
    /// Records that were refused, by code.
    pub(crate) rejected: Vec<(Code, u64)>,
    /// Those of them that were events of a model.
    pub(crate) rejected_by_model: ByModel,
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
    /// What became of a row that was kept, and is another than it was.
    pub(crate) warning: Option<String>,
    /// Why nothing of the message is taken: it became more than a batch may be.
    pub(crate) too_large: Option<String>,
    /// Of the rows of all tables.
    bytes: usize,
}

impl Intake {
    /// The rows of a table, to add to.
    pub(super) fn part(&mut self, table: Table) -> &mut Part {
        let at = match self.parts.iter().position(|part| part.table == table) {
            Some(at) => at,
            None => {
                self.parts.push(Part {
                    table,
                    bytes: Vec::new(),
                    rows: 0,
                    models: Vec::new(),
                    replaced: Vec::new(),
                    rejected: Vec::new(),
                    rejected_by_model: ByModel::default(),
                });
                self.parts.len() - 1
            }
        };
        &mut self.parts[at]
    }

    /// Adds a row, unless the message has become too large. Attributes of a resource are in each of its rows, so that a small message may
    /// become many bytes.
    ///
    /// # Errors
    /// The row is longer than one may be.
    pub(crate) fn add(
        &mut self,
        table: Table,
        context: &Context<'_>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        if self.too_large.is_some() {
            return Ok(());
        }
        let part = self.part(table);
        let before = part.bytes.len();
        encode(&mut part.bytes);
        let (bytes, max) = (part.bytes.len() - before, context.row_bytes_max(table));
        if bytes > max {
            part.bytes.truncate(before);
            let message = format!(
                "the row has {bytes} bytes with what it shares with others, such as attributes of its resource; accepted are up to {max}"
            );
            return Err(Fault::new(Code::RecordTooLarge, message));
        }
        part.rows += 1;
        let rows = u64::from(part.rows);
        self.bytes += bytes;
        let (most, bytes_max) = (Block::ROWS_MAX, context.rows_bytes_max());
        if rows > most {
            self.refuse_whole(format!(
                "the message has more than {most} rows of {table}; send smaller batches"
            ));
        } else if self.bytes > bytes_max {
            self.refuse_whole(format!(
                "the rows of the message have more than {bytes_max} bytes; send smaller batches"
            ));
        }
        Ok(())
    }

    fn refuse_whole(&mut self, why: String) {
        self.parts.clear();
        self.too_large = Some(why);
    }

    /// Adds the row of an event, which may be of a model.
    ///
    /// # Errors
    /// The row is longer than one may be.
    pub(crate) fn add_event(
        &mut self,
        (table, context): (Table, &Context<'_>),
        model: Option<&str>,
        encode: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Fault> {
        let before = self.bytes;
        self.add(table, context, encode)?;
        let Some(model) = model.filter(|_| self.too_large.is_none()) else { return Ok(()) };
        let bytes = (self.bytes - before) as u64;
        let part = self.part(table);
        match part.models.iter_mut().find(|share| share.model == model) {
            Some(share) => {
                share.bytes += bytes;
                share.rows += 1;
            }
            None => part.models.push(ModelBytes { model: model.to_owned(), bytes, rows: 1 }),
        }
        Ok(())
    }

    /// Counts words that were replaced in a row that was added.
    pub(crate) fn note(&mut self, table: Table, replaced: Replaced) {
        if self.too_large.is_some() {
            return;
        }
        for word in replaced.words() {
            let counts = &mut self.part(table).replaced;
            match counts.iter_mut().find(|(known, _)| *known == word) {
                Some((_, n)) => *n += 1,
                None => counts.push((word, 1)),
            }
            self.warning.get_or_insert_with(|| {
                let (what, bound) = (word.as_str(), word.bound());
                format!("too_many_words: all is kept, but a word ({what}) beyond {bound} is written {OTHER}; is it an id? attributes take those")
            });
        }
    }

    /// Refuses a span, a log record or data points.
    pub(super) fn reject(&mut self, table: Table, fault: Fault, records: u64) {
        self.rejected += records;
        self.refuse(table, fault, records);
    }

    /// Refuses an event that may be of a model.
    pub(super) fn refuse_event(&mut self, table: Table, fault: Fault, model: Option<&str>) {
        self.refuse(table, fault, 1);
        if let Some(model) = model {
            self.part(table).rejected_by_model.add(model);
        }
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
