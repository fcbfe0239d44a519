//! Files of expectations: what is written is read back, and what people wrote stays.

use windvane_types::quality::{
    CategoryCount, ColumnExpectations, Expectations, Holds, Lengths, Range, ShareBound, TableExpectations,
    TimeExpectations,
};

use super::read::read;
use super::{update, write};

fn seen(seen: u64, of: u64) -> Option<ShareBound> {
    Some(ShareBound::Seen { seen, of })
}

fn expectations(max: f64, missing: u64) -> Expectations {
    let age = ColumnExpectations {
        holds: Some(Holds::Integer),
        missing: seen(missing, 1_000),
        range: Some(Range { min: 18.0, max, of: Some(990), share: None }),
        infinite: Some(ShareBound::Limits { min: 0.0, max: 0.0 }),
        non_negative: true,
        most_frequent: seen(80, 990),
        ..ColumnExpectations::default()
    };
    let category = |category: &str, seen| CategoryCount { category: category.to_owned(), seen };
    let carrier = ColumnExpectations {
        holds: Some(Holds::Text),
        missing: seen(0, 1_000),
        empty: seen(0, 1_000),
        distinct: seen(2, 1_000),
        closed: true,
        categories: Some(vec![category("UA", 700), category("a \"b\".c", 300)]),
        ..ColumnExpectations::default()
    };
    let note = ColumnExpectations {
        length: Some(Lengths { min: 1, max: 40, of: Some(1_000) }),
        ..ColumnExpectations::default()
    };
    Expectations {
        source: "january.csv".to_owned(),
        rows: 1_000,
        alpha: 0.01,
        tolerance: 0.1,
        table: TableExpectations {
            rows_min: 1,
            key: vec!["event_id".to_owned()],
            duplicates: Some(ShareBound::Limits { min: 0.0, max: 0.0 }),
            times: Some(TimeExpectations {
                timestamp: "ts".to_owned(),
                arrival: None,
                ahead_us: 300_000_000,
                late_us: 7_200_000_000,
                late: None,
                out_of_order: seen(3, 1_000),
            }),
            ..TableExpectations::default()
        },
        columns: vec![
            ("age".to_owned(), age),
            ("the carrier".to_owned(), carrier),
            ("note".to_owned(), note),
        ],
    }
}

#[test]
fn what_is_written_is_read_back() {
    let expectations = expectations(87.0, 10);
    let text = write(&expectations).to_string();
    assert_eq!(read(&text).unwrap(), expectations, "{text}");
    for line in
        ["late_after = \"2h\"", "[columns.\"the carrier\".categories]", "missing = { seen = 10, of = 1000 }"]
    {
        assert!(text.contains(line), "{line} in {text}");
    }
}

#[test]
fn learning_anew_renews_what_was_learnt_and_keeps_what_was_edited() {
    let text = write(&expectations(87.0, 10)).to_string();
    let edited = text
        .replace("non_negative = true\n", "")
        .replace(
            "range = { min = 18.0, max = 87.0, of = 990 }",
            "range = { min = 0.0, max = 120.0 } # the law",
        )
        .replace("rows_min = 1", "rows_min = 500 # a day");
    let mut file = edited.parse().unwrap();
    let renewed = update(&mut file, &write(&expectations(91.0, 30)));
    assert_eq!(renewed.kept, ["columns.age.range", "columns.age.non_negative"]);
    assert_eq!((renewed.added.len(), renewed.absent.len()), (0, 0));
    let text = file.to_string();
    let read = read(&text).unwrap();
    let (_, age) = &read.columns[0];
    assert_eq!((age.missing, age.non_negative, read.table.rows_min), (seen(30, 1_000), false, 500));
    assert!(text.contains("# the law") && text.contains("# a day"), "{text}");
    // Once more changes nothing: what was edited is still known as such.
    let again = update(&mut file, &write(&expectations(91.0, 30)));
    assert_eq!((again.kept, file.to_string()), (renewed.kept, text));
}

