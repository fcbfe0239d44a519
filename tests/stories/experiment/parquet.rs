//! `windvane experiment` over Parquet: what the footer of the file says saves work, and changes no answer.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use serde_json::Value;

use crate::drift::Folder;
use crate::experiment::over;

/// What happened to a unit.
#[derive(Clone, Copy)]
struct Row {
    unit: i64,
    arm: &'static str,
    value: Option<f64>,
    cost: f64,
    bought: bool,
}

/// Rows of 200 units, one each; sums of their values are exact in any order.
fn rows() -> Vec<Row> {
    (0..200_i64)
        .map(|i| Row {
            unit: i,
            arm: if i % 2 == 0 { "A" } else { "B" },
            value: Some((i / 2 % 10 + 5 * (i % 2)) as f64),
            cost: (i % 7 + 1) as f64,
            bought: i % 3 == 0,
        })
        .collect()
}

fn document(file: &Path) -> Value {
    let metrics = ["value:mean", "bought:proportion", "cost:ratio(value)", "value:quantile(0.5)"];
    let mut arguments: Vec<&str> = metrics.iter().flat_map(|metric| ["--metric", *metric]).collect();
    arguments.extend(["--format", "json"]);
    over(file, &arguments).document()
}

fn of_parquet(folder: &Folder, rows: &[Row]) -> Value {
    let unit: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.unit)).collect::<Int64Array>());
    let arm: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.arm)).collect::<StringArray>());
    let value: ArrayRef = Arc::new(rows.iter().map(|row| row.value).collect::<Float64Array>());
    let cost: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.cost)).collect::<Float64Array>());
    let bought: ArrayRef = Arc::new(rows.iter().map(|row| Some(row.bought)).collect::<BooleanArray>());
    let columns = [("unit", unit), ("arm", arm), ("value", value), ("cost", cost), ("bought", bought)];
    document(
        &folder.parquet("rows.parquet", columns.map(|(name, column)| (name.to_owned(), column)).to_vec()),
    )
}

fn of_csv(folder: &Folder, rows: &[Row]) -> Value {
    let text = rows.iter().fold("unit,arm,value,cost,bought\n".to_owned(), |mut text, row| {
        let value = row.value.map_or(String::new(), |value| value.to_string());
        writeln!(text, "{},{},{value},{},{}", row.unit, row.arm, row.cost, row.bought).unwrap();
        text
    });
    document(&folder.file("rows.csv", &text))
}

fn agree(parquet: &Value, csv: &Value, case: &str) {
    for part in ["arms", "srm", "comparisons"] {
        assert_eq!(parquet[part], csv[part], "{part} where {case}");
    }
}

#[test]
fn parquet_says_what_csv_says_whatever_is_missing() {
    let folder = Folder::new();
    let whole = of_csv(&folder, &rows());
    agree(&of_parquet(&folder, &rows()), &whole, "every value is there");
    let renamed = |unit: fn(i64) -> i64| -> Vec<Row> {
        rows().into_iter().map(|row| Row { unit: unit(row.unit), ..row }).collect()
    };
    agree(&of_parquet(&folder, &renamed(|unit| unit * 1_000_003)), &whole, "units are far from each other");
    let negative = renamed(|unit| unit - (1 << 40));
    agree(&of_parquet(&folder, &negative), &whole, "units are close, negative and of more than 32 bits");

    for (case, missing) in [("a value is NaN", Some(f64::NAN)), ("a value is null", None)] {
        let mut rows = rows();
        rows[3].value = missing;
        let parquet = of_parquet(&folder, &rows);
        agree(&parquet, &of_csv(&folder, &rows), case);
        assert_eq!(parquet["comparisons"][0]["n"], 99, "{case}");
    }

    let mut several = rows();
    several.extend(rows().into_iter().take(20).map(|row| Row { bought: false, ..row }));
    let parquet = of_parquet(&folder, &several);
    agree(&parquet, &of_csv(&folder, &several), "units have several rows");
    assert_eq!(parquet["arms"][0]["n"], 100);
}

