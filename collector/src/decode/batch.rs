//! From a body to a batch: the rows of its good records, and the rejections of the others.

use std::borrow::Cow;

use bytes::Bytes;
use windvane_store::Block;
use windvane_types::event::{
    Exposure, Kind, Limits, Measurement, Outcome, Payload, Prediction, decode, decode_record,
};
use windvane_types::rejection::{Code, Fault, Rejection};

use super::arrow::{self, Bounds, Cell, Rows, Unreadable};
use super::body::Format;
use super::ids::IdMaker;
use super::records::each_record;
use super::rows::ToRow;
use crate::admission::Caller;
use crate::door::Door;
use crate::limits::ModelBytes;
use crate::metrics::ByModel;

/// Rejections that an answer shows; what is beyond is counted.
pub(crate) const REJECTIONS_SHOWN_MAX: usize = 10_000;

/// What a body held.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    /// RowBinary rows of the accepted records.
    pub(crate) rows: Vec<u8>,
    /// Records that were accepted.
    pub(crate) accepted: u32,
    /// The first rejections, in order.
    pub(crate) rejected: Vec<Rejection>,
    /// Rejections by code, all of them.
    pub(crate) rejected_by_code: Vec<(Code, u64)>,
    /// The same by model, of kinds that have one.
    pub(crate) rejected_by_model: ByModel,
    /// Ids that were made for accepted records, in order.
    pub(crate) made_ids: Vec<String>,
    /// The rows by model; those of kinds that belong to none are nobody's.
    pub(crate) models: Vec<ModelBytes>,
    /// Why the batch is larger than one may be; then nothing counts.
    pub(crate) too_large: Option<String>,
}

impl Batch {
    /// Records that were read.
    pub(crate) fn records(&self) -> u64 {
        u64::from(self.accepted) + self.rejected_by_code.iter().map(|(_, n)| n).sum::<u64>()
    }

    /// Counts a row of a model. A batch is nearly always of one model, and so is what comes next to each other.
    fn count(&mut self, model: &str, bytes: u64) {
        let known = match self.models.last_mut() {
            Some(last) if last.model == model => self.models.last_mut(),
            _ => self.models.iter_mut().find(|share| share.model == model),
        };
        match known {
            Some(share) => {
                share.bytes += bytes;
                share.rows += 1;
            }
            None => self.models.push(ModelBytes { model: model.to_owned(), bytes, rows: 1 }),
        }
    }

    /// Takes a row of a model back.
    fn uncount(&mut self, model: &str, bytes: u64) {
        if let Some(share) = self.models.iter_mut().find(|share| share.model == model) {
            share.bytes -= bytes;
            share.rows -= 1;
        }
        self.models.retain(|share| share.rows > 0);
    }

    /// Counts a refused record as one of its model, if its kind has any.
    fn blame(&mut self, model: Option<&str>) {
        if let Some(model) = model {
            self.rejected_by_model.add(model);
        }
    }

    fn reject(&mut self, rejection: Rejection) {
        match self.rejected_by_code.iter_mut().find(|(code, _)| *code == rejection.code) {
            Some((_, n)) => *n += 1,
            None => self.rejected_by_code.push((rejection.code, 1)),
        }
        if self.rejected.len() < REJECTIONS_SHOWN_MAX {
            self.rejected.push(rejection);
        }
    }
}

/// What decoding needs besides the body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'c> {
    pub(crate) limits: &'c Limits,
    pub(crate) ids: &'c IdMaker,
    /// Bytes of a body after decompression, buffers of an Arrow stream included.
    pub(crate) body_bytes_max: usize,
    /// Microseconds since 1970: when the body arrived.
    pub(crate) now_us: i64,
    /// Who sent it.
    pub(crate) caller: &'c Caller,
    /// What it has to pass.
    pub(crate) door: Door<'c>,
}

/// Rows may take this many times the bytes that a body may: a dictionary of Arrow's holds each word once, a resource of OpenTelemetry's its
/// attributes, a row its own.
pub(crate) const ROW_BYTES_FACTOR: usize = 4;

/// After so many rows of columns the room for all of them is made at once: a buffer that doubles is copied as often as it grows.
const MEASURED_ROWS: usize = 32;

