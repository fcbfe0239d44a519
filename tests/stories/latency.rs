//! `windvane latency`, `detect`, `fairness` and `attribution` over files.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::array::{ArrayRef, Float64Array};
use serde_json::{Value, json};

use crate::drift::{Folder, Ran, csv};

fn windvane(words: &[&str], paths: &[&Path]) -> Ran {
    let (command, flags) = words.split_first().unwrap();
    let output =
        Command::new(env!("CARGO_BIN_EXE_windvane")).arg(command).args(paths).args(flags).output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn document(words: &[&str], paths: &[&Path]) -> Value {
    windvane(&[words, &["--format", "json"]].concat(), paths).document()
}

#[test]
fn a_reference_has_its_rows_also_where_there_is_nothing_to_compare() {
    let folder = Folder::new();
    let reference = folder.file("reference.csv", &csv("latency_us", 0..500, |i| latency(i).to_string()));
    let empty = folder.file("empty.csv", "latency_us\n");
    let missing = folder.file("missing.csv", &csv("latency_us", 0..9, |_| "NA".to_owned()));
    for current in [empty, missing] {
        let found = document(&["latency"], &[&reference, &current]);
        assert_eq!((&found["reference"]["rows"], &found["current"]["rows"]), (&500.into(), &0.into()));
        assert_eq!(found["verdict"], "insufficient_data");
    }
}

// They were left out without a word: a service that writes `inf` for a timeout looked as fast as ever.
#[test]
fn infinite_latencies_are_counted_and_in_no_quantile() {
    let folder = Folder::new();
    let file = |name: &str, is_lost: fn(u32) -> bool| {
        let text = csv("latency_us,version", 0..1_000, |i| {
            let value = if is_lost(i) { "inf".to_owned() } else { latency(i).to_string() };
            format!("{value},{}", if i % 10 == 0 { "8" } else { "7" })
        });
        folder.file(name, &text)
    };
    let (reference, current) = (file("reference.csv", |i| i == 1), file("current.csv", |i| i % 10 == 0));
    let found = document(&["latency", "--by", "version"], &[&reference, &current]);
    let told = |at: usize| {
        let group = &found["groups"][at];
        [
            &group["n"],
            &group["infinite"],
            &group["drift"]["n_reference"],
            &group["drift"]["infinite_reference"],
        ]
        .map(|count| count.as_u64().unwrap())
    };
    assert_eq!([told(0), told(1)], [[900, 100, 999, 1], [900, 0, 899, 1]]);
    // All of the group is lost: it is told all the same.
    assert_eq!((&found["groups"][2]["group"]["version"], told(2)), (&"8".into(), [0, 100, 100, 0]));
    assert_eq!(found["current"]["rows"], 900);
    let table = windvane(&["latency"], &[&reference, &current]).stdout;
    for part in ["(999 latencies; 1 infinite one left out)", "(900 latencies; 100 infinite ones left out)"] {
        assert!(table.contains(part), "{part} in {table}");
    }
}

/// A latency of milliseconds with a tail, the same for the same row.
fn latency(i: u32) -> u32 {
    let hash = (i + 7).wrapping_mul(2_654_435_761) >> 8;
    1_000 + hash % 4_000 + if hash.is_multiple_of(50) { 60_000 } else { 0 }
}

#[test]
fn quantiles_come_with_intervals_by_group_and_against_a_reference() {
    let folder = Folder::new();
    let file = |name: &str, factor: fn(u32) -> u32| {
        let text = csv("latency_us,version", 0..4_000, |i| {
            format!("{},{}", latency(i) * factor(i) / 10, if i % 4 == 0 { "8" } else { "7" })
        });
        folder.file(name, &text)
    };
    let reference = file("reference.csv", |_| 10);
    let current = file("current.csv", |i| if i % 4 == 0 { 15 } else { 10 });
    let found = document(&["latency", "--by", "version"], &[&reference, &current]);
    assert_eq!((&found["schema"], &found["verdict"]), (&"windvane.latency/1".into(), &"slower".into()));
    let groups = found["groups"].as_array().unwrap();
    let names: Vec<&Value> = groups.iter().map(|group| &group["group"]).collect();
    assert_eq!(names, [&json!({}), &json!({"version":"7"}), &json!({"version":"8"})]);
    assert_eq!(
        (&groups[1]["drift"]["verdict"], &groups[2]["drift"]["verdict"]),
        (&"steady".into(), &"slower".into())
    );
    // Levels go by their names, too, which are all that is written of them.
    let levels = |given: &str| {
        let found = document(&["latency", "--quantiles", given], &[&current]);
        let all = found["groups"][0]["quantiles"].as_array().unwrap().clone();
        all.iter().map(|one| one["quantile"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(levels("p99.9,0.5"), ["p50", "p99.9"]);
    assert_eq!(windvane(&["latency", "--quantiles", "p0"], &[&current]).code, 64);
    // The lowest quantile was called the median, whatever its level.
    for (levels, named) in [("p10,p50", "slower, median ×1.507"), ("p90,p99", "slower, p90 ×")] {
        let ran = windvane(&["latency", "--by", "version", "--quantiles", levels], &[&reference, &current]);
        assert!(ran.stdout.contains(named), "{named} in {}", ran.stdout);
    }
    let median = &groups[2]["quantiles"][0];
    let ratio = groups[2]["drift"]["ratios"][0].as_f64().unwrap();
    assert_eq!(median["quantile"], "p50");
    assert!((ratio - 1.5).abs() < 0.02, "{ratio}");

    // The quantiles of the sample, sorted, within the promised error; and inside of their intervals.
    let mut values: Vec<u32> = (0..4_000).map(latency).collect();
    values.sort_unstable();
    let alone = document(&["latency"], &[&reference]);
    for (i, (level, rank)) in
        [(0.5, 2_000), (0.9, 3_600), (0.95, 3_800), (0.99, 3_960), (0.999, 3_996)].into_iter().enumerate()
    {
        let quantile = &alone["groups"][0]["quantiles"][i];
        let truth = f64::from(values[rank - 1]);
        let value = quantile["value"].as_f64().unwrap();
        assert!((value / truth - 1.0).abs() < 0.006, "{level}: {value} instead of {truth}");
        assert!(quantile["ci"][0].as_f64().unwrap() <= truth, "{quantile}");
        assert!(quantile["ci"][1].as_f64().is_none_or(|high| high >= truth), "{quantile}");
    }
    assert_eq!(
        windvane(&["latency", "--fail-on", "slower", "--by", "version"], &[&reference, &current]).code,
        1
    );
    assert_eq!(windvane(&["latency", "--column", "latency"], &[&reference]).code, 65);
    let words = folder.file("words.ndjson", "{\"stage\":\"a\"}\n{\"stage\":\"b\"}\n");
    let ran = windvane(&["latency", "--column", "stage"], &[&words]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("`stage` holds text; latencies are numbers"), "{}", ran.stderr);
    // Of a CSV file the values decide: it told 0 latencies, and passed over words among numbers.
    let words = folder.file("words.csv", "latency_us\n10\ntimeout\nNA\n");
    for paths in [&[&words][..], &[&reference, &words]] {
        let ran = windvane(&["latency"], &paths.iter().map(|path| path.as_path()).collect::<Vec<_>>());
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        let said = "column `latency_us` holds text, such as `timeout`; latencies are numbers";
        assert!(ran.stderr.contains(said), "{}", ran.stderr);
    }
    let flags = folder.file("flags.csv", "latency_us\ntrue\nFALSE\n");
    let ran = windvane(&["latency"], &[&flags]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("holds text, such as `FALSE`; latencies are numbers"), "{}", ran.stderr);
    assert_eq!(windvane(&["latency", "--by", "region"], &[&reference]).code, 65);
    assert_eq!(windvane(&["latency", "--slo", "99:1ms"], &[&reference]).code, 64);
}

#[test]
fn an_objective_pages_for_an_hour_of_slow_answers_and_not_for_one() {
    let folder = Folder::new();
    let file = |name: &str, slow: fn(u32) -> bool| {
        // One request every ten seconds over three days.
        let text = csv("ts,ms", 0..25_920, |i| {
            let ts = 1_357_000_000_000_000_u64 + u64::from(i) * 10_000_000;
            format!("{ts},{}", if slow(i) { 900 } else { 20 })
        });
        folder.file(name, &text)
    };
    let slo = ["latency", "--column", "ms", "--unit", "ms", "--slo", "99.9%:250ms"];
    let hour = document(&slo, &[&file("hour.csv", |i| i >= 25_920 - 360 && i % 5 == 0)]);
    let objective = &hour["objectives"][0];
    assert_eq!((&hour["verdict"], &objective["verdict"]), (&"breached".into(), &"page".into()));
    let first = &objective["rules"][0];
    assert_eq!((&first["long"]["events"], &first["long"]["bad"]), (&360.into(), &72.into()));
    assert_eq!((&first["short"]["events"], &first["short"]["bad"]), (&30.into(), &6.into()));
    assert!((first["long"]["burn"].as_f64().unwrap() - 200.0).abs() < 1e-6, "{first}");
    let one = document(&slo, &[&file("one.csv", |i| i == 25_919)]);
    assert_eq!(one["objectives"][0]["verdict"], "ok", "{one}");
    // A breach said that the few latencies were not slower; and without an objective none was ever breached.
    let few = folder.file("few.csv", "ts,ms\n2013-01-01,900\n2013-01-01,900\n");
    let fails_on =
        |what, words: &[&str]| windvane(&[words, &["--fail-on", what]].concat(), &[&few, &few]).code;
    let alone = ["latency", "--column", "ms"];
    let codes = [fails_on("slower", &alone), fails_on("slower", &slo), fails_on("breached", &slo)];
    assert_eq!((codes, fails_on("breached", &alone)), ([2, 2, 1], 64));
    // Without a time of any latency no window had an event: the objective was met, whatever the latencies were.
    for (name, text, said) in [
        ("no_times.csv", "ts,ms\n,900\nNA,900\n", "and `ts` holds no times"),
        ("words.csv", "ts,ms\nsoon,900\n", "and `ts` holds no times"),
        ("lists.ndjson", "{\"ts\":[1,2],\"ms\":900}\n", "and `ts` holds no times"),
        (
            "no_column.csv",
            "at,ms\n2013-01-01,900\n",
            "(--timestamp), and there is no column `ts`; there are `at`, `ms`",
        ),
    ] {
        let ran = windvane(&slo, &[&folder.file(name, text)]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(said), "{name}: {}", ran.stderr);
    }
    for (name, text) in [("some.csv", "ts,ms\n,900\n2013-01-01,20\n"), ("none.csv", "ts,ms\n,\n")] {
        let met = document(&slo, &[&folder.file(name, text)]);
        assert_eq!(met["objectives"][0]["verdict"], "ok", "{name}: {met}");
    }
}

#[test]
fn detectors_find_a_jump_and_keep_still_without_one() {
    let folder = Folder::new();
    let error = |i: u32, per_mille: u32| {
        let hash = (i + 3).wrapping_mul(2_654_435_761) >> 7;
        u32::from(hash % 1_000 < per_mille)
    };
    let steady = folder.file("steady.csv", &csv("error", 0..4_000, |i| error(i, 100).to_string()));
    let jump = csv("error", 0..4_000, |i| error(i, if i < 2_000 { 100 } else { 500 }).to_string());
    let jump = folder.file("jump.csv", &jump);
    let words = ["detect", "--column", "error", "--detector", "adwin,adwin_river,ddm,hddm_a,hddm_w,cusum"];
    let found = document(&words, &[&jump]);
    assert_eq!(
        (&found["schema"], found["detectors"].as_array().unwrap().len()),
        (&"windvane.detect/1".into(), 6)
    );
    for detected in found["detectors"].as_array().unwrap() {
        assert_eq!(detected["values"], 4_000);
        let changes: Vec<u64> = detected["first"]
            .as_array()
            .unwrap()
            .iter()
            .map(|change| change["index"].as_u64().unwrap())
            .collect();
        assert!(changes.iter().any(|at| (2_000..2_300).contains(at)), "{detected}");
    }
    let quiet = windvane(&["detect", "--column", "error", "--fail-on", "change"], &[&steady]);
    assert_eq!((quiet.code, quiet.stderr.as_str()), (0, ""));
    assert_eq!(windvane(&["detect", "--column", "error", "--fail-on", "change"], &[&jump]).code, 1);
    let values = folder.file("values.csv", "x\n1\n2.5\n");
    // After one such value `adwin` and `cusum` told of no change any more.
    let huge = folder.file(
        "huge.csv",
        &csv("error", 0..200, |i| if i == 9 { "-1e300".to_owned() } else { i.to_string() }),
    );
    let ran = windvane(&["detect", "--column", "error", "--detector", "cusum"], &[&huge]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    let said = "`cusum` takes numbers from -1e140 to 1e140, and column `error` has -1e300";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    for (words, code, part) in [
        (&["detect", "--column", "y"][..], 65, "there is no column `y`; there are `x`"),
        (&["detect", "--column", "x", "--detector", "ddm"], 65, "takes 0 and 1"),
        (&["detect", "--column", "x", "--detector", "adwim"], 64, "did you mean `adwin`?"),
        (&["detect", "--column", "x", "--confidence", "2"], 64, "above 0 and below 1"),
        // They set nothing, and nothing said so.
        (&["detect", "--column", "x", "--threshold", "2"], 64, "it is of page_hinkley, cusum"),
        (&["detect", "--column", "x", "--detector", "ddm,eddm", "--confidence", "0.1"], 64, "it is of adwin"),
        (&["detect", "--column", "x", "--detector", "page_hinkley", "--warm-up", "9"], 64, "it is of cusum"),
    ] {
        let ran = windvane(words, &[&values]);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
}

// It told 0 values and no change, and exited with 0.
#[test]
fn a_column_of_words_is_no_stream() {
    let folder = Folder::new();
    let rows = folder.file("rows.csv", "stage,ms,cost,gone,flag\na,1,2,,true\nb,2.5,NA,,FALSE\n,3,inf,NA,\n");
    let json = folder.file(
        "rows.ndjson",
        "{\"stage\":\"b\",\"at\":[1,2],\"ms\":1}\n{\"stage\":\"a\",\"at\":[],\"ms\":2}\n",
    );
    let mixed = folder.file("mixed.csv", "ms\n1\n2\ntimeout\n");
    for (file, column, said) in [
        (
            &rows,
            "stage",
            "column `stage` holds text, such as `a`; detectors take numbers, or false and true. Columns of numbers: `ms`, `cost`\n",
        ),
        (
            &json,
            "stage",
            "column `stage` holds text, such as `a`; detectors take numbers, or false and true. Columns of numbers: `ms`\n",
        ),
        (&json, "at", "column `at` holds lists"),
        (
            &mixed,
            "ms",
            "column `ms` holds text, such as `timeout`; detectors take numbers, or false and true. Columns of numbers: none\n",
        ),
    ] {
        let ran = windvane(&["detect", "--column", column], &[file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(said), "{said} in {}", ran.stderr);
    }
    for (column, values) in [("ms", 3), ("cost", 1), ("flag", 2)] {
        let found = document(&["detect", "--column", column], &[&rows]);
        assert_eq!(found["detectors"][0]["values"], values, "{column}");
    }
}

// It told 0 values and no change, and exited with 0.
#[test]
fn a_column_without_a_value_is_no_stream_but_a_file_without_rows_is_an_empty_one() {
    let folder = Folder::new();
    let rows = folder.file("rows.csv", "gone,far\n,inf\nNA,-inf\n");
    for column in ["gone", "far"] {
        let ran = windvane(&["detect", "--column", column], &[&rows]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        let said = format!("column `{column}` has no finite number in any of 2 rows");
        assert!(ran.stderr.contains(&said), "{}", ran.stderr);
    }
    // Values without a time were of 1970, and where none had one that was told of every change.
    let times = "t,w,x\n2013-01-01T05:17:00Z,a,3\n,b,4\n2013-01-01T05:16:00Z,a,5\n";
    let times = folder.file("times.csv", times);
    let ran = windvane(&["detect", "--column", "x", "--timestamp", "w"], &[&times]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains("column `w` holds no times"), "{}", ran.stderr);
    let found = document(&["detect", "--column", "x", "--timestamp", "t"], &[&times]);
    assert_eq!(found["detectors"][0]["values"], 2);
    let none = folder.file("none.csv", "gone,far\n");
    assert_eq!(document(&["detect", "--column", "gone"], &[&none])["detectors"][0]["values"], 0);
    // That nothing was watched ended as a stream without a change does.
    assert_eq!(windvane(&["detect", "--column", "gone", "--fail-on", "change"], &[&none]).code, 2);
}

// Words that were not named counted as negative: every group's scores were far too high, and the verdict was `fail`.
#[test]
fn outcomes_in_words_need_the_name_of_the_positive_one() {
    let folder = Folder::new();
    let text = csv("sex,y,score", 0..1_000, |i| {
        let late = i % 2 == 0;
        format!("{},{},{}", ["a", "b"][(i / 2 % 2) as usize], if late { "late" } else { "on_time" }, 0.5)
    });
    let file = folder.file("rows.csv", &text);
    let words = ["fairness", "--group-by", "sex", "--target", "y", "--score", "score"];
    for (positive, code, part) in [
        (
            &[] as &[&str],
            64,
            "column `y` has no value that is plainly positive (1, true, yes): it has `late`, `on_time`",
        ),
        (&["--positive", "lat"], 65, "column `y` has no `lat`: it has `late`, `on_time`"),
    ] {
        let ran = windvane(&[&words[..], positive].concat(), &[&file]);
        assert_eq!((ran.code, ran.stdout.as_str()), (code, ""), "{}", ran.stderr);
        assert!(ran.stderr.contains(part), "{part} in {}", ran.stderr);
    }
    let found = document(&[&words[..], &["--positive", "late"]].concat(), &[&file]);
    assert_eq!(found["verdict"], "pass", "{found}");
}

#[test]
fn gaps_between_groups_are_found_with_intervals_and_small_groups_are_left_open() {
    let folder = Folder::new();
    // Group b is selected half as often; group c is too small to tell.
    let text = csv("sex,y,yhat,score", 0..2_030, |i| {
        let (group, selected) = match i {
            0..1_000 => ("a", i % 10 < 6),
            1_000..2_000 => ("b", i % 10 < 3),
            _ => ("c", true),
        };
        format!(
            "{group},{},{},{}",
            u8::from(i % 2 == 0),
            u8::from(selected),
            if i % 2 == 0 { 0.9 } else { 0.1 }
        )
    });
    let file = folder.file("rows.csv", &text);
    let words = [
        "fairness",
        "--group-by",
        "sex",
        "--target",
        "y",
        "--label",
        "yhat",
        "--score",
        "score",
        "--fail-on",
        "fail",
    ];
    assert_eq!(windvane(&words, &[&file]).code, 1);
    let found = document(&words, &[&file]);
    assert_eq!(
        (&found["schema"], &found["reference_group"]),
        (&"windvane.fairness/1".into(), &json!({"sex":"a"}))
    );
    let groups = found["groups"].as_array().unwrap();
    let gap = |group: usize, metric: &str| {
        groups[group]["gaps"].as_array().unwrap().iter().find(|gap| gap["metric"] == metric).unwrap().clone()
    };
    let parity = gap(1, "demographic_parity");
    assert_eq!((&parity["verdict"], parity["n"].as_u64()), (&"fail".into(), Some(1_000)));
    assert!((parity["gap"].as_f64().unwrap() + 0.3).abs() < 1e-12, "{parity}");
    assert_eq!(gap(2, "demographic_parity")["verdict"], "insufficient_data");
    // Every second row is positive and scored .9, the others .1: outcomes beat their scores by nothing on the whole.
    assert_eq!(gap(0, "calibration")["verdict"], "pass");
    // Without outcomes only who is selected can be told.
    let without = document(&["fairness", "--group-by", "sex", "--label", "yhat"], &[&file]);
    assert_eq!(without["groups"][1]["gaps"].as_array().unwrap().len(), 1);
    assert_eq!(windvane(&["fairness", "--group-by", "age", "--label", "yhat"], &[&file]).code, 65);
    // A score that is a word was left out as if it were missing, and the verdict was of the others or of none.
    let percent = folder.file("percent.csv", &text.replace(",0.9\n", ",90%\n"));
    let words = ["fairness", "--group-by", "sex", "--target", "y", "--score", "score"];
    let ran = windvane(&words, &[&percent]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("column `score` holds text, such as `90%`; scores are numbers"),
        "{}",
        ran.stderr
    );
    let ran =
        windvane(&["fairness", "--group-by", "sex", "--label", "yhat", "--reference-group", "z"], &[&file]);
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    let said = "no row is of the group `z`; the largest groups are `a`, `b`, `c`";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    // A value with a comma was two values, and no row was of that group, which stood among the largest.
    let comma = folder.file("comma.csv", &text.replace("\na,", "\n\"a, b\","));
    let words = ["fairness", "--group-by", "sex", "--label", "yhat", "--reference-group", "a, b"];
    assert_eq!(document(&words, &[&comma])["reference_group"], json!({"sex": "a, b"}));
}

#[test]
fn a_column_of_a_stream_is_told_in_one_line() {
    let folder = Folder::new();
    let file = folder.file("errors.csv", "\"a\nb\",c\n1,2\n0,3\n");
    let ran = windvane(&["detect", "--column", "a\nb"], &[&file]);
    assert!(ran.stdout.contains("column a b: 2 values\n"), "{}{}", ran.stdout, ran.stderr);
}

// Calibration was of the rows whose scores happened to be below 1, and passed or failed by them.
#[test]
fn scores_that_are_no_probabilities_have_no_calibration() {
    let folder = Folder::new();
    let file = |name: &str, most: f64| {
        let text = csv("sex,y,score", 0..1_000, |i| {
            let score = most * f64::from(i % 100) / 100.0;
            format!("{},{},{score}", ["a", "b"][(i / 2 % 2) as usize], u8::from(i % 100 >= 50))
        });
        folder.file(name, &text)
    };
    for (most, verdict) in [(1.0, "pass"), (3.0, "insufficient_data")] {
        let words = ["fairness", "--group-by", "sex", "--target", "y", "--score", "score"];
        let found = document(&words, &[&file("rows.csv", most)]);
        let gaps = found["groups"][0]["gaps"].as_array().unwrap();
        let gap = gaps.iter().find(|gap| gap["metric"] == "calibration").unwrap();
        assert_eq!((&gap["verdict"], gap["gap"].is_null()), (&verdict.into(), most > 1.0), "{gap}");
    }
}

#[test]
fn attributions_that_change_their_order_are_drift() {
    let folder = Folder::new();
    let file = |name: &str, [a, b, c]: [f64; 3]| {
        let text = csv("attribution.a,attribution.b,attribution.c,other", 0..200, |i| {
            let sign = if i % 2 == 0 { 1.0 } else { -1.0 };
            format!("{},{},{},{i}", sign * a, -sign * b, sign * c)
        });
        folder.file(name, &text)
    };
    // Field case C12.
    let (train, live) = (file("train.csv", [0.7, 0.5, 0.05]), file("live.csv", [0.1, 0.2, 0.7]));
    let found = document(&["attribution"], &[&train, &live]);
    assert_eq!((&found["schema"], &found["verdict"]), (&"windvane.attribution/1".into(), &"drift".into()));
    assert!((found["ndcg"].as_f64().unwrap() - 0.687_639_624_1).abs() < 1e-9, "{found}");
    let features: Vec<&Value> = found["features"].as_array().unwrap().iter().map(|f| &f["feature"]).collect();
    assert_eq!(features, ["a", "b", "c"]);
    assert_eq!(windvane(&["attribution", "--fail-on", "drift"], &[&train, &live]).code, 1);
    assert_eq!(windvane(&["attribution", "--fail-on", "drift"], &[&train, &train]).code, 0);
    assert_eq!(windvane(&["attribution", "--prefix", "shap."], &[&train, &live]).code, 65);
    // Features go by the names that the answer has for them, and columns do not.
    let ran = windvane(&["attribution", "--columns", "a,b"], &[&train, &live]);
    let said = "there is no column `a`; there are `attribution.a`, `attribution.b`, `attribution.c`";
    assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
}

// Sums that left what a number can hold counted as attributions of 0, and words as missing ones.
#[test]
fn attributions_count_also_where_they_are_huge_and_words_are_none() {
    let folder = Folder::new();
    let file = |name: &str, unit: &str| {
        let text = csv("attribution.a,attribution.b,attribution.c", 0..200, |i| {
            let sign = if i % 2 == 0 { "" } else { "-" };
            format!("{sign}8.{}{unit},{sign}4.{}{unit},1{unit}", i % 7, i % 5)
        });
        folder.file(name, &text)
    };
    let (usual, huge) = (file("usual.csv", "e0"), file("huge.csv", "e307"));
    let of = |files: &[&Path]| document(&["attribution"], files);
    let (small, large) = (of(&[&usual, &usual]), of(&[&huge, &huge]));
    for found in [&small, &large, &of(&[&usual, &huge]), &of(&[&huge, &usual])] {
        assert_eq!((&found["verdict"], &found["ndcg"]), (&"no_drift".into(), &json!(1.0)), "{found}");
        assert_eq!((&found["features"][0]["feature"], &found["ci"][1]), (&"a".into(), &json!(1.0)));
    }
    let mean = |found: &Value| found["features"][0]["importance_current"].as_f64().unwrap();
    assert!((mean(&large) / 1e307 / mean(&small) - 1.0).abs() < 1e-9, "{large}");
    for (column, said) in [("timeout", "text, such as `timeout`"), ("true", "text, such as `true`")] {
        let words = folder.file(
            "words.csv",
            &csv("attribution.a", 0..50, |i| match i {
                7 => column.to_owned(),
                _ => i.to_string(),
            }),
        );
        let ran = windvane(&["attribution"], &[&usual, &words]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        let said = format!("column `attribution.a` holds {said}; attributions are numbers");
        assert!(ran.stderr.contains(&said), "{said} in {}", ran.stderr);
    }
}

// The least important one was a last place that stayed the last: nothing was said.
#[test]
fn a_feature_that_is_attributed_on_one_side_only_is_drift_and_named() {
    let folder = Folder::new();
    let file = |name: &str, header: &str, rows: std::ops::Range<u32>| {
        let values = ["0.7", "0.5", "0.05"];
        let row = values[..header.split(',').count()].join(",");
        folder.file(name, &csv(header, rows, |_| row.clone()))
    };
    let whole = file("whole.csv", "attribution.a,attribution.b,attribution.c", 0..200);
    let part = file("part.csv", "attribution.a,attribution.b", 0..200);
    let few = file("few.csv", "attribution.a,attribution.b", 0..29);
    let empty = folder.file(
        "empty.csv",
        &csv("attribution.a,attribution.b,attribution.c", 0..200, |_| "0.7,0.5,NA".to_owned()),
    );
    for (reference, current, vanished, new) in [
        (&whole, &part, json!(["c"]), json!([])),
        (&whole, &empty, json!(["c"]), json!([])),
        (&part, &whole, json!([]), json!(["c"])),
    ] {
        let found = document(&["attribution"], &[reference, current]);
        assert_eq!((&found["ndcg"], &found["verdict"]), (&json!(1.0), &"drift".into()), "{found}");
        assert_eq!((&found["vanished_features"], &found["new_features"]), (&vanished, &new));
    }
    let table = windvane(&["attribution", "--fail-on", "drift"], &[&whole, &part]);
    assert_eq!(table.code, 1, "{}", table.stderr);
    assert!(table.stdout.contains("attributed in the reference only: c\n"), "{}", table.stdout);
    let found = document(&["attribution"], &[&whole, &few]);
    assert_eq!(
        (&found["verdict"], &found["vanished_features"]),
        (&"insufficient_data".into(), &json!([])),
        "29 rows say nothing"
    );
    // Rows without attributions were no rows.
    let other = folder.file("other.csv", &csv("x", 0..40, |i| i.to_string()));
    let found = document(&["attribution"], &[&whole, &other]);
    assert_eq!(
        (&found["verdict"], &found["ndcg"], &found["current"]["rows"]),
        (&"insufficient_data".into(), &Value::Null, &40.into()),
        "{found}"
    );
}

#[test]
fn what_is_positive_has_to_be_plain_or_named() {
    let folder = Folder::new();
    let rows = |yes: &str, no: &str| {
        csv("sex,y,yhat", 0..2_000, |i| {
            let of = |is: bool| if is { yes } else { no };
            format!("{},{},{}", if i % 2 == 0 { "a" } else { "b" }, of(i % 3 == 0), of(i % 5 == 0))
        })
    };
    let asked = ["fairness", "--group-by", "sex", "--target", "y", "--label", "yhat"];
    let named = [&asked[..], &["--positive", "late"]].concat();
    let late = folder.file("late.csv", &rows("late", "on_time"));
    let refused = windvane(&asked, &[&late]);
    assert_eq!(refused.code, 64, "{}", refused.stderr);
    for part in ["column `y` has no value that is plainly positive", "`late`, `on_time`", "--positive"] {
        assert!(refused.stderr.contains(part), "{part} in {}", refused.stderr);
    }
    assert_eq!(document(&named, &[&late])["verdict"], "pass");
    // pandas writes 1.0 where some are missing: it was another value than 1, of CSV files alone.
    let floats = folder.file("floats.csv", &rows("1.0", "0.0"));
    let found = document(&[&asked[..], &["--positive", "1"]].concat(), &[&floats]);
    assert_eq!(
        (&found["verdict"], &found["groups"][0]["labelled"]),
        (&"pass".into(), &1_000.into()),
        "{found}"
    );
    for (yes, no) in [("1", "0"), ("true", "false"), ("Yes", "No"), ("no", "0")] {
        let ran = windvane(&asked, &[&folder.file("plain.csv", &rows(yes, no))]);
        assert_eq!(ran.code, 0, "{yes} and {no}: {}", ran.stderr);
    }
}

// Lists counted as missing, and as no group they were told to be another column of the same name.
#[test]
fn lists_are_no_groups_outcomes_decisions_or_scores() {
    let folder = Folder::new();
    let row = "{\"sex\":\"a\",\"lists\":[1,2],\"y\":1,\"score\":0.5}\n";
    let rows = folder.file("rows.ndjson", &row.repeat(200));
    for (flags, role) in [
        (["--group-by", "lists", "--score", "score"], "a group"),
        (["--group-by", "sex", "--score", "lists"], "the score"),
        (["--group-by", "sex", "--label", "lists"], "the decision"),
    ] {
        let ran = windvane(&[&["fairness", "--target", "y"][..], &flags].concat(), &[&rows]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{}", ran.stderr);
        let said = format!("there is no column `lists` that could be {role}; there are `");
        assert!(ran.stderr.contains(&said), "{said} in {}", ran.stderr);
    }
    let flags = ["fairness", "--group-by", "sex", "--score", "score", "--threshold", "nan"];
    assert_eq!(windvane(&flags, &[&rows]).code, 64, "nobody is selected by no number");
}

#[test]
fn an_outcome_and_a_group_that_are_nan_are_missing() {
    let folder = Folder::new();
    let column = |of: fn(u32) -> f64| -> ArrayRef {
        Arc::new((0..2_000).map(|i| Some(of(i))).collect::<Float64Array>())
    };
    let columns = [
        ("group", column(|i| if i % 10 == 0 { f64::NAN } else { f64::from(i % 2) })),
        ("target", column(|i| if i % 4 == 1 { f64::NAN } else { f64::from(u8::from(i % 3 == 0)) })),
        ("decision", column(|i| f64::from(u8::from(i % 5 == 0)))),
    ];
    let file = folder.parquet("rows.parquet", columns.map(|(name, of)| (name.to_owned(), of)).to_vec());
    let found =
        document(&["fairness", "--group-by", "group", "--target", "target", "--label", "decision"], &[&file]);
    let groups = found["groups"].as_array().unwrap();
    let of = |group: &Value| (group["group"]["group"].clone(), group["n"].clone(), group["labelled"].clone());
    let groups: Vec<(Value, Value, Value)> = groups.iter().map(of).collect();
    assert_eq!(
        groups,
        [
            (json!("1"), json!(1_000), json!(500)),
            (json!("0"), json!(800), json!(800)),
            (json!(null), json!(200), json!(200)),
        ]
    );
}

// Of 25,000 groups the document told 10,000 rows, and the table nothing of those that were left out.
#[test]
fn groups_that_are_left_out_are_counted_and_told() {
    let folder = Folder::new();
    let file = folder.file("groups.csv", &csv("g,d", 0..20_240, |i| format!("g{},{}", i % 10_120, i % 2)));
    let words = ["fairness", "--group-by", "g", "--label", "d"];
    let found = document(&words, &[&file]);
    let counted = (&found["rows"], &found["groups_left_out"]);
    assert_eq!(counted, (&20_240.into(), &10_020.into()));
    let slow = document(&["latency", "--column", "d", "--by", "g"], &[&file]);
    assert_eq!((slow["groups"].as_array().unwrap().len(), &slow["groups_left_out"]), (51, &10_070.into()));
    let table = windvane(&words, &[&file]).stdout;
    assert!(
        table.contains("(20,240 rows)") && table.contains("\n10,020 smaller groups are left out\n"),
        "{table}"
    );
}