/// Units and sums are asked for at once where units seem to have a row each, and sums are taken again where the last ones have two.
#[test]
fn units_that_come_back_late_are_put_together_all_the_same() {
    let folder = Folder::new();
    for (apart, case) in [(2, "the footer has room for all"), (1_000_003, "the first ones have a row each")] {
        let late = |i: i64| if i < 70_000 { i } else { i - 40_000 };
        let units = rows().into_iter().cycle().zip(0..70_020).map(|(row, i)| Row {
            unit: late(i) * apart,
            bought: row.bought && i < 70_000,
            ..row
        });
        let rows: Vec<Row> = units.collect();
        let parquet = of_parquet(&folder, &rows);
        agree(&parquet, &of_csv(&folder, &rows), case);
        assert_eq!(parquet["arms"][0]["n"], 35_000, "{case}");
    }
}

#[test]
fn values_far_from_zero_keep_their_digits() {
    let folder = Folder::new();
    let far = |offset: f64| -> Vec<Row> {
        rows().into_iter().map(|row| Row { value: row.value.map(|value| value + offset), ..row }).collect()
    };
    let (near, moved) = (of_parquet(&folder, &far(0.0)), of_parquet(&folder, &far(1e9)));
    agree(&moved, &of_csv(&folder, &far(1e9)), "values are far from zero");
    let p_value = |document: &Value| document["comparisons"][0]["p_value"].as_f64().unwrap();
    assert!((p_value(&moved) / p_value(&near) - 1.0).abs() < 1e-6, "{moved}");
}

/// The engine compiles the sums of so many rows.
#[test]
fn a_long_file_of_the_same_rows_again_and_again_has_their_estimates() {
    let folder = Folder::new();
    let again = rows().into_iter().cycle().zip(0..1_000_000).map(|(row, unit)| Row { unit, ..row });
    let (short, long) = (of_parquet(&folder, &rows()), of_parquet(&folder, &again.collect::<Vec<_>>()));
    assert_eq!(long["arms"][0]["n"], 500_000);
    let estimates = |document: &Value| -> Vec<[f64; 2]> {
        let comparisons = document["comparisons"].as_array().unwrap();
        let means = |found: &Value| ["mean_control", "mean"].map(|of| found[of].as_f64().unwrap());
        comparisons.iter().map(means).collect()
    };
    assert_eq!(estimates(&long), estimates(&short));
}

#[test]
fn a_column_of_too_many_names_is_no_arm() {
    let folder = Folder::new();
    let unit: ArrayRef = Arc::new((0..500).map(Some).collect::<Int64Array>());
    let arm: ArrayRef = Arc::new((0..500).map(|i| Some(format!("u{i}"))).collect::<StringArray>());
    let value: ArrayRef = Arc::new((0..500).map(|i| Some(f64::from(i))).collect::<Float64Array>());
    let columns = [("unit", unit), ("arm", arm), ("value", value)].map(|(name, of)| (name.to_owned(), of));
    let refused = over(&folder.parquet("arms.parquet", columns.to_vec()), &["--metric", "value:mean"]);
    assert!(refused.stderr.contains("column `arm` has more than 64 different values"), "{}", refused.stderr);
}

/// NaN is missing, and no footer counts it: neither is it an arm, nor are all units without a name one.
#[test]
fn units_and_arms_that_are_nan_are_left_out() {
    let folder = Folder::new();
    let column = |of: fn(u32) -> f64| -> ArrayRef {
        Arc::new((0..400).map(|i| Some(of(i))).collect::<Float64Array>())
    };
    let columns = [
        ("unit", column(|i| if i % 20 == 1 { f64::NAN } else { f64::from(i) })),
        ("arm", column(|i| if i % 20 == 2 { f64::NAN } else { f64::from(i % 2) })),
        ("value", column(|i| f64::from(i % 7))),
    ];
    let file = folder.parquet("nan.parquet", columns.map(|(name, of)| (name.to_owned(), of)).to_vec());
    let arguments = [
        "experiment",
        "--unit",
        "unit",
        "--arm",
        "arm",
        "--control",
        "0",
        "--metric",
        "value:mean",
        "--format",
        "json",
    ];
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_windvane"))
        .args(arguments)
        .arg(&file)
        .output()
        .unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let arms = found["arms"].as_array().unwrap();
    let arms: Vec<(&str, u64)> =
        arms.iter().map(|arm| (arm["arm"].as_str().unwrap(), arm["n"].as_u64().unwrap())).collect();
    assert_eq!(arms, [("0", 180), ("1", 180)]);
    let ledger = found["comparisons"][0]["ledger"][0].as_str().unwrap();
    assert!(ledger.contains("left out: 40 rows"), "{ledger}");
}
