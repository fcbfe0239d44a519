//! Arrow bodies beside the same records as JSON, the layouts that mean the same, and bodies that are broken.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array,
    LargeStringArray, ListArray, MapBuilder, RecordBatch, StringArray, StringBuilder, StringViewArray,
    StructArray, TimestampMicrosecondArray, TimestampNanosecondArray,
};
use arrow::datatypes::{DataType, Field, Float64Type, Int8Type, Int32Type, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;
use windvane_types::event::{Kind, Limits};
use windvane_types::rejection::Code;

use crate::decode::{Batch, Context, Format, IdMaker, decode_batch};

const NOW_US: i64 = 1_700_000_000_000_000;
const TS_US: i64 = 1_357_017_420_123_456;

fn decoded(kind: Kind, body: impl Into<Bytes>, format: Format) -> Batch {
    decoded_within(&Limits::default(), kind, body, format)
}

fn decoded_within(limits: &Limits, kind: Kind, body: impl Into<Bytes>, format: Format) -> Batch {
    let ids = IdMaker::new(Uuid::from_u128(1));
    let caller = crate::Caller::default();
    let door = crate::door::Door::open();
    let context =
        Context { limits, ids: &ids, body_bytes_max: 1 << 20, now_us: NOW_US, caller: &caller, door };
    decode_batch(kind, &body.into(), format, &context)
}

fn stream_with(batches: &[RecordBatch], options: IpcWriteOptions) -> Vec<u8> {
    let mut writer = StreamWriter::try_new_with_options(Vec::new(), &batches[0].schema(), options).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn stream(batches: &[RecordBatch]) -> Vec<u8> {
    stream_with(batches, IpcWriteOptions::default())
}

fn file(batch: &RecordBatch) -> Vec<u8> {
    let mut writer = FileWriter::try_new(Vec::new(), &batch.schema()).unwrap();
    writer.write(batch).unwrap();
    writer.finish().unwrap();
    writer.into_inner().unwrap()
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, array)| (name, array, true)))
        .unwrap()
}

fn object(columns: Vec<(&str, ArrayRef)>) -> ArrayRef {
    let columns = columns
        .into_iter()
        .map(|(name, array)| (Arc::new(Field::new(name, array.data_type().clone(), true)), array));
    Arc::new(StructArray::from(columns.collect::<Vec<_>>()))
}

fn text<const N: usize>(values: [Option<&str>; N]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn texts_map(rows: &[&[(&str, &str)]]) -> ArrayRef {
    let mut builder = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for row in rows {
        for (key, value) in *row {
            builder.keys().append_value(key);
            builder.values().append_value(value);
        }
        builder.append(true).unwrap();
    }
    Arc::new(builder.finish())
}

/// Two predictions with every field, as JSON.
const JSON: &str = r#"[
    {"model":"delay","version":"7","event_id":"e0","ts":1357017420123456,"environment":"prod","unit_id":"N1",
     "arms":{"x":"B"},"features":{"distance":1400,"speed":0.5,"carrier":"UA","holiday":false},"embeddings":{"text":[0.5,-0.25]},
     "prediction":{"label":"late","probabilities":{"late":0.75,"on_time":0.25}},"latency_us":830,"status":"ok","tags":{"region":"east"}},
    {"model":"delay","version":"7","event_id":"e1","ts":1357017420123456,"features":{"distance":7,"carrier":"AA","holiday":true},
     "prediction":{"label":"on_time"},"tags":{"region":"west"}}]"#;

fn list() -> ArrayRef {
    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([Some(vec![Some(0.5), Some(-0.25)]), None]))
}

