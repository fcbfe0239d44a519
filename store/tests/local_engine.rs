//! The engine of one command, through its public interface, with the real library.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::path::Path;

use serde::Deserialize;
use windvane_store::local::FileFormat;
use windvane_store::populations::{self, CategoryColumn, CategoryRow, Pair, SegmentKeys};
use windvane_store::{LocalEngine, Real};

#[derive(Debug, Deserialize)]
struct Row {
    id: u64,
    x: Real,
    missing: Option<Real>,
    name: String,
}

#[test]
fn reads_a_named_file_with_every_double_intact_and_any_header_as_names() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("it's \\ a `file`.csv");
    let mut file = std::fs::File::create(&path).unwrap();
    writeln!(file, "id,x,missing,name\n18446744073709551615,0.1,,a\n1,nan,1.5,b\n2,inf,2,c").unwrap();
    writeln!(file, "3,-inf,3,d\n4,0.30000000000000004,4,e").unwrap();
    drop(file);

    let engine = LocalEngine::open(&windvane_kit::libchdb(), 1 << 30).unwrap();
    let source = engine.source(&path, FileFormat::of_path(&path).unwrap()).unwrap();
    let sql = format!(
        "SELECT toUInt64(id) AS id, toFloat64(x) AS x, toNullable(missing) AS missing, name FROM {source}"
    );
    let rows: Vec<Row> = engine.rows(&sql).unwrap();

    assert_eq!(rows.len(), 5);
    assert_eq!(rows[0].id, u64::MAX);
    assert_eq!(rows[0].missing, None);
    assert!(rows[1].x.0.is_nan());
    assert_eq!(rows[2].x.0, f64::INFINITY);
    assert_eq!(rows[3].x.0, f64::NEG_INFINITY);
    assert_eq!(rows[4].x.finite(), Some(0.1 + 0.2));
    assert_eq!(rows[4].name, "e");

    let text = engine.text("SELECT 1, 'a' FORMAT CSV").unwrap();
    assert_eq!(text, "1,\"a\"\n");
    let error = engine.rows::<Row>("SELECT * FROM nowhere").unwrap_err().to_string();
    assert!(error.starts_with("Code: 60."), "{error}");
    let pattern = engine.source(&folder.path().join("*.csv"), FileFormat::Csv).unwrap_err().to_string();
    assert!(pattern.contains("*.csv"), "{pattern}");

    // A statement has all the threads that it may have, also in an engine of little memory.
    let plan = "EXPLAIN PIPELINE SELECT sum(number) FROM numbers_mt(10000000) SETTINGS max_threads = 4";
    let plan = engine.text(plan).unwrap();
    assert!(plan.contains("AggregatingTransform × 4"), "{plan}");

    // A process has one engine, so this stands here: the names that the structure of a staged file has, too.
    let path = folder.path().join("like_ours.csv");
    std::fs::write(&path, "c0,c1,c2\n1,2,3\n4,5,6\n").unwrap();
    let population = populations::open_file(&engine, &path, "like_ours").unwrap();
    let names: Vec<&str> = population.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["c0", "c1", "c2"]);
    assert_eq!(engine.text("SELECT c0, c2 FROM files.like_ours ORDER BY c0").unwrap(), "1\t3\n4\t6\n");

    // Columns are counted together under the names that they have, not those of the staged file.
    let path = folder.path().join("swapped.csv");
    std::fs::write(&path, "c1,c0\nx,True\né,true\nx,\n").unwrap();
    let population = populations::open_file(&engine, &path, "swapped").unwrap();
    let pair = Pair { reference: &population, current: &population };
    let columns = ["c0", "c1"]
        .map(|name| CategoryColumn { sides: [population.column(name); 2], fold_case: name == "c0" });
    let statement = populations::categories(pair, &columns, &SegmentKeys::default());
    let rows: Vec<CategoryRow> = engine.answer(&statement).unwrap();
    let rows: Vec<_> = rows.iter().map(|row| (row.column, row.a, row.b, row.category.as_str())).collect();
    assert_eq!(rows, [(0, 2, 2, "true"), (1, 1, 1, "é"), (1, 2, 2, "x")]);

    // The same of formats that bring types: the names are those of the staged file, moved by one.
    let path = folder.path().join("moved.ndjson");
    std::fs::write(&path, "{\"c1\": 1.5, \"c2\": \"a\", \"c0\": \"b\"}\n").unwrap();
    let population = populations::open_file(&engine, &path, "moved").unwrap();
    let names: Vec<&str> = population.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["c1", "c2", "c0"]);
    assert_eq!(engine.text("SELECT c0, c1, c2 FROM files.moved").unwrap(), "1.5\ta\tb\n");

    open_quotes_are_refused_however_a_file_is_compressed(&engine, folder.path());
    rows_are_numbered_in_the_order_of_the_file(&engine, folder.path());
}

