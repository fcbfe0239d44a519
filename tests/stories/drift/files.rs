//! What files hold, and how they are written: missing values, names, bytes, marks, infinities, widths, quotes.

use std::io::Write as _;
use std::sync::Arc;

use arrow::array::{ArrayRef, BinaryArray, Float64Array, StringArray};
use serde_json::Value;

use super::{Folder, column, csv, drift, json, method};

#[test]
fn missing_values_have_many_spellings_and_drift_alone() {
    let folder = Folder::new();
    let words = ["", "NA", "NaN", "nan"];
    let a = folder.file("a.csv", &csv("x,y", 0..400, |i| format!("{},1", i % 10)));
    let row = |i: u32| {
        let x =
            if i.is_multiple_of(5) { words[(i / 5 % 4) as usize].to_owned() } else { (i % 10).to_string() };
        format!("{x},1")
    };
    let b = folder.file("b.csv", &csv("x,y", 0..400, row));
    let document = json(&a, &b, &["--methods", "missing_rate"]);
    let x = column(&document, "x");
    assert_eq!(
        (&x["kind"], &x["n_current"], &x["missing_current"]),
        (&"numeric".into(), &320.into(), &80.into())
    );
    assert_eq!((&x["verdict"], &method(x, "missing_rate")["statistic"]), (&"drift".into(), &0.2.into()));
    // A column that went missing altogether has too few values, and drifted all the same.
    let gone = folder.file("gone.csv", &csv("x,y", 0..400, |_| ",1".to_owned()));
    assert_eq!(column(&json(&a, &gone, &[]), "x")["verdict"], "drift");
}

// Names that statements use themselves, found with Parquet, which is read in place.
#[test]
fn columns_may_be_called_what_a_statement_calls_its_own() {
    let folder = Folder::new();
    let names = [
        "rows",
        "segment",
        "value",
        "a",
        "b",
        "maybe",
        "side",
        "v",
        "hash",
        "columns",
        "times",
        "column",
        "category_0",
    ];
    let columns = |shift: u32| -> Vec<(String, ArrayRef)> {
        let numbers = || Arc::new((0..100).map(|i| f64::from(i % 20 + shift)).collect::<Float64Array>());
        let words = || Arc::new((0..100).map(|i| Some(format!("c{}", i % 3))).collect::<StringArray>());
        names
            .iter()
            .flat_map(|name| {
                [((*name).to_owned(), numbers() as ArrayRef), (format!("{name}_c"), words() as ArrayRef)]
            })
            .collect()
    };
    let a = folder.parquet("a.parquet", columns(0));
    let b = folder.parquet("b.parquet", columns(10));
    let document = json(&a, &b, &["--segment-by", "rows_c"]);
    for name in names {
        assert_eq!(column(&document, name)["verdict"], "drift", "{name}");
        assert_eq!(column(&document, &format!("{name}_c"))["verdict"], "no_drift", "{name}");
    }
    assert_eq!(document["segments"].as_array().unwrap().len(), 3);
}

#[test]
fn a_csv_file_may_begin_with_the_mark_of_utf_8() {
    let folder = Folder::new();
    for (header, name) in [("x,c", "marked.csv"), ("\"x\",\"c\"", "quoted.csv")] {
        let text = csv(&format!("\u{feff}{header}"), 0..40, |i| format!("{i},a"));
        let a = folder.file(name, &text);
        let document = json(&a, &a, &["--columns", "x,c"]);
        assert_eq!(column(&document, "x")["kind"], "numeric", "{name}");
        assert_eq!(document["current"]["rows"], 40);
    }
}

// Bytes of a Parquet file are as good as text, and may be anything.
#[test]
fn categories_may_be_bytes() {
    let folder = Folder::new();
    let bytes: BinaryArray =
        (0..60).map(|i| Some(if i % 2 == 0 { &b"\xff"[..] } else { &b"\xe9b"[..] })).collect();
    let a = folder.parquet("a.parquet", vec![("b".to_owned(), Arc::new(bytes) as ArrayRef)]);
    let document = json(&a, &a, &[]);
    assert_eq!(
        (&column(&document, "b")["n_current"], &document["verdict"]),
        (&60.into(), &"no_drift".into())
    );
}

#[test]
fn names_and_values_may_hold_any_character() {
    let folder = Folder::new();
    let header = "\"a \"\"quoted\"\" `name`\\\",\"zwei\nZeilen\",größe 漢字,a'b";
    let a =
        folder.file("a.csv", &csv(header, 0..100, |i| format!("{i},\"x\"\"{}\",{i},it's {}", i % 2, i % 3)));
    let document = json(&a, &a, &["--segment-by", "a'b"]);
    for (name, kind) in [
        ("a \"quoted\" `name`\\", "numeric"),
        ("zwei\nZeilen", "categorical"),
        ("größe 漢字", "numeric"),
        ("a'b", "categorical"),
    ] {
        assert_eq!(column(&document, name)["kind"], kind);
    }
    let segments = document["segments"].as_array().unwrap();
    assert_eq!(segments.len(), 3);
    assert_eq!(segments[0]["segment"]["a'b"], "it's 0");
    assert_eq!(segments[0]["rows_reference"], 34);
}

