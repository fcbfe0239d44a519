//! What model servers log of their requests: CloudEvents of KServe and Seldon with bodies of the Open Inference Protocol or Seldon's own,
//! request and response joined into predictions and payloads; and what detectors and clients say of them afterwards.
//!
//! Each half is made durable as it comes, so that the memory in which it waits for the other one may be bounded and may be lost: a
//! request is a payload at once, and a response a prediction at once, with its features where its request is remembered.

mod binary;
mod detectors;
mod event;
mod inference;
mod join;
mod seldon;
mod tensors;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value, json};
use windvane_store::Table;
use windvane_types::event::{Payload, Prediction, decode_record};
use windvane_types::rejection::{Code, Fault};

pub(crate) use self::event::{Attributes, Event, JSON_LENGTH, Mode, events};
use self::event::{Origin, Side, Subject};
use self::inference::Batch;
use self::join::{Half, Met};
pub(crate) use self::join::{Joiner, Waited};
use crate::decode::{REJECTIONS_SHOWN_MAX, ToRow};
use crate::otlp::{Context, Intake};
use crate::redact::Keep;

/// Of a model without a rule.
const ALL: &Keep = &Keep::All;

/// What a body of events became.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    pub(crate) intake: Intake,
    /// Events of which something is kept, or which have nothing to keep.
    pub(crate) accepted: u64,
    /// Events of which nothing is kept, for a reason.
    pub(crate) refused: u64,
    /// The first refusals, in order: of whole events, and of rows of events of which other rows are kept.
    pub(crate) rejected: Vec<Refusal>,
    /// Halves that waited and were taken away for their pairs; to be put back where those do not become durable.
    pub(crate) taken: Vec<Waited>,
}

/// One refusal, as the answer shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Refusal {
    /// The event's number in the body, from 0.
    pub(crate) index: u64,
    /// The row of the event's batch, from 0, where only that row is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) row: Option<u64>,
    /// The stable word.
    pub(crate) code: Code,
    /// What was found and what would have been accepted.
    pub(crate) message: String,
}

/// Takes the events of a body, in order.
pub(crate) fn take(events: Vec<Result<Event, Fault>>, joiner: &Joiner, context: &Context<'_>) -> Logged {
    let mut logged = Logged::default();
    for (index, event) in (0..).zip(events) {
        let table = event.as_ref().map_or(Table::Predictions, |event| event.subject.table());
        let mut taking = Taking { context, logged: &mut logged, index, kept: 0, refused: 0 };
        if let Err(fault) = event.and_then(|event| taking.event(event, joiner)) {
            taking.refuse(fault, (table, None));
        }
        match taking.is_refused_whole() {
            true => logged.refused += 1,
            false => logged.accepted += 1,
        }
    }
    logged
}

/// One event on its way in. Each of its rows is accepted or rejected alone, as records of a body are.
struct Taking<'t> {
    context: &'t Context<'t>,
    logged: &'t mut Logged,
    /// The event's number in the body.
    index: u64,
    kept: u64,
    refused: u64,
}

impl<'t> Taking<'t> {
    fn is_refused_whole(&self) -> bool {
        self.kept == 0 && self.refused > 0
    }

    fn event(&mut self, event: Event, joiner: &Joiner) -> Result<(), Fault> {
        match event.subject {
            Subject::Half(side) => self.half(event, side, joiner),
            Subject::Outliers => self.outliers(&event),
            Subject::Drift => self.drift(&event),
            Subject::Feedback => self.feedback(&event),
        }
    }

    fn half(&mut self, event: Event, side: Side, joiner: &Joiner) -> Result<(), Fault> {
        let key = event.key();
        let half = Half::of(event, side, self.context.now_us)?;
        let ts_us = half.ts_us;
        match (side, joiner.meet(key, side, half)) {
            (Side::Request, Met::Alone(request)) => self.payload(&request, None),
            (Side::Response, Met::Alone(response)) => {
                self.predictions(&Pair { request: None, response, ts_us })
            }
            (_, Met::Both { request, response, waited }) => {
                let ts_us = waited.half.ts_us;
                self.payload(&request, Some(&response));
                let (kept, refused) = (self.kept, self.refused);
                self.predictions(&Pair { request: Some(request), response, ts_us });
                // Where no prediction came of it, a mended half may come.
                match self.kept == kept && self.refused > refused {
                    true => joiner.put_back(vec![waited]),
                    false => self.logged.taken.push(waited),
                }
            }
        }
        Ok(())
    }

    /// Counts a refusal of the whole event, or of a row of its batch.
    fn refuse(&mut self, fault: Fault, (table, row): (Table, Option<u64>)) {
        self.refused += 1;
        self.logged.intake.refuse(table, fault.clone(), 1);
        if self.logged.rejected.len() < REJECTIONS_SHOWN_MAX {
            let Fault { code, message } = fault;
            self.logged.rejected.push(Refusal { index: self.index, row, code, message });
        }
    }