/// The records of a body.
#[derive(Debug, Clone, Copy)]
enum Records<'a> {
    Text(&'a [u8], Format),
    Columns(&'a [Rows]),
}

/// Decodes a body of events of one kind.
pub(crate) fn decode_batch(kind: Kind, body: &Bytes, format: Format, context: &Context<'_>) -> Batch {
    if format != Format::Arrow {
        return decode_kind(kind, Records::Text(body, format), context);
    }
    let rows_max = usize::try_from(Block::ROWS_MAX).unwrap_or(usize::MAX);
    match arrow::read(body, &Bounds { rows_max, bytes_max: context.body_bytes_max }) {
        Ok(rows) => decode_kind(kind, Records::Columns(&rows), context),
        Err(Unreadable::TooLarge(why)) => Batch { too_large: Some(why), ..Batch::default() },
        Err(Unreadable::Invalid(rejection)) => {
            let mut batch = Batch::default();
            batch.reject(rejection);
            batch
        }
    }
}

fn decode_kind(kind: Kind, records: Records<'_>, context: &Context<'_>) -> Batch {
    match kind {
        Kind::Prediction => decode_as::<Prediction<'_>>(records, context),
        Kind::Outcome => decode_as::<Outcome<'_>>(records, context),
        Kind::Exposure => decode_as::<Exposure<'_>>(records, context),
        Kind::Measurement => decode_as::<Measurement<'_>>(records, context),
        Kind::Payload => decode_as::<Payload<'_>>(records, context),
    }
}

fn decode_as<'a, E: ToRow<'a>>(records: Records<'a>, context: &Context<'_>) -> Batch {
    let mut batch = match records {
        Records::Text(body, format) => decode_text::<E>(body, format, context),
        Records::Columns(rows) => decode_columns::<E>(rows, context),
    };
    if batch.records() == 0 {
        let message = "the body holds no record; accepted are a JSON object, an array of objects, an object a line, or \
             an Arrow IPC stream with rows";
        let code = if matches!(records, Records::Text(..)) { Code::InvalidJson } else { Code::InvalidArrow };
        batch.reject(Fault::new(code, message).at(0));
    }
    if u64::from(batch.accepted) > Block::ROWS_MAX {
        let (n, max) = (batch.accepted, Block::ROWS_MAX);
        batch.too_large = Some(format!("the batch has {n} events; accepted are up to {max}"));
    }
    batch
}

fn decode_text<'a, E: ToRow<'a>>(body: &'a [u8], format: Format, context: &Context<'_>) -> Batch {
    // A row is about as long as its record with the punctuation gone.
    let mut batch = Batch { rows: Vec::with_capacity(body.len() * 3 / 4), ..Batch::default() };
    let mut event = E::default();
    let broken = each_record(body, format, |index, record| {
        match decode(record, &mut event, context.limits, context.now_us) {
            Ok(()) => take(&mut event, context, &mut batch),
            Err(fault) => {
                // A record that is too large was not looked at, so that the event is the one before.
                let is_read = fault.code != Code::RecordTooLarge;
                batch.blame(event.model().map(|model| if is_read { model } else { "" }));
                batch.reject(fault.at(index));
            }
        }
    });
    if let Err(rejection) = broken {
        batch = Batch::default();
        batch.reject(rejection);
    }
    batch
}

fn decode_columns<'a, E: ToRow<'a>>(rows: &'a [Rows], context: &Context<'_>) -> Batch {
    let mut batch = Batch::default();
    let mut event = E::default();
    let bytes_max = context.body_bytes_max.saturating_mul(ROW_BYTES_FACTOR);
    let count: usize = rows.iter().map(|rows| rows.count).sum();
    let records = rows.iter().flat_map(|rows| (0..rows.count).map(|row| Cell { column: &rows.root, row }));
    for (index, record) in (0..).zip(records) {
        let (before, ids_before) = (batch.rows.len(), batch.made_ids.len());
        if index == MEASURED_ROWS as u64 {
            let row_bytes = before / MEASURED_ROWS;
            let left = (count - MEASURED_ROWS).saturating_mul(row_bytes + row_bytes / 16);
            batch.rows.reserve(left.min(bytes_max));
        }
        match decode_record(record, &mut event, context.limits, context.now_us) {
            Ok(()) => take(&mut event, context, &mut batch),
            Err(fault) => {
                batch.blame(event.model());
                batch.reject(fault.at(index));
            }
        }
        let (row_bytes, max) = (batch.rows.len() - before, context.limits.record_bytes_max(E::KIND));
        if row_bytes > max {
            batch.rows.truncate(before);
            batch.made_ids.truncate(ids_before);
            batch.accepted -= 1;
            if let Some(model) = event.model() {
                batch.uncount(model, row_bytes as u64);
            }
            batch.blame(event.model());
            let message = format!("the record has {row_bytes} bytes; accepted are up to {max}");
            batch.reject(Fault::new(Code::RecordTooLarge, message).at(index));
        }
        if batch.rows.len() > bytes_max {
            let why = format!("the rows of the batch have more than {bytes_max} bytes; send smaller batches");
            batch.too_large = Some(why);
            break;
        }
    }
    batch
}

/// Holds an event against its sender and against the rules of the collector.
fn admit<'a, E: ToRow<'a>>(event: &mut E, context: &Context<'_>) -> Result<(), Fault> {
    if let Some(model) = event.model().filter(|model| !context.caller.may_send(model)) {
        let accepted = context.caller.models().unwrap_or_default();
        let message =
            format!("the token may not send events of model `{model}`; accepted are models {accepted}");
        return Err(Fault::new(Code::ModelNotAllowed, message));
    }
    context.door.admit(event)
}

fn take<'a, E: ToRow<'a>>(event: &mut E, context: &Context<'_>, batch: &mut Batch) {
    if let Err(fault) = admit(event, context) {
        // Records are visited in order, each once, so their number says which one this is.
        let index = batch.records();
        batch.blame(event.model());
        batch.reject(fault.at(index));
        return;
    }
    if event.event_id_mut().is_empty() {
        let id = context.ids.make(context.now_us).to_string();
        *event.event_id_mut() = Cow::Owned(id.clone());
        batch.made_ids.push(id);
    }
    let before = batch.rows.len();
    event.encode(context.now_us, &mut batch.rows);
    if let Some(model) = event.model() {
        batch.count(model, (batch.rows.len() - before) as u64);
    }
    batch.accepted += 1;
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn batch(kind: Kind, body: &str) -> Batch {
        let (limits, ids, caller) = (Limits::default(), IdMaker::new(Uuid::from_u128(1)), Caller::default());
        let context = Context {
            limits: &limits,
            ids: &ids,
            body_bytes_max: 1 << 20,
            now_us: 1_700_000_000_000_000,
            caller: &caller,
            door: Door::open(),
        };
        decode_batch(kind, &Bytes::copy_from_slice(body.as_bytes()), Format::Unsaid, &context)
    }

    #[test]
    fn a_bad_record_is_rejected_alone_with_its_number() {
        let body = "{\"model\":\"m\"}\n\n{\"modle\":\"m\"}\n{broken\n{\"model\":\"n\",\"event_id\":\"e\"}\n";
        let batch = batch(Kind::Prediction, body);
        assert_eq!((batch.accepted, batch.records(), batch.made_ids.len()), (2, 4, 1));
        let rejected: Vec<(u64, Code)> = batch.rejected.iter().map(|r| (r.index, r.code)).collect();
        assert_eq!(rejected, [(1, Code::UnknownField), (2, Code::InvalidJson)]);
    }

    #[test]
    fn a_broken_array_is_refused_whole() {
        let batch = batch(Kind::Prediction, r#"[{"model":"m"},{"model":"n"}"#);
        assert_eq!((batch.accepted, batch.rows.len(), batch.rejected[0].index), (0, 0, 2));
    }

    #[test]
    fn an_empty_body_holds_no_record() {
        for body in ["", "\n \n", "[]"] {
            let batch = batch(Kind::Outcome, body);
            assert_eq!((batch.accepted, batch.rejected[0].code), (0, Code::InvalidJson), "{body:?}");
        }
    }

    #[test]
    fn each_kind_gives_rows() {
        for (kind, body) in [
            (Kind::Prediction, r#"{"model":"m","features":{"a":1}}"#),
            (Kind::Outcome, r#"{"model":"m","event_id":"e","value":1}"#),
            (Kind::Exposure, r#"{"experiment":"x","unit_id":"u","arm":"A"}"#),
            (Kind::Measurement, r#"{"unit_id":"u","metric":"m","value":1}"#),
            (
                Kind::Payload,
                r#"{"model":"m","inputs":[{"name":"x","datatype":"FP32","shape":[1,2],"data":[1,2.5]}]}"#,
            ),
        ] {
            let batch = batch(kind, body);
            assert_eq!(batch.accepted, 1, "{kind:?}: {:?}", batch.rejected);
            assert!(!batch.rows.is_empty());
        }
    }
}