#[test]
fn a_column_of_many_categories_is_compared_beside_others() {
    let folder = Folder::new();
    let row = |i: u32| format!("n{i},{},é", if i.is_multiple_of(3) { "x" } else { "y" });
    let a = folder.file("a.csv", &csv("id,c,d", 0..70_000, row));
    let b = folder.file("b.csv", &csv("id,c,d", 35_000..105_000, row));
    let document = json(&a, &b, &["--methods", "new_categories,l_infinity"]);
    // Half of the names are new; of the multiples of three there is one fewer.
    for (name, new, apart) in [("id", 0.5, 1.0 / 70_000.0), ("c", 0.0, 1.0 / 70_000.0), ("d", 0.0, 0.0)] {
        let column = column(&document, name);
        assert_eq!((&column["n_reference"], &column["n_current"]), (&70_000.into(), &70_000.into()));
        assert_eq!(method(column, "new_categories")["statistic"], new, "{name}");
        let found = method(column, "l_infinity")["statistic"].as_f64().unwrap();
        assert!((found - apart).abs() < 1e-12, "{name}: {found}");
    }
}

// More columns than two statements ask about.
#[test]
fn a_wide_table_says_of_each_column_what_it_says_of_it_alone() {
    let folder = Folder::new();
    let columns = |shift: u32| -> Vec<(String, ArrayRef)> {
        let numbers = |c: u32| {
            let moved = if c == 77 { shift } else { 0 };
            Arc::new((0..200).map(|i| f64::from((i * 7 + c) % 97 + moved)).collect::<Float64Array>())
        };
        let words =
            |c: u32| Arc::new((0..200).map(|i| Some(format!("c{}", (i + c) % 4))).collect::<StringArray>());
        let of = |c: u32| -> ArrayRef { if c % 10 == 3 { words(c) } else { numbers(c) } };
        (0..150).map(|c| (format!("x{c}"), of(c))).collect()
    };
    let (a, b) = (folder.parquet("a.parquet", columns(0)), folder.parquet("b.parquet", columns(30)));
    let wide = json(&a, &b, &["--correction", "none"]);
    let all = wide["columns"].as_array().unwrap();
    let drifted: Vec<&Value> = all.iter().filter(|c| c["verdict"] == "drift").map(|c| &c["column"]).collect();
    assert_eq!((all.len(), drifted), (150, vec![&Value::from("x77")]));
    let some = ["x0", "x63", "x64", "x77", "x133", "x149"];
    let alone = json(&a, &b, &["--correction", "none", "--columns", &some.join(",")]);
    for name in some {
        assert_eq!(column(&alone, name), column(&wide, name), "{name}");
    }
}

#[test]
fn infinite_values_are_ranked_and_leave_no_moments() {
    let folder = Folder::new();
    let a = folder.file("a.csv", &csv("x", 0..100, |i| if i < 5 { "inf".to_owned() } else { i.to_string() }));
    let b =
        folder.file("b.csv", &csv("x", 0..100, |i| if i < 5 { "-inf".to_owned() } else { i.to_string() }));
    let document =
        json(&a, &b, &["--methods", "ks,mann_whitney,t_test,wasserstein,energy,epps_singleton,psi"]);
    let x = column(&document, "x");
    assert_eq!(x["n_reference"], 100);
    assert_eq!(method(x, "ks")["statistic"], 0.05);
    for name in ["t_test", "wasserstein", "energy", "epps_singleton"] {
        let method = method(x, name);
        assert_eq!((&method["statistic"], &method["p_value"]), (&Value::Null, &Value::Null), "{name}");
    }
    assert!(method(x, "psi")["statistic"].as_f64().unwrap() > 0.1);
}

#[test]
fn a_file_that_ends_within_a_quote_is_refused_and_says_where() {
    let folder = Folder::new();
    let good = folder.file("good.csv", "unit,x\n1,2\n2,\"3\"\n3,\"\"\n4,\"a\nb\"\n");
    for (name, text, place) in [
        ("lines.csv", "unit,x\n1,2\n2,\"3\n3,4\n4,5\n", "row 2, column `x`"),
        ("last.csv", "unit,x\n1,2\n2,\"3", "row 2, column `x`"),
        ("empty.csv", "unit,x\n1,\"", "row 1, column `x`"),
        ("header.csv", "unit,\"x\n1,2\n", "the header, column `x`"),
    ] {
        let ran = drift(&good, &folder.file(name, text), &[]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(place) && ran.stderr.contains("never closed"), "{name}: {}", ran.stderr);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text.as_bytes()).unwrap();
        let packed = folder.bytes(&format!("{name}.gz"), &packed.finish().unwrap());
        let ran = drift(&good, &packed, &[]);
        assert!(ran.code == 65 && ran.stderr.contains(place), "{name}.gz: {}", ran.stderr);
    }
    assert_eq!(drift(&good, &good, &[]).code, 0);
}