    /// Keeps a record as a row, or refuses it alone.
    fn add<'a, E: ToRow<'a>>(&mut self, record: &'a Value, (table, row): (Table, Option<u64>)) {
        match added::<E>(record, table, (self.context, &mut self.logged.intake)) {
            Ok(()) => self.kept += 1,
            Err(fault) => self.refuse(fault, (table, row)),
        }
    }

    /// Which features of a model are kept.
    fn keep(&self, model: &str) -> &'t Keep {
        let context: &'t Context<'t> = self.context;
        context.door.redaction.rule(Some(model)).map_or(ALL, |rule| &rule.features)
    }

    fn payload(&mut self, request: &Half, response: Option<&Half>) {
        let Some(inputs) = &request.tensors else { return };
        if self.context.door.redaction.drops_payloads(&request.origin.model) {
            return;
        }
        if !seldon::may_be_kept(&request.body, self.keep(&request.origin.model)) {
            let message = "the columns of the payload are not told apart by their names, and one of these is not kept here (redaction.features_allow, \
                           redaction.features_deny); accepted are rows with one value a name";
            let fault = Fault::new(Code::PayloadNotKept, message);
            return self.refuse(fault, (Table::Payloads, None));
        }
        let mut record = common(&request.origin, request.ts_us);
        record.insert("event_id".to_owned(), json!(request.id));
        record.insert("inputs".to_owned(), inputs.clone());
        if let Some(outputs) = response.and_then(|response| response.tensors.as_ref()) {
            record.insert("outputs".to_owned(), outputs.clone());
        }
        self.add::<Payload<'_>>(&Value::Object(record), (Table::Payloads, None));
    }

    /// One prediction an instance of the batch.
    fn predictions(&mut self, pair: &Pair) {
        let Pair { request, response, ts_us } = pair;
        let asked = request.as_ref().map(|request| Batch::of_request(&request.body));
        let answered = Batch::of_response(&response.body);
        let n = answered.len().max(asked.as_ref().map_or(0, Batch::len));
        let keep = self.keep(&response.origin.model);
        let inputs = (self.context.limits, keep);
        let may_be_kept = request.as_ref().is_none_or(|request| seldon::may_be_kept(&request.body, keep));
        for row in 0..n {
            let mut record = common(&response.origin, *ts_us);
            record.insert("event_id".to_owned(), json!(id_of_row(&response.id, row, n)));
            record.insert("tags".to_owned(), response.origin.tags());
            if may_be_kept
                && let Some(features) = asked.as_ref().and_then(|asked| asked.features(row, inputs))
            {
                record.insert("features".to_owned(), Value::Object(features));
            }
            if let Some(answer) = answered.answer(row).filter(|answer| !answer.is_empty()) {
                record.insert("prediction".to_owned(), Value::Object(answer));
            }
            if let Some(request) = request {
                let latency_us = response.ts_us.saturating_sub(request.ts_us).max(0);
                record.insert("latency_us".to_owned(), json!(latency_us));
            }
            self.add::<Prediction<'_>>(&Value::Object(record), (Table::Predictions, number(row, n)));
            if self.logged.intake.too_large.is_some() {
                break;
            }
        }
    }
}

/// A response, and the request where it is known.
#[derive(Debug)]
struct Pair {
    request: Option<Arc<Half>>,
    response: Arc<Half>,
    /// When the half that came first was, so that the row of the pair takes the place of the row of that half.
    ts_us: i64,
}

/// The fields that both tables have.
fn common(origin: &Origin, ts_us: i64) -> Map<String, Value> {
    let mut record = Map::new();
    record.insert("model".to_owned(), json!(origin.model));
    record.insert("version".to_owned(), json!(origin.version));
    record.insert("environment".to_owned(), json!(origin.environment));
    record.insert("ts".to_owned(), json!(ts_us));
    record
}

/// The id of a row: a batch of one keeps the event's id; of more, each has its number behind it.
fn id_of_row(id: &str, row: usize, n: usize) -> String {
    if n == 1 { id.to_owned() } else { format!("{id}#{row}") }
}

/// The number of a row where there are several.
fn number(row: usize, n: usize) -> Option<u64> {
    (n > 1).then_some(row as u64)
}

fn added<'a, E: ToRow<'a>>(
    record: &'a Value,
    table: Table,
    (context, intake): (&Context<'_>, &mut Intake),
) -> Result<(), Fault> {
    let mut event = E::default();
    decode_record(record, &mut event, context.limits, context.now_us)?;
    context.door.admit(&mut event)?;
    intake.add_event((table, context), event.model(), |out| event.encode(context.now_us, out))
}

#[cfg(test)]
mod tests;