/// The same two, as columns.
fn both() -> RecordBatch {
    let number = |values: [Option<f64>; 2]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    batch(vec![
        ("model", text([Some("delay"), Some("delay")])),
        ("version", text([Some("7"), Some("7")])),
        ("event_id", text([Some("e0"), Some("e1")])),
        ("ts", Arc::new(TimestampMicrosecondArray::from(vec![TS_US; 2]).with_timezone("UTC"))),
        ("environment", text([Some("prod"), None])),
        ("unit_id", text([Some("N1"), None])),
        ("arms", object(vec![("x", text([Some("B"), None]))])),
        (
            "features",
            object(vec![
                ("distance", Arc::new(Int32Array::from(vec![1400, 7]))),
                ("speed", number([Some(0.5), None])),
                ("carrier", text([Some("UA"), Some("AA")])),
                ("holiday", Arc::new(BooleanArray::from(vec![false, true]))),
            ]),
        ),
        ("embeddings", object(vec![("text", list())])),
        (
            "prediction",
            object(vec![
                ("label", text([Some("late"), Some("on_time")])),
                (
                    "probabilities",
                    object(vec![
                        ("late", number([Some(0.75), None])),
                        ("on_time", number([Some(0.25), None])),
                    ]),
                ),
            ]),
        ),
        ("latency_us", Arc::new(Int64Array::from(vec![Some(830), None]))),
        ("status", text([Some("ok"), None])),
        ("tags", object(vec![("region", text([Some("east"), Some("west")]))])),
    ])
}

#[test]
fn columns_give_the_rows_that_json_gives() {
    let expected = decoded(Kind::Prediction, JSON, Format::Json);
    assert_eq!((expected.accepted, &expected.rejected), (2, &vec![]));
    let zstd = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
    let lz4 = IpcWriteOptions::default().try_with_compression(Some(CompressionType::LZ4_FRAME)).unwrap();
    let halves = [both().slice(0, 1), both().slice(1, 1)];
    for (name, body) in [
        ("one batch", stream(&[both()])),
        ("two batches", stream(&halves)),
        ("zstd buffers", stream_with(&[both()], zstd)),
        ("lz4 buffers", stream_with(&halves, lz4)),
        ("file", file(&both())),
    ] {
        let found = decoded(Kind::Prediction, body, Format::Arrow);
        assert_eq!((found.accepted, found.rejected), (2, vec![]), "{name}");
        assert_eq!(found.rows, expected.rows, "{name}");
    }
}

#[test]
fn layouts_that_mean_the_same_give_the_same_rows() {
    let json = r#"{"model":"m","event_id":"e0","ts":1357017420123456,"features":{"a":1.5,"c":"x"},"prediction":{"score":0.5},"tags":{"r":"e"}}
                  {"model":"m","event_id":"e1","ts":1357017420123456,"features":{"c":"y"},"prediction":{"score":0.25},"tags":{"r":"w"}}"#;
    let expected = decoded(Kind::Prediction, json, Format::Ndjson);
    let fixed = || -> Vec<(&str, ArrayRef)> {
        vec![
            ("model", Arc::new(DictionaryArray::<Int8Type>::from_iter(["m", "m"]))),
            ("event_id", Arc::new(LargeStringArray::from(vec!["e0", "e1"]))),
            ("ts", Arc::new(TimestampNanosecondArray::from(vec![TS_US * 1000 + 999; 2]))),
        ]
    };
    let carrier = || -> ArrayRef { Arc::new(StringViewArray::from(vec!["x", "y"])) };
    let numbers: ArrayRef = Arc::new(Float32Array::from(vec![1.5, f32::NAN]));
    let scores = || -> ArrayRef { Arc::new(Float64Array::from(vec![0.5, 0.25])) };
    let spread = vec![
        ("features.a", Arc::clone(&numbers)),
        ("features.c", carrier()),
        ("prediction.score", scores()),
        ("tags.r", text([Some("e"), Some("w")])),
    ];
    let nested = vec![
        (
            "features",
            object(vec![
                ("a", numbers),
                ("c", Arc::new(DictionaryArray::<Int32Type>::from_iter(["x", "y"]))),
            ]),
        ),
        (
            "prediction",
            object(vec![("score", scores()), ("value", Arc::new(Float64Array::from(vec![None, None])))]),
        ),
        ("tags", texts_map(&[&[("r", "e")], &[("r", "w")]])),
        ("a_column_that_no_row_has", text([None, None])),
    ];
    for columns in [spread, nested] {
        let found = decoded(Kind::Prediction, stream(&[batch([fixed(), columns].concat())]), Format::Arrow);
        assert_eq!((found.accepted, found.rejected), (2, vec![]));
        assert_eq!(found.rows, expected.rows);
    }
}

