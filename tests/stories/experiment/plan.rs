//! `windvane experiment plan` and `aa`: sizes and power before an experiment, and splits that mean nothing.

use std::fmt::Write as _;

use serde_json::Value;

use super::{Folder, experiment, near, rows::rows};

#[test]
fn units_that_are_dealt_out_at_random_differ_about_as_often_as_alpha_says() {
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &rows());
    let words = ["aa", csv.to_str().unwrap(), "--unit", "unit", "--splits", "256", "--json"];
    for metric in ["value:mean", "value:ratio(value)"] {
        let ran = experiment(&[&words[..], &["--metric", metric]].concat());
        let document = ran.document();
        assert_eq!(document["schema"], "windvane.experiment_aa/1");
        assert_eq!(ran.stdout, experiment(&[&words[..], &["--metric", metric]].concat()).stdout);
        if metric == "value:mean" {
            assert_eq!((&document["units"], &document["splits"]), (&200.0.into(), &256.into()));
            assert_eq!(document["alpha_within"], true, "{document}");
        } else {
            // A ratio of a column to itself has no spread, so no split has a p-value.
            assert_eq!((&document["splits"], &document["false_positive_rate"]), (&0.into(), &Value::Null));
        }
    }
    let unknown = experiment(&["aa", csv.to_str().unwrap(), "--unit", "usr", "--metric", "value:mean"]);
    assert_eq!((unknown.code, unknown.stdout.as_str()), (65, ""), "{}", unknown.stderr);
}

// Thousands with a comma were left out: 90 units were dealt out in place of 100.
#[test]
fn random_splits_are_of_numbers_alone() {
    let folder = Folder::new();
    let value = |i: u32| if i.is_multiple_of(10) { format!("\"1,{}\"", 200 + i) } else { i.to_string() };
    let units: String = (0..100).map(|i| format!("u{i},{}\n", value(i))).collect();
    let csv = folder.file("rows.csv", &format!("unit,value\n{units}"));
    for metric in ["value:mean", "value:quantile(0.5)"] {
        let ran = experiment(&["aa", csv.to_str().unwrap(), "--unit", "unit", "--metric", metric]);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{metric}: {}", ran.stderr);
        let told = "column `value` has 10 values that are no numbers, such as `1,200`";
        assert!(ran.stderr.contains(told), "{metric}: {}", ran.stderr);
    }
}

// Sums of -1 and 1 were taken for counts of successes, and two thirds of the splits differed. Two rows of 1 make 2.
#[test]
fn random_splits_of_a_proportion_take_0_and_1_alone() {
    let folder = Folder::new();
    let found = |first: &str| {
        let units: String = (0..99).map(|i| format!("u{i},{}\n", i % 2)).collect();
        let csv = folder.file("rows.csv", &format!("unit,value\n{first}{units}"));
        experiment(&["aa", csv.to_str().unwrap(), "--unit", "unit", "--metric", "value:proportion"])
    };
    assert_eq!(found("").code, 0);
    for (first, told) in [("x,-1\ny,0.5\n", "2 units have"), ("u1,1\n", "1 unit has")] {
        let ran = found(first);
        assert_eq!((ran.code, ran.stdout.as_str()), (65, ""), "{first}: {}", ran.stderr);
        assert!(
            ran.stderr.contains(&format!("`value` is a proportion, but {told} another value than 0 or 1")),
            "{}",
            ran.stderr
        );
    }
}

// A unit with a million beside values of 0 to 14: each split has it on one side, one standard error away, and none differs. Ten units have 14, so
// that the 99th percentile is 14 too.
#[test]
fn random_splits_are_of_values_within_the_limits_of_the_metric() {
    let folder = Folder::new();
    let found = |first: &str, more: &[&str]| {
        let csv = folder.file("limits.csv", &rows().replacen("u0,A,0,x", &format!("u0,A,{first},x"), 1));
        let words = ["aa", csv.to_str().unwrap(), "--unit", "unit", "--metric", "value:mean", "--json"];
        experiment(&[&words[..], more].concat()).document()["false_positives"].clone()
    };
    let cut = found("14", &[]);
    assert!(cut.as_u64() > Some(0), "{cut}");
    assert_eq!(found("1000000", &[]), 0);
    for limits in [&["--cap", "14"][..], &["--cap", "p99"], &["--cap", "p99", "--floor", "0"]] {
        assert_eq!(found("1000000", limits), cut, "{limits:?}");
    }
    assert_eq!(found("-1000000", &["--floor", "p1"]), found("0", &[]));
    let csv = folder.file("rows.csv", &rows());
    let words = ["aa", csv.to_str().unwrap(), "--unit", "unit", "--metric", "value:ratio(value)", "--cap"];
    for wrong in [&["9"][..], &["p20"]] {
        assert_eq!(experiment(&[&words[..], wrong].concat()).code, 64, "{wrong:?}");
    }
}

// Four rows of each of 300 units that are nearly alike: a test that took rows for independent would differ in a third of the splits.
#[test]
fn random_splits_of_a_quantile_differ_about_as_often_as_alpha_says() {
    let text = (0..1200_u32).fold("unit,value\n".to_owned(), |mut text, i| {
        writeln!(text, "u{},{}", i % 300, i % 300 * 7919 % 1009 + 10 * (i / 300)).unwrap();
        text
    });
    let folder = Folder::new();
    let csv = folder.file("rows.csv", &text);
    let metric = ["--unit", "unit", "--metric", "value:quantile(0.9)", "--splits", "256", "--json"];
    let document = experiment(&[&["aa", csv.to_str().unwrap()][..], &metric].concat()).document();
    assert_eq!(
        (&document["units"], &document["splits"], &document["type"]),
        (&300.0.into(), &256.into(), &"quantile".into())
    );
    let rate = document["false_positive_rate"].as_f64().unwrap();
    assert!((0.015..0.1).contains(&rate), "{document}");
}

