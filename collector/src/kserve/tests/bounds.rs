//! What bodies cost beyond their own size is bounded: rows, time, names, and halves that wait for the other.

use super::*;

/// Shapes are what a client says; rows are what there are elements for.
#[test]
fn a_small_body_does_not_become_many_rows() {
    let joiner = Joiner::default();
    let empty = |field: &str| json!({field: [{"name": "x", "datatype": "FP32", "shape": [1_000_000_000_u64], "data": []}]});
    assert_eq!(Batch::of_request(&empty("inputs")).len(), 0);
    assert_eq!(Batch::of_response(&empty("outputs")).len(), 0);
    taken(binary("request", 1, &empty("inputs")), &joiner);
    assert_eq!(rows(&taken(binary("response", 2, &empty("outputs")), &joiner)), (0, 0));

    let many = json!({"predictions": vec![0.5; 10_000]});
    let logged = taken_within(binary("response", 3, &many), &joiner, 50_000);
    assert!(logged.intake.too_large.unwrap().contains("200000 bytes; send smaller batches"));
    assert!(logged.intake.parts.is_empty());
}

/// Where each row looks at each tensor, this takes minutes.
#[test]
fn tensors_that_have_not_a_row_cost_it_nothing() {
    const ROWS: usize = 1_000_000;
    let body = |field: &str| {
        let tensor = |name: &str, data: Vec<i32>| json!({"name": name, "datatype": "INT64", "data": data});
        let mut tensors = vec![tensor("long", vec![1; ROWS])];
        tensors.extend((0..100_000).map(|_| tensor("short", vec![7])));
        Value::Object(Map::from_iter([(field.to_owned(), Value::Array(tensors))]))
    };
    let (done, told) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let response = body("outputs");
        let answered = Batch::of_response(&response);
        let answers = (0..answered.len()).filter(|row| answered.answer(*row).is_some()).count();
        let request = body("inputs");
        let (asked, limits) = (Batch::of_request(&request), Limits::default());
        let of_row = |row| asked.features(row, (&limits, &Keep::All)).unwrap().len();
        let _ = done.send((answers, (0..asked.len()).map(of_row).sum::<usize>()));
    });
    let told = told.recv_timeout(std::time::Duration::from_secs(60));
    // The first row has one feature more.
    assert_eq!(told.expect("each row looks at each tensor"), (ROWS, ROWS + 1));
}

#[test]
fn a_long_name_is_not_written_out_for_each_of_its_elements() {
    let name = "n".repeat(1_000);
    let instance = json!({"instances": [{name.as_str(): vec![1; 200], "other": 1}]});
    let features = Batch::of_request(&instance).features(0, (&Limits::default(), &Keep::All)).unwrap();
    assert_eq!(
        features.keys().map(String::len).collect::<Vec<_>>(),
        [1_000, 5],
        "and it is refused by its length"
    );
    let wide: Map<String, Value> = (0..100).map(|n| (format!("f{n}"), json!(vec![1; 200]))).collect();
    let features = Batch::of_request(&json!({"instances": [wide]}))
        .features(0, (&Limits::default(), &Keep::All))
        .unwrap();
    let max = Limits::default().features_max;
    assert!((max + 1..=max + 200).contains(&features.len()), "{} features", features.len());
}

#[test]
fn what_waits_is_bounded_and_the_oldest_is_forgotten() {
    let joiner = Joiner::default();
    let big = json!({"instances": [["x".repeat(9 << 20)]]});
    for n in 0..20 {
        let mut headers = headers("request", 1);
        headers.insert("id".to_owned(), json!(n.to_string()));
        let event = events(Mode::Binary, headers, big.to_string().as_bytes()).remove(0).unwrap();
        let key = event.key();
        joiner.meet(key, Side::Request, Half::of(event, Side::Request, NOW_US).unwrap());
    }
    let meets = |n: u32| {
        let mut headers = headers("response", 2);
        headers.insert("id".to_owned(), json!(n.to_string()));
        let event = events(Mode::Binary, headers, b"{}").remove(0).unwrap();
        let key = event.key();
        matches!(
            joiner.meet(key, Side::Response, Half::of(event, Side::Response, NOW_US).unwrap()),
            Met::Both { .. }
        )
    };
    assert!(meets(19), "the newest is here");
    assert!(!meets(0), "the oldest made room");
}

/// An id or a name may be as long as a body. Halves that have met leave theirs in the order until it is their turn to make room.
#[test]
fn what_waits_is_bounded_by_its_names_as_well() {
    let long = "x".repeat(9 << 20);
    let bring = |joiner: &Joiner, (n, side): (u32, Side), told: &str| {
        let mut headers = headers("request", 1);
        headers.insert(told.to_owned(), json!(format!("{n}{long}")));
        let event = events(Mode::Binary, headers, b"{}").remove(0).unwrap();
        let key = event.key();
        matches!(joiner.meet(key, side, Half::of(event, side, NOW_US).unwrap()), Met::Both { .. })
    };
    for told in ["id", "component", "inferenceservicename"] {
        let joiner = Joiner::default();
        for n in 0..9 {
            bring(&joiner, (n, Side::Request), told);
        }
        assert!(bring(&joiner, (8, Side::Response), told), "{told}: the newest is here");
        assert!(!bring(&joiner, (0, Side::Response), told), "{told}: the oldest made room");
        for n in 0..9 {
            bring(&joiner, (n, Side::Request), told);
            bring(&joiner, (n, Side::Response), told);
        }
        assert!(joiner.bytes() <= 64 << 20, "{told}: {} bytes", joiner.bytes());
    }
}