#[test]
fn an_object_without_values_is_absent() {
    let columns = vec![
        ("model", text([Some("m"), Some("m"), None])),
        ("prediction.score", Arc::new(Float64Array::from(vec![None, Some(0.5), None])) as ArrayRef),
        ("prediction.label", text([None, None, None])),
    ];
    let found = decoded(Kind::Prediction, stream(&[batch(columns)]), Format::Arrow);
    let rejected: Vec<(u64, Code)> = found.rejected.iter().map(|r| (r.index, r.code)).collect();
    assert_eq!((found.accepted, &rejected[..]), (2, &[(2, Code::MissingField)][..]));
}

#[test]
fn each_kind_has_its_columns() {
    let ids = || text([Some("e0"), Some("e1")]);
    let numbers = || -> ArrayRef { Arc::new(Float64Array::from(vec![Some(1.0), None])) };
    for (kind, columns, accepted) in [
        (
            Kind::Outcome,
            vec![
                ("model", ids()),
                ("event_id", ids()),
                ("label", text([None, Some("late")])),
                ("value", numbers()),
            ],
            2,
        ),
        (Kind::Exposure, vec![("experiment", ids()), ("unit_id", ids()), ("arm", ids())], 2),
        (Kind::Measurement, vec![("unit_id", ids()), ("metric", ids()), ("value", numbers())], 1),
    ] {
        let found = decoded(kind, stream(&[batch(columns)]), Format::Arrow);
        assert_eq!(found.accepted, accepted, "{kind:?}: {:?}", found.rejected);
    }
}

#[test]
fn a_bad_row_is_rejected_alone_with_its_number() {
    let long = "i".repeat(129);
    let columns = vec![
        ("model", text([Some("m"), None, Some("m"), Some("m"), Some("m"), Some("m")])),
        ("event_id", text([None, None, Some(long.as_str()), Some("e3"), Some("e4"), Some("e5")])),
        ("modle", text([None, None, None, Some("m"), None, None])),
        (
            "features",
            object(vec![
                ("a", Arc::new(Float64Array::from(vec![1.0, 1.0, 1.0, 1.0, f64::INFINITY, 1.0]))),
                (
                    "l",
                    Arc::new(ListArray::from_iter_primitive::<Float64Type, _, _>([
                        None,
                        None,
                        None,
                        None,
                        None,
                        Some(vec![Some(1.0)]),
                    ])),
                ),
            ]),
        ),
    ];
    let found = decoded(Kind::Prediction, stream(&[batch(columns)]), Format::Arrow);
    let rejected: Vec<(u64, Code)> = found.rejected.iter().map(|r| (r.index, r.code)).collect();
    assert_eq!(
        rejected,
        [
            (1, Code::MissingField),
            (2, Code::EventIdTooLong),
            (3, Code::UnknownField),
            (4, Code::NumberOutOfRange),
            (5, Code::FeatureNotAScalar),
        ]
    );
    assert_eq!((found.accepted, found.made_ids.len()), (1, 1));
    assert!(found.rejected[2].message.contains("`model`"), "{}", found.rejected[2].message);
}

#[test]
fn a_row_that_is_too_large_is_no_row_of_its_model() {
    let limits = Limits { record_bytes_max: 400, ..Limits::default() };
    let long = "w".repeat(400);
    let columns = vec![
        ("model", text([Some("a"), Some("a"), Some("b")])),
        ("tags.w", text([Some("short"), Some(long.as_str()), Some(long.as_str())])),
    ];
    let found = decoded_within(&limits, Kind::Prediction, stream(&[batch(columns)]), Format::Arrow);
    assert_eq!((found.accepted, &found.rejected_by_code[..]), (1, &[(Code::RecordTooLarge, 2)][..]));
    let models: Vec<_> = found.models.iter().map(|share| (share.model.as_str(), share.rows)).collect();
    assert_eq!(models, [("a", 1)]);
    assert_eq!(found.models[0].bytes, found.rows.len() as u64);
    assert_eq!(found.made_ids.len(), 1);
}