// Exponential with mean 100: the median is 100 ln 2, where the density is .005, so a unit's variance is .25/.005².
#[test]
fn a_quantile_is_planned_by_its_density() {
    let words = ["plan", "--quantile", "0.5", "--value", "69.3147", "--density", "0.005", "--effect", "0.05"];
    let document = experiment(&[&words[..], &["--json"]].concat()).document();
    near(&document["variance"], 10_000.0, 1e-12);
    // The difference of two arms of n units has the variance 2v/n: n = 2v·(1.959964 + 0.841621)²/(0.05·m)².
    let arm = 7.848_88 / 0.0025 * 2.0 * 10_000.0 / (69.3147 * 69.3147);
    near(&(document["units_needed"].as_f64().unwrap() / (2.0 * arm)).into(), 1.0, 1e-3);
    assert!(experiment(&words).stdout.contains("0.5 quantile 69.31"), "{document}");
    for wrong in [
        &["--quantile", "0.5", "--density", "0"][..],
        &["--quantile", "1", "--density", "1"],
        &["--quantile", "0.5"],
    ] {
        let asked = [&["plan", "--value", "5", "--effect", "0.1"][..], wrong].concat();
        assert_eq!(experiment(&asked).code, 64, "{asked:?}");
    }
}

// The figures of GrowthBook's power.test.ts, mean 10, variance 3909.99977, lift 5 %, 400,000 units over 3 arms. Its power of 0.52144 is that
// of the relative difference, which `stats` has; the verdict is one of the absolute difference. Oracle: statsmodels 0.14
// `NormalIndPower().power(.5 / 3909.99977**.5, 400000 / 3, .05)`, and by hand (1.959964 + 0.841621)·√(2·3909.99977·3/400000)/10.
#[test]
fn a_plan_agrees_with_the_power_of_the_absolute_difference() {
    let sd = 3909.99977_f64.sqrt().to_string();
    let words = [
        "plan", "--mean", "10", "--sd", &sd, "--units", "400000", "--arms", "3", "--effect", "0.05", "--json",
    ];
    let document = experiment(&words).document();
    near(&document["power_with_units"], 0.541_696_384_743, 1e-6);
    near(&document["minimum_detectable_effect"], 0.067_848_04, 1e-6);
    let more =
        experiment(&["plan", "--share", "0.1", "--effect", "0.1", "--units-per-day", "1000", "--json"]);
    let document = more.document();
    let days = document["units_needed"].as_f64().unwrap() / 1000.0;
    assert_eq!(document["days"].as_f64(), Some(days.ceil()));
    for wrong in [&["plan"][..], &["plan", "--share", "1.5", "--effect", "0.1"], &["plan", "--share", "0.1"]]
    {
        assert_eq!(experiment(wrong).code, 64, "{wrong:?}");
    }
}

#[test]
fn a_plan_knows_one_side_a_margin_and_planned_looks() {
    let units = |more: &[&str]| {
        let asked = [&["plan", "--mean", "10", "--sd", "10", "--json"][..], more].concat();
        let document = experiment(&asked).document();
        document["units_needed"].as_f64().unwrap_or_else(|| panic!("{more:?}: {document}"))
    };
    let fixed = units(&["--effect", "0.1"]);
    let greater = ["--alternative", "greater", "--alpha", "0.025"];
    // The other side of a two-sided test adds less than a millionth to the power.
    near(&(units(&[&greater[..], &["--effect", "0.1"]].concat()) / fixed).into(), 1.0, 1e-3);
    // A tenth above nine tenths of the control, whose difference has the variance 1 + 0.9² where that of a tenth of the control has 1 + 1.
    let margin = units(&[&greater[..], &["--effect", "0", "--margin", "0.1"]].concat());
    near(&(margin / fixed).into(), 1.81 / 2.0, 2e-3);
    // A tenth above eight tenths, 1 + 0.8².
    let less = units(&[&greater[..], &["--effect", "-0.1", "--margin", "0.2"]].concat());
    near(&(less / fixed).into(), 1.64 / 2.0, 2e-3);
    // Five looks by O'Brien and Fleming's spending have the boundaries 4.877, 3.357, 2.680, 2.290 and 2.031; Simpson's rule over them
    // has a power of .8 at a drift of 2.8360 in place of 2.8016, whose squares' ratio is the factor.
    near(&(units(&["--effect", "0.1", "--looks", "5"]) / fixed).into(), 1.0247, 2e-3);
    let margin = ["--effect", "0", "--margin", "0.02", "--alternative", "greater", "--units", "50000"];
    let told = experiment(&[&["plan", "--mean", "10", "--sd", "10"][..], &margin].concat()).stdout;
    assert!(
        told.starts_with(
            "an arm like the control is shown to be worse by no more than 2 % with a chance of 80 % by 60,603 units over 2 arms"
        ) && told.contains("50000 units show it with a chance of 73.03 %"),
        "{told}"
    );
    for wrong in [&["--margin", "0.1"][..], &["--looks", "1"], &["--looks", "5", "--sequential"]] {
        let asked = [&["plan", "--share", "0.1", "--effect", "0.1"][..], wrong].concat();
        assert_eq!(experiment(&asked).code, 64, "{wrong:?}");
    }
}
