//! What model servers log of their requests: CloudEvents of KServe and Seldon with bodies of the Open Inference Protocol, request and
//! response joined into predictions and payloads.
//!
//! Each half is made durable as it comes, so that the memory in which it waits for the other one may be bounded and may be lost: a
//! request is a payload at once, and a response a prediction at once, with its features where its request is remembered.

mod event;
mod inference;
mod join;
mod tensors;

use std::sync::Arc;

use serde_json::{Map, Value, json};
use windvane_store::Table;
use windvane_types::event::{Payload, Prediction, decode_record};
use windvane_types::rejection::{Fault, Rejection};

pub(crate) use self::event::{Attributes, Event, Mode, events};
use self::event::{Origin, Side};
use self::inference::Batch;
use self::join::{Half, Met};
pub(crate) use self::join::{Joiner, Waited};
use crate::decode::ToRow;
use crate::otlp::{Context, Intake};

/// What a body of events became.
#[derive(Debug, Default)]
pub(crate) struct Logged {
    pub(crate) intake: Intake,
    pub(crate) accepted: u64,
    pub(crate) rejected: Vec<Rejection>,
    /// Halves that waited and were taken away for their pairs; to be put back where those do not become durable.
    pub(crate) taken: Vec<Waited>,
}

/// Takes the events of a body, in order.
pub(crate) fn take(events: Vec<Result<Event, Fault>>, joiner: &Joiner, context: &Context<'_>) -> Logged {
    let mut logged = Logged::default();
    for (index, event) in (0..).zip(events) {
        match event.and_then(|event| one(event, joiner, (context, &mut logged))) {
            Ok(()) => logged.accepted += 1,
            Err(fault) => {
                logged.intake.refuse(Table::Predictions, fault.clone(), 1);
                logged.rejected.push(fault.at(index));
            }
        }
    }
    logged
}

fn one(event: Event, joiner: &Joiner, (context, logged): (&Context<'_>, &mut Logged)) -> Result<(), Fault> {
    let intake = &mut logged.intake;
    let (side, key) = (event.side, event.key());
    let half = Half::of(event, context.now_us)?;
    let ts_us = half.ts_us;
    match (side, joiner.meet(key, side, half)) {
        (Side::Request, Met::Alone(request)) => payload(&request, None, context, intake),
        (Side::Response, Met::Alone(response)) => {
            predictions(&Pair { request: None, response, ts_us }, context, intake)
        }
        (_, Met::Both { request, response, waited }) => {
            let ts_us = waited.half.ts_us;
            logged.taken.push(waited);
            payload(&request, Some(&response), context, intake)?;
            predictions(&Pair { request: Some(request), response, ts_us }, context, intake)
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

fn payload(
    request: &Half,
    response: Option<&Half>,
    context: &Context<'_>,
    intake: &mut Intake,
) -> Result<(), Fault> {
    let Some(inputs) = &request.tensors else { return Ok(()) };
    if context.door.redaction.drops_payloads(&request.origin.model) {
        return Ok(());
    }
    let mut record = common(&request.origin, request.ts_us);
    record.insert("event_id".to_owned(), json!(request.id));
    record.insert("inputs".to_owned(), inputs.clone());
    if let Some(outputs) = response.and_then(|response| response.tensors.as_ref()) {
        record.insert("outputs".to_owned(), outputs.clone());
    }
    add::<Payload<'_>>(&Value::Object(record), Table::Payloads, (context, intake))
}

/// One prediction an instance of the batch. A batch of one keeps the event's id; of more, each has its number behind it.
fn predictions(pair: &Pair, context: &Context<'_>, intake: &mut Intake) -> Result<(), Fault> {
    let Pair { request, response, ts_us } = pair;
    let asked = request.as_ref().map(|request| Batch::of_request(&request.body));
    let answered = Batch::of_response(&response.body);
    let n = answered.len().max(asked.as_ref().map_or(0, Batch::len));
    for row in 0..n {
        let mut record = common(&response.origin, *ts_us);
        let id = if n == 1 { response.id.clone() } else { format!("{}#{row}", response.id) };
        record.insert("event_id".to_owned(), json!(id));
        record.insert("tags".to_owned(), response.origin.tags());
        if let Some(features) = asked.as_ref().and_then(|asked| asked.features(row, context.limits)) {
            record.insert("features".to_owned(), Value::Object(features));
        }
        if let Some(answer) = answered.answer(row).filter(|answer| !answer.is_empty()) {
            record.insert("prediction".to_owned(), Value::Object(answer));
        }
        if let Some(request) = request {
            let latency_us = response.ts_us.saturating_sub(request.ts_us).max(0);
            record.insert("latency_us".to_owned(), json!(latency_us));
        }
        add::<Prediction<'_>>(&Value::Object(record), Table::Predictions, (context, intake))?;
        if intake.too_large.is_some() {
            break;
        }
    }
    Ok(())
}

fn add<'a, E: ToRow<'a>>(
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
