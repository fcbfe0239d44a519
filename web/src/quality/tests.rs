//! Reports of made-up runs: what they say, what they never hold.

use super::*;

fn check(
    name: &str,
    column: Option<&str>,
    (observed, expected): (serde_json::Value, serde_json::Value),
) -> Check {
    serde_json::from_value(
        serde_json::json!({"check": name, "column": column, "observed": observed, "expected": expected,
        "verdict": "fail", "count": 21, "examples": ["<b>x</b>"]}),
    )
    .unwrap()
}

fn document(checks: Vec<Check>) -> Document {
    Document {
        schema: "windvane.quality/1".to_owned(),
        verdict: if checks.iter().any(|check| check.verdict == Verdict::Fail) {
            Verdict::Fail
        } else {
            Verdict::Pass
        },
        reference: serde_json::from_value(serde_json::json!({"source": "january.parquet", "rows": 1000}))
            .unwrap(),
        current: serde_json::from_value(serde_json::json!({"source": "<b>.parquet", "rows": 2000})).unwrap(),
        alpha: 0.01,
        tests: 7,
        checks,
    }
}

#[test]
fn a_reference_without_rows_is_told() {
    let learnt = document(vec![]);
    let mut unlearnt =
        document(vec![Check { verdict: Verdict::Pass, ..check("row_count", None, (2.into(), 1.into())) }]);
    unlearnt.reference.rows = 0;
    unlearnt.tests = 0;
    for (document, says) in [(learnt, false), (unlearnt, true)] {
        let html = quality_report(&document);
        for part in ["nothing was learnt about values", "No bound was learnt from rows"] {
            assert_eq!(html.contains(part), says, "{html}");
        }
    }
}

#[test]
fn checks_that_fail_come_first_and_in_words() {
    let json = |value: serde_json::Value| value;
    let passes = Check {
        verdict: Verdict::Pass,
        ..check("constant", Some("calm"), (3.into(), json(serde_json::json!([2, null]))))
    };
    let html = quality_report(&document(vec![
        passes,
        check("missing_rate", Some("salary"), (0.21.into(), serde_json::json!([0.08, 0.12]))),
        check("row_count", None, (3.into(), serde_json::json!([1000, null]))),
        check("type", Some("age"), ("text".into(), "integer".into())),
    ]));
    for part in [
        "3 of 4 checks fail",
        "salary, missing values: 21 %, where 8 % to 12 % was expected (21: “&lt;b&gt;x&lt;/b&gt;”).",
        "Rows: 3, where 1,000 or more was expected",
        "age, kind of values: text, where integer was expected",
        "2,000 rows, against what 1,000 rows of january.parquet were.",
        "in at most 1 % of runs",
    ] {
        assert!(html.contains(part), "no `{part}` in {html}");
    }
    assert!(html.find("salary, missing").unwrap() < html.find(">calm<").unwrap());
}

#[test]
fn a_report_needs_nothing_else_and_holds_the_document() {
    let document =
        document(vec![check("new_categories", Some("<i>"), (0.5.into(), serde_json::json!([0.0, 0.0])))]);
    let html = quality_report(&document);
    for outside in ["http://", "https://", "src=", "href=\"/", "@import", "url(", "<b>", "<i>"] {
        assert!(!html.contains(outside), "`{outside}` in {html}");
    }
    let (_, rest) = html.split_once("id=\"document\">").unwrap();
    assert_eq!(serde_json::from_str::<Document>(rest.split_once("</script>").unwrap().0).unwrap(), document);
}

#[test]
fn every_check_has_words_whatever_was_found() {
    let values = [
        serde_json::Value::Null,
        1e300.into(),
        "a\nb".into(),
        serde_json::json!([null, 3]),
        serde_json::json!({"version": "8", "differences": 1}),
    ];
    for name in
        ["row_count", "column_removed", "column_added", "version_schema", "range", "cardinality", "infinite"]
    {
        for value in &values {
            let said = words::sentence(&check(name, None, (value.clone(), value.clone())));
            assert!(said.ends_with('.') && !said.contains('\n'), "{said}");
        }
    }
    assert_eq!(headline(&[]), "The data are as expected: all 0 checks pass");
}

// It was told as JSON that ended in the middle.
#[test]
fn versions_that_differ_are_told_in_words() {
    let differ = serde_json::json!({"differences": 1, "version": "2"});
    let found = Check {
        count: 1,
        examples: vec![serde_json::json!({"column": "x", "sent_as": "text", "expected": "number"})],
        reason: Some("version `2`, 600 rows".to_owned()),
        ..check("version_schema", None, (differ, serde_json::json!({"differences": 0})))
    };
    assert_eq!(
        words::sentence(&found),
        "Features by version: one difference, where none was expected (1: x sent as text instead of number: version `2`, 600 rows)."
    );
}

#[test]
fn a_thousand_columns_that_all_fail_stay_below_two_megabytes() {
    let examples: Vec<serde_json::Value> =
        (0..5).map(|i| format!("<a value that nobody had expected {i}>").into()).collect();
    let checks: Vec<Check> = (0..1_000)
        .flat_map(|i| {
            let name = format!("a rather long name of column {i}");
            [
                "missing_rate",
                "range",
                "infinite",
                "new_categories",
                "vanished_categories",
                "cardinality",
                "type",
            ]
            .map(|what| check(what, Some(&name), (0.21.into(), serde_json::json!([0.08, 0.12]))))
        })
        .map(|found| Check { examples: examples.clone(), ..found })
        .collect();
    let html = quality_report(&document(checks));
    assert!(html.len() < 2_000_000, "{}", html.len());
    for told in [
        "7,000 of 7,000 checks fail",
        "Shown are 1,000 of 7,000 checks; the JSON document has all.",
        "The document is too large to be kept in this file",
    ] {
        assert!(html.contains(told), "no `{told}`");
    }
}
