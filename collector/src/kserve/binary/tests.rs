//! Bytes as clients and servers of the protocol lay them out, and every way in which sizes disagree.

use serde_json::json;

use super::*;

/// A body of one input with these bytes.
fn input(datatype: &str, shape: &Value, data: &[u8]) -> Vec<u8> {
    let parameters = json!({"binary_data_size": data.len()});
    body_of(&json!([{"name": "x", "datatype": datatype, "shape": shape, "parameters": parameters}]), data)
}

fn body_of(inputs: &Value, data: &[u8]) -> Vec<u8> {
    [json!({"inputs": inputs}).to_string().as_bytes(), data].concat()
}

fn read(bytes: &[u8]) -> Result<Value, Fault> {
    body(bytes, None, Side::Request).map(|body| body["inputs"][0]["data"].clone())
}

/// The code of a refusal, which says what would have been accepted.
fn refused(bytes: &[u8], length: Option<usize>) -> Code {
    let fault = body(bytes, length, Side::Request).unwrap_err();
    assert!(
        fault.message.contains("accepted") || fault.message.contains("send smaller"),
        "{}",
        fault.message
    );
    fault.code
}

/// The numbers are from the formats' definitions: IEEE 754 for FP16 (0x0001 is 2^-24, 0x7bff is 65504), the upper half of FP32 for BF16.
#[test]
fn every_datatype_is_read_from_its_bytes() {
    let cases: [(&str, usize, &[u8], Value); 16] = [
        ("BOOL", 2, &[1, 0], json!([true, false])),
        ("UINT8", 2, &[7, 0xff], json!([7, 255])),
        ("UINT16", 1, &[0x34, 0x12], json!([0x1234])),
        ("UINT32", 1, &[0x78, 0x56, 0x34, 0x12], json!([0x1234_5678])),
        ("UINT64", 1, &[0xff; 8], json!([u64::MAX])),
        ("INT8", 2, &[0x80, 0x7f], json!([-128, 127])),
        ("INT16", 1, &[0xfe, 0xff], json!([-2])),
        ("INT32", 1, &[0, 0, 0, 0x80], json!([i32::MIN])),
        ("INT64", 1, &[0xff; 8], json!([-1])),
        (
            "FP16",
            4,
            &[0x00, 0x3c, 0x00, 0xc0, 0x01, 0x00, 0xff, 0x7b],
            json!([1.0, -2.0, 5.960_464_477_539_063e-8, 65504.0]),
        ),
        ("BF16", 3, &[0x80, 0x3f, 0x00, 0xc0, 0x49, 0x40], json!([1.0, -2.0, 3.140_625])),
        ("FP32", 2, &[0x00, 0x00, 0xaf, 0x44, 0x00, 0x00, 0xf0, 0x40], json!([1400.0, 7.5])),
        ("FP64", 1, &[0, 0, 0, 0, 0, 0, 0xe0, 0x3f], json!([0.5])),
        ("FP32", 1, &[0x00, 0x00, 0xc0, 0x7f], json!([null])),
        (
            "BYTES",
            3,
            b"\x02\x00\x00\x00UA\x00\x00\x00\x00\x03\x00\x00\x00\xe2\x82\xac",
            json!(["UA", "", "€"]),
        ),
        // How a JPEG begins.
        (
            "BYTES",
            2,
            b"\x02\x00\x00\x00UA\x03\x00\x00\x00\xff\xd8\xff",
            json!(["UA", "data:application/octet-stream;base64,/9j/"]),
        ),
    ];
    for (datatype, n, bytes, expected) in cases {
        assert_eq!(read(&input(datatype, &json!([n]), bytes)), Ok(expected), "{datatype}");
    }
    assert_eq!(read(&input("FP32", &json!([0, 4]), &[])), Ok(json!([])));
}

#[test]
fn tensors_take_their_bytes_in_order_and_may_stand_beside_plain_ones() {
    let inputs = json!([
        {"name": "a", "datatype": "INT16", "shape": [1, 2], "parameters": {"binary_data_size": 4}},
        {"name": "b", "datatype": "FP32", "shape": [1], "data": [0.5]},
        {"name": "c", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": 6}},
    ]);
    // The last text is white space: bytes of a tensor are never taken for the end of the JSON.
    let bytes = body_of(&inputs, b"\x01\x00\x02\x00\x02\x00\x00\x00\n ");
    let json_length = bytes.len() - 10;
    for length in [None, Some(json_length)] {
        let body = body(&bytes, length, Side::Request).unwrap();
        let data: Vec<&Value> =
            body["inputs"].as_array().unwrap().iter().map(|tensor| &tensor["data"]).collect();
        assert_eq!(data, [&json!([1, 2]), &json!([0.5]), &json!(["\n "])]);
    }
    let plain = br#"{"inputs":[{"name":"x","datatype":"FP32","shape":[1],"data":[1.5]}]}  "#;
    assert_eq!(read(plain), Ok(json!([1.5])));
}

#[test]
fn sizes_that_disagree_are_refused() {
    let two = [0; 8];
    let fp32 = |shape: Value| input("FP32", &shape, &two);
    assert_eq!(read(&fp32(json!([1, 2]))), Ok(json!([0.0, 0.0])), "they agree");
    let whole = fp32(json!([2]));
    let longer = [&whole[..], b"x"].concat();
    let json_length = whole.len() - two.len();
    for bytes in [
        fp32(json!([3])),
        fp32(json!([1])),
        fp32(json!([u64::MAX, 2])),
        fp32(json!([-2])),
        fp32(json!(null)),
        input("FP128", &json!([2]), &two),
        input("BOOL", &json!([1]), &[2]),
        whole[..whole.len() - 1].to_vec(),
        longer,
        body_of(&json!([{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}]), &two),
        body_of(
            &json!([{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2], "parameters": {"binary_data_size": 8}}]),
            &two,
        ),
        body_of(
            &json!([{"name": "x", "datatype": "FP32", "shape": [2], "parameters": {"binary_data_size": -8}}]),
            &two,
        ),
    ] {
        assert_eq!(refused(&bytes, None), Code::TensorInvalid, "{}", String::from_utf8_lossy(&bytes));
    }
    for (length, code) in [
        (whole.len() + 1, Code::TensorInvalid),
        (json_length - 1, Code::InvalidJson),
        (json_length + 1, Code::InvalidJson),
        (0, Code::InvalidJson),
    ] {
        assert_eq!(refused(&whole, Some(length)), code, "{length}");
    }
    assert_eq!(refused(&input("FP32", &json!([1]), &[0, 0, 0x80, 0x7f]), None), Code::NumberOutOfRange);
    let many = vec![0; ELEMENTS_MAX + 1];
    assert_eq!(refused(&input("UINT8", &json!([many.len()]), &many), None), Code::TooManyEntries);
    assert_eq!(refused(b"", None), Code::InvalidJson);
}

#[test]
fn texts_whose_lengths_disagree_are_refused() {
    for (n, bytes) in [
        (1, &b"\x03\x00\x00\x00UA"[..]),
        (1, b"\xff\xff\xff\xffUA"),
        (1, b"\x02\x00\x00\x00UAx"),
        (2, b"\x02\x00\x00\x00UA"),
        (1, b"\x00\x00\x00\x00\x00\x00\x00\x00"),
    ] {
        assert_eq!(refused(&input("BYTES", &json!([n]), bytes), None), Code::TensorInvalid, "{bytes:?}");
    }
}