#[test]
fn columns_that_are_new_or_gone_are_told() {
    let mut file = write(&expectations(87.0, 10));
    let mut other = expectations(87.0, 10);
    other.columns[2].0 = "remark".to_owned();
    let renewed = update(&mut file, &write(&other));
    assert_eq!((renewed.added, renewed.absent), (vec!["remark".to_owned()], vec!["note".to_owned()]));
}

// `{ min = 2 }` was read as one value at most, and `{ max = 0.5 }` as none.
#[test]
fn different_values_are_counted_up_to_a_largest_number() {
    let read = |bound: &str| {
        read(&format!("schema = \"windvane.expectations/1\"\n[columns.age]\ndistinct = {{ {bound} }}\n"))
    };
    for bound in ["min = 2", "min = 2, max = 9", "max = 0.5"] {
        let faults = read(bound).unwrap_err();
        assert_eq!(
            faults,
            [format!(
                "columns.age.distinct: `{{ {bound} }}` is not allowed; allowed is `{{ seen = 3, of = 1000 }}` or `{{ max = 50 }}`, a \
                 count from 1"
            )]
        );
    }
    for bound in ["max = 1", "seen = 3, of = 1000"] {
        assert!(read(bound).is_ok(), "{bound}");
    }
}

// Each was read, and never looked at: the check passed whatever came.
#[test]
fn what_would_never_be_looked_at_is_a_fault() {
    for (column, fault) in [
        ("closed = true", "closed: it needs `categories`, the values that there may be"),
        ("range = {}", "range: allowed is `{ min = 0.0, max = 120.0 }`, or one of both ends"),
        ("length = { of = 9 }", "length: allowed is `{ min = 1, max = 40 }`, or one of both ends"),
        ("type = \"time\"\nrange = { max = 5 }", "range: it is of numbers, and `type` is `time`"),
        ("type = \"text\"\nnon_negative = true", "non_negative: it is of numbers, and `type` is `text`"),
        ("type = \"vector\"\nlength = { max = 5 }", "length: it is of single values, and `type` is `vector`"),
    ] {
        let faults =
            read(&format!("schema = \"windvane.expectations/1\"\n[columns.age]\n{column}\n")).unwrap_err();
        assert_eq!(faults, [format!("columns.age.{fault}")]);
    }
    let table = |keys: &str| {
        read(&format!("schema = \"windvane.expectations/1\"\n[table]\ntimestamp = \"ts\"\n{keys}\n"))
    };
    let late = "late = { max = 0.01 }";
    let faults = table(late).unwrap_err();
    assert_eq!(faults, ["table.late: it needs `arrival`, the column that says when events came in"]);
    assert!(table(&format!("{late}\narrival = \"came\"")).is_ok());
}

// A column in one line was taken for none: what was learnt took its place, and with it went the edit and its comment.
#[test]
fn what_a_person_wrote_in_one_line_stays() {
    let line = "age = { type = \"integer\", range = { min = 0.0, max = 120.0 } } # the law";
    let head = "schema = \"windvane.expectations/1\"\n";
    for (text, kept, added) in [
        (format!("{head}[columns]\n{line}\n"), vec!["columns.age"], vec!["the carrier", "note"]),
        (format!("{head}columns = {{ age = {{ type = \"integer\" }} }} # all\n"), vec!["columns"], vec![]),
        (
            format!("{head}table = {{ rows_min = 500 }} # a day\n"),
            vec!["table"],
            vec!["age", "the carrier", "note"],
        ),
    ] {
        read(&text).unwrap();
        let mut file = text.parse().unwrap();
        let renewed = update(&mut file, &write(&expectations(87.0, 10)));
        assert_eq!(renewed.kept, kept, "{file}");
        assert_eq!(renewed.added, added, "{file}");
        for line in text.lines().filter(|line| line.contains('#')) {
            assert!(file.to_string().contains(line), "{line} in {file}");
        }
        read(&file.to_string()).unwrap();
    }
}