#[test]
fn a_column_of_a_wrong_type_or_twice_rejects_its_rows() {
    for (columns, code) in [
        (vec![("model", Arc::new(Int64Array::from(vec![1, 2])) as ArrayRef)], Code::InvalidType),
        (
            vec![("model", text([Some("m"), Some("m")])), ("model", text([Some("m"), Some("m")]))],
            Code::DuplicateField,
        ),
        (
            vec![("model", text([Some("m"), Some("m")])), ("tags", text([Some("m"), Some("m")]))],
            Code::InvalidType,
        ),
    ] {
        let fields: Vec<Field> =
            columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
        let arrays = columns.into_iter().map(|(_, array)| array).collect();
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).unwrap();
        let found = decoded(Kind::Prediction, stream(&[batch]), Format::Arrow);
        assert_eq!((found.accepted, found.rejected.len()), (0, 2), "{code}");
        assert!(found.rejected.iter().all(|rejection| rejection.code == code), "{:?}", found.rejected);
    }
}

#[test]
fn a_stream_that_is_cut_off_anywhere_is_refused_whole() {
    let body = stream(&[both()]);
    // Without its last 8 bytes, the mark of the end, a stream is whole.
    for end in 0..body.len() - 8 {
        let found = decoded(Kind::Prediction, body[..end].to_vec(), Format::Arrow);
        assert_eq!((found.accepted, found.rows.len()), (0, 0), "cut at {end}");
        assert_eq!(found.rejected[0].code, Code::InvalidArrow, "cut at {end}");
    }
    assert_eq!(decoded(Kind::Prediction, body[..body.len() - 8].to_vec(), Format::Arrow).accepted, 2);
}

#[test]
fn more_than_the_bounds_is_too_large_before_it_is_allocated() {
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0; 500_000]));
    let zstd = IpcWriteOptions::default().try_with_compression(Some(CompressionType::ZSTD)).unwrap();
    let bomb = stream_with(&[batch(vec![("value", zeros)])], zstd);
    assert!(bomb.len() < 20_000, "{} bytes", bomb.len());
    let found = decoded(Kind::Measurement, bomb, Format::Arrow);
    assert!(found.too_large.unwrap().contains("bytes after decompression"));
    let endless = RecordBatch::try_new_with_options(
        Arc::new(Schema::new(vec![Field::new("model", DataType::Null, true)])),
        vec![arrow::array::new_null_array(&DataType::Null, 2_000_000)],
        &Default::default(),
    );
    let found = decoded(Kind::Prediction, stream(&[endless.unwrap()]), Format::Arrow);
    assert!(found.too_large.unwrap().contains("rows"));
    // One word of a dictionary, many rows: a row holds it itself.
    let word = "w".repeat(4000);
    let words: ArrayRef = Arc::new(DictionaryArray::<Int32Type>::from_iter(vec![word.as_str(); 2000]));
    let found = decoded(
        Kind::Prediction,
        stream(&[batch(vec![("model", text([Some("m"); 2000])), ("tags.w", words)])]),
        Format::Arrow,
    );
    assert!(found.too_large.unwrap().contains("rows of the batch"));
}

proptest! {
    // Whatever the bytes are, decoding ends with rows or a rejection, never with a panic.
    #[test]
    fn any_bytes_are_taken_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for kind in Kind::ALL {
            for format in [Format::Arrow, Format::Json, Format::Ndjson, Format::Unsaid] {
                let found = decoded(kind, bytes.clone(), format);
                prop_assert!(found.records() > 0 || found.too_large.is_some());
            }
        }
    }

    // The same for a stream in which some bytes are others.
    #[test]
    fn a_stream_with_other_bytes_is_taken_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut body = stream(&[both()]);
        for (at, byte) in changes {
            let at = at.index(body.len());
            body[at] = byte;
        }
        let found = decoded(Kind::Prediction, body, Format::Arrow);
        prop_assert!(found.records() > 0 || found.too_large.is_some());
    }
}
