//! Reports of made-up runs: what they say, what they never hold, how large they are.

use windvane_types::drift::{Direction, Distribution, Kind, Method, Side};

use super::*;

fn column(name: &str, verdict: Verdict) -> Column {
    Column {
        column: name.to_owned(),
        kind: Kind::Numeric,
        n_reference: 1_000,
        n_current: 900,
        missing_reference: 0,
        missing_current: 100,
        verdict,
        direction: Direction::Up,
        mean_reference: Some(40.0),
        mean_current: Some(80.0),
        largest_change: None,
        embedding: None,
        text: None,
        distribution: Some(Distribution {
            edges: (0..=24).map(f64::from).collect(),
            categories: Vec::new(),
            reference: vec![123_456; 26],
            current: vec![654_321; 26],
        }),
        methods: vec![Method {
            method: "ks".to_owned(),
            statistic: Some(0.42),
            threshold: Some(0.1),
            p_value: Some(1e-12),
            p_judged: None,
            p_adjusted: Some(2e-12),
            effect: Some(0.42),
            drifted: verdict == Verdict::Drift,
            statistic_error: None,
            p_method: None,
            smoothing: None,
            bins: None,
            reason: None,
        }],
    }
}

fn document(columns: Vec<Column>) -> Document {
    let side = |source: &str, rows| Side { source: source.to_owned(), rows, stored_profile: false };
    let verdict = if drifted(&columns) > 0 { Verdict::Drift } else { Verdict::NoDrift };
    Document {
        schema: "windvane.drift/1".to_owned(),
        reference: side("a.parquet", 1_000_000),
        current: side("</script><b>.parquet", 1_000),
        verdict,
        alpha: 0.05,
        correction: "bh".to_owned(),
        tests: 3,
        min_rows: 30,
        compat: None,
        seed: 1,
        columns,
        segments: Vec::new(),
        segments_left_out: 0,
        skipped: Vec::new(),
    }
}

fn drifted(columns: &[Column]) -> usize {
    words::drifted(columns)
}

#[test]
fn a_report_says_the_verdict_with_the_number_behind_it() {
    let html =
        drift_report(&document(vec![column("calm", Verdict::NoDrift), column("temp", Verdict::Drift)]));
    for part in [
        "Drift in 1 of 2 columns",
        "temp ↑: mean 40 → 80, missing 0 % → 10 % (ks 4.2 times its floor, p 2.0e-12).",
        "1,000,000",
        "corrected by bh over 3 tests, is below 0.05",
        "aria-label=\"temp, share of rows",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    assert!(html.find("<h3>temp").unwrap() < html.find("<h3>calm").unwrap());
}

#[test]
fn a_report_shows_what_is_judged_in_place_of_the_p_value() {
    let mut skewed = column("fare", Verdict::NoDrift);
    let plain = drift_report(&document(vec![skewed.clone()]));
    skewed.methods[0].p_judged = Some(0.0712);
    let judged = drift_report(&document(vec![skewed]));
    let shown = "judged 0.0712";
    assert!(judged.contains(shown) && !plain.contains("judged 0."), "{judged}");
}

#[test]
fn a_report_needs_nothing_else_and_holds_the_document() {
    let whole = document(vec![column("<img>", Verdict::Drift)]);
    let html = drift_report(&whole);
    for outside in ["http://", "https://", "src=", "href=\"/", "@import", "url(", "<b>", "<img>"] {
        assert!(!html.contains(outside), "`{outside}` in {html}");
    }
    let (_, rest) = html.split_once("<script type=\"application/json\" id=\"document\">").unwrap();
    let (json, after) = rest.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Document>(json).unwrap(), whole);
    assert!(!after.contains("<script"));
}

#[test]
fn very_many_columns_and_segments_stay_below_two_megabytes() {
    let columns: Vec<Column> = (0..2_000)
        .map(|i| {
            column(
                &format!("a rather long name of column {i}"),
                if i % 2 == 0 { Verdict::Drift } else { Verdict::NoDrift },
            )
        })
        .collect();
    let segment = |i: usize| Segment {
        segment: [("region".to_owned(), Some(format!("a rather long name of a region {i}")))].into(),
        rows_reference: 1_000,
        rows_current: 1_000,
        verdict: Verdict::Drift,
        columns: columns[..30].to_vec(),
    };
    let skipped = |i: usize| windvane_types::drift::Skipped {
        column: format!("a rather long name of another column {i}"),
        reason: windvane_types::drift::SkipReason::DifferentKinds,
        detail: "numbers in the reference, texts in the current rows".repeat(20),
    };
    let wide = Document {
        segments: (0..300).map(segment).collect(),
        skipped: (0..3_000).map(skipped).collect(),
        ..document(columns.clone())
    };
    let html = drift_report(&wide);
    assert!(html.len() < 2_000_000, "{}", html.len());
    for told in [
        "columns that drifted furthest, of 2,000; the table goes on",
        "Shown are 1,000 of 2,000 columns; the JSON document has all.",
        "Shown are 200 of 3,000 columns that were not compared",
        "The 60 with most drift, of 300.",
    ] {
        assert!(html.contains(told), "no `{told}`");
    }
    // What is left of the document is one.
    let (_, rest) = html.split_once("id=\"document\">").unwrap();
    let inside: Document = serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap();
    assert!(inside.columns.iter().all(|column| column.verdict == Verdict::Drift));
}

#[test]
fn an_empty_run_is_told() {
    let html = drift_report(&Document { verdict: Verdict::InsufficientData, ..document(Vec::new()) });
    assert!(html.contains("Not enough data to tell"), "{html}");
}
