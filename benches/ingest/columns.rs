//! The same events as Arrow IPC streams.

use std::sync::Arc;

use arrow::array::TimestampMicrosecondArray;
use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float64Array, RecordBatch, StringArray, StructArray, UInt64Array,
};
use arrow::datatypes::{Field, Int8Type};
use arrow::ipc::writer::StreamWriter;

use crate::events::{BATCH, CATEGORICAL, Event, NUMERIC, id};

/// The columns of a batch that do not change with its ids.
#[derive(Debug)]
pub(crate) struct Columns {
    fields: Vec<(&'static str, ArrayRef)>,
}

impl Columns {
    pub(crate) fn of(events: &[Event]) -> Self {
        let all = |word: &'static str| -> ArrayRef {
            Arc::new(DictionaryArray::<Int8Type>::from_iter(events.iter().map(|_| word)))
        };
        let mut features: Vec<(&str, ArrayRef)> = Vec::new();
        for (place, name) in NUMERIC.iter().enumerate() {
            features.push((
                name,
                Arc::new(events.iter().map(|event| Some(event.num[place])).collect::<Float64Array>()),
            ));
        }
        for (place, (name, _)) in CATEGORICAL.iter().enumerate().take(4) {
            let words = events.iter().map(|event| event.cat[place]);
            features.push((name, Arc::new(DictionaryArray::<Int8Type>::from_iter(words))));
        }
        let holiday: BooleanArray = events.iter().map(|event| Some(event.cat[4] == "true")).collect();
        features.push(("holiday", Arc::new(holiday)));
        let scores: Float64Array = events.iter().map(|event| Some(event.score)).collect();
        let times: TimestampMicrosecondArray = events.iter().map(|event| Some(event.ts_us)).collect();
        let latencies: UInt64Array = events.iter().map(|event| Some(event.latency_us)).collect();
        Self {
            fields: vec![
                ("model", all("arrow")),
                ("version", all("7")),
                ("environment", all("prod")),
                ("ts", Arc::new(times)),
                ("features", object(features)),
                ("prediction", object(vec![("score", Arc::new(scores))])),
                ("latency_us", Arc::new(latencies)),
                ("tags", object(vec![("region", all("east")), ("tier", all("gold"))])),
            ],
        }
    }

    /// The body of a batch, with ids that no other batch has.
    pub(crate) fn body(&self, batch: u64) -> Vec<u8> {
        let ids: StringArray = (batch * BATCH..(batch + 1) * BATCH).map(|n| Some(id(n))).collect();
        let fields = self.fields.iter().cloned().chain([("event_id", Arc::new(ids) as ArrayRef)]);
        let rows = RecordBatch::try_from_iter(fields).expect("columns of one length");
        let mut writer = StreamWriter::try_new(Vec::new(), &rows.schema()).expect("a stream begins");
        writer.write(&rows).expect("a batch is written");
        writer.into_inner().expect("a stream ends")
    }
}

fn object(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let fields = columns
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array));
    Arc::new(StructArray::from(fields.collect::<Vec<_>>()))
}