// Of files that are parsed in several pieces the last piece came in anywhere, in some readings and not in others.
fn rows_are_numbered_in_the_order_of_the_file(engine: &LocalEngine, folder: &Path) {
    const ROWS: u32 = 400_000;
    let padding = "x".repeat(40);
    for (format, header) in [("csv", "i,pad\n"), ("ndjson", "")] {
        let path = folder.join(format!("long.{format}"));
        let mut file = std::io::BufWriter::new(std::fs::File::create(&path).unwrap());
        write!(file, "{header}").unwrap();
        for i in 0..ROWS {
            match format {
                "csv" => writeln!(file, "{i},{padding}").unwrap(),
                _ => writeln!(file, "{{\"i\": {i}, \"pad\": \"{padding}\"}}").unwrap(),
            }
        }
        file.flush().unwrap();
        for attempt in 0..3 {
            let table = format!("long_{format}_{attempt}");
            populations::open_file(engine, &path, &table).unwrap();
            let counted = format!("SELECT count(), countIf(toUInt64(c0) != row) FROM files.{table}");
            assert_eq!(engine.text(&counted).unwrap(), format!("{ROWS}\t0\n"), "{table}");
        }
    }
}

fn open_quotes_are_refused_however_a_file_is_compressed(engine: &LocalEngine, folder: &Path) {
    let gzip = |text: &[u8]| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(text).unwrap();
        packed.finish().unwrap()
    };
    for (i, (text, place)) in [
        ("unit,x\n1,2\n2,\"cut of", Some("row 2, column `x`")),
        ("unit,x\n1,2\n2,\"", Some("row 2, column `x`")),
        ("unit,x\n1,2\n2,\"3\n3,4\n", Some("row 2, column `x`")),
        ("unit,\"x\n1,2\n", Some("the header, column `x`")),
        ("unit,x\n1,2\n2,\"3\"", None),
        ("unit,x\n1,2\n2,5\" disk\n", None),
        ("unit,x\n1,2\n2,\n", None),
    ]
    .into_iter()
    .enumerate()
    {
        let files = [
            (format!("plain{i}"), ".csv", text.as_bytes().to_vec()),
            (format!("gzip{i}"), ".csv.gz", gzip(text.as_bytes())),
            (format!("zstd{i}"), ".csv.zst", zstd::encode_all(text.as_bytes(), 1).unwrap()),
        ];
        for (table, ending, bytes) in files {
            let path = folder.join(format!("{table}{ending}"));
            std::fs::write(&path, bytes).unwrap();
            let opened = populations::open_file(engine, &path, &table);
            let said = opened.err().map(|error| error.to_string());
            let as_expected = match (&said, place) {
                (Some(said), Some(place)) => said.contains(place) && said.contains("never closed"),
                (said, place) => said.is_none() && place.is_none(),
            };
            assert!(as_expected, "{table}: {text:?} gave {said:?}");
        }
    }
}
