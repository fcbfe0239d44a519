//! From a body to a batch: the rows of its good records, and the rejections of the others.

use std::borrow::Cow;

use windvane_store::Block;
use windvane_types::event::{Exposure, Kind, Limits, Measurement, Outcome, Prediction, decode};
use windvane_types::rejection::{Code, Fault, Rejection};

use super::body::Format;
use super::ids::IdMaker;
use super::records::each_record;
use super::rows::ToRow;

/// Rejections that an answer shows; what is beyond is counted.
const REJECTIONS_SHOWN_MAX: usize = 10_000;

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
    /// Ids that were made for accepted records, in order.
    pub(crate) made_ids: Vec<String>,
    /// Whether there were more records than one batch may have; then nothing counts.
    pub(crate) too_many: bool,
}

impl Batch {
    /// Records that were read.
    pub(crate) fn records(&self) -> u64 {
        u64::from(self.accepted) + self.rejected_by_code.iter().map(|(_, n)| n).sum::<u64>()
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
    /// Microseconds since 1970: when the body arrived.
    pub(crate) now_us: i64,
}

/// Decodes a body of events of one kind.
pub(crate) fn decode_batch(kind: Kind, body: &[u8], format: Format, context: &Context<'_>) -> Batch {
    match kind {
        Kind::Prediction => decode_as::<Prediction<'_>>(body, format, context),
        Kind::Outcome => decode_as::<Outcome<'_>>(body, format, context),
        Kind::Exposure => decode_as::<Exposure<'_>>(body, format, context),
        Kind::Measurement => decode_as::<Measurement<'_>>(body, format, context),
    }
}

fn decode_as<'a, E: ToRow<'a>>(body: &'a [u8], format: Format, context: &Context<'_>) -> Batch {
    // A row is about as long as its record with the punctuation gone.
    let mut batch = Batch { rows: Vec::with_capacity(body.len() * 3 / 4), ..Batch::default() };
    let mut event = E::default();
    let broken = each_record(body, format, |index, record| {
        match decode(record, &mut event, context.limits, context.now_us) {
            Ok(()) => take(&mut event, context, &mut batch),
            Err(fault) => batch.reject(fault.at(index)),
        }
    });
    if let Err(rejection) = broken {
        batch = Batch::default();
        batch.reject(rejection);
    }
    if batch.records() == 0 {
        let message =
            "the body holds no record; accepted are a JSON object, an array of objects, or an object a line";
        batch.reject(Fault::new(Code::InvalidJson, message).at(0));
    }
    batch.too_many = u64::from(batch.accepted) > Block::ROWS_MAX;
    batch
}

fn take<'a, E: ToRow<'a>>(event: &mut E, context: &Context<'_>, batch: &mut Batch) {
    if event.event_id_mut().is_empty() {
        let id = context.ids.make(context.now_us).to_string();
        *event.event_id_mut() = Cow::Owned(id.clone());
        batch.made_ids.push(id);
    }
    event.encode(context.now_us, &mut batch.rows);
    batch.accepted += 1;
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn batch(kind: Kind, body: &str) -> Batch {
        let (limits, ids) = (Limits::default(), IdMaker::new(Uuid::from_u128(1)));
        let context = Context { limits: &limits, ids: &ids, now_us: 1_700_000_000_000_000 };
        decode_batch(kind, body.as_bytes(), Format::Unsaid, &context)
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
        ] {
            let batch = batch(kind, body);
            assert_eq!(batch.accepted, 1, "{kind:?}: {:?}", batch.rejected);
            assert!(!batch.rows.is_empty());
        }
    }
}
