//! Which answer a verdict is made of: sequences, planned looks, posteriors, one side, guardrails; against SciPy.

use std::process::Command;

use serde_json::{Value, json};

use super::{Folder, Ran, agrees, comparison, experiment};

/// Digits that roots of integrals in doubles share.
const ROOTS: f64 = 2e-8;

/// Arms `a` and `b` of a mean with these units, means and variances.
fn mean(control: [f64; 3], arm: [f64; 3]) -> Value {
    let of = |name: &str, [n, mean, variance]: [f64; 3]| json!({"arm": name, "n": n, "sum": n * mean, "sum_sq": n * mean * mean + (n - 1.0) * variance});
    json!({"metric": "m", "type": "mean", "arms": [of("a", control), of("b", arm)]})
}

fn judged(metric: &Value, options: &[&str]) -> Value {
    let ran = Folder::new().summary(&json!([metric]), options);
    comparison(&ran.document(), "m", "b").clone()
}

fn said(comparison: &Value) -> String {
    comparison["ledger"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line.as_str().unwrap())
        .collect::<Vec<_>>()
        .join("\n")
}

// tests/golden/experiment_inference.py: roots of the sequence's width, integrals over earlier looks, SciPy's exact tests.
#[test]
fn every_inference_agrees_with_scipy() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/experiment_inference.json");
    let cases: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        let name = case["name"].as_str().unwrap();
        let options: Vec<&str> =
            case["options"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
        let document = Folder::new().summary(&case["metrics"], &options).document();
        agrees(&document["comparisons"][0], &case["expected"], ROOTS, name);
    }
}

// Equal means of 10 with the error .0141 of the change: the posterior has less than .001 beyond 5 % on either side.
#[test]
fn a_posterior_within_the_margin_is_told_as_one() {
    let metric = mean([1000.0, 10.0, 10.0], [1000.0, 10.0, 10.0]);
    for (inference, told) in
        [("bayesian", "by the posterior, of which at most"), ("fixed", "by two one-sided tests")]
    {
        let found = judged(&metric, &["--inference", inference, "--margin", "0.05"]);
        assert_eq!(found["verdict"], "equivalent", "{found}");
        assert!(said(&found).contains(&format!("equivalent: {told}")), "{}", said(&found));
    }
}

// 0.05 at one look would be found (z 2.2); a sequence and an early look by O'Brien-Fleming ask for more.
#[test]
fn a_verdict_that_one_look_gives_is_not_given_by_the_first_of_many() {
    let metric = mean([1000.0, 10.0, 100.0], [1000.0, 10.984, 100.0]);
    let fixed = judged(&metric, &[]);
    assert_eq!((&fixed["verdict"], &fixed["decision"]["inference"]), (&"better".into(), &"fixed".into()));
    assert_eq!(fixed["decision"]["p_value"], fixed["p_value"]);
    for (options, line) in [
        (
            &["--inference", "sequential"][..],
            "decided: by the always-valid p-value of the absolute difference",
        ),
        (
            &["--inference", "group_sequential", "--planned-units", "10000", "--looks", "5"],
            "decided: at look 1 of a plan by obrien_fleming at the fractions 0.2000",
        ),
    ] {
        let found = judged(&metric, options);
        assert_eq!(found["verdict"], "inconclusive", "{found}");
        assert!(found["decision"]["p_adjusted"].as_f64() > Some(0.05), "{found}");
        assert_eq!((&found["p_value"], &found["absolute"]), (&fixed["p_value"], &fixed["absolute"]));
        assert!(said(&found).contains(line), "{found}");
    }
    // The last of five looks spends what is left: 2.0310 standard errors by the table of Lan and DeMets.
    let end = ["--inference", "group_sequential", "--information-fraction", "0.2,0.4,0.6,0.8,1"];
    let found = judged(&metric, &end);
    assert!((found["group_sequential"]["boundary"].as_f64().unwrap() - 2.0310).abs() < 1.5e-4, "{found}");
    assert_eq!(found["verdict"], "better");
}

// 300 of 1000 against 0 of 1000: the relative difference is -1 with an error of 0, the absolute one has 20 errors.
#[test]
fn an_arm_of_zeros_is_judged_by_the_absolute_difference() {
    let metric = json!({"metric": "m", "type": "proportion", "arms": [
        {"arm": "a", "n": 1000, "sum": 300}, {"arm": "b", "n": 1000, "sum": 0}]});
    let found = judged(&metric, &["--inference", "sequential"]);
    assert_eq!(
        (&found["sequential"]["p_value"], &found["decision"]["scale"]),
        (&Value::Null, &"absolute".into())
    );
    assert_eq!(found["verdict"], "worse", "{found}");
    assert!(said(&found).contains("always-valid p-value of the absolute difference"), "{found}");
}

// Shares of 1.4 and 0.5 % of 1,000 units: Fisher's exact p by SciPy is 0.062. The absolute difference is 2.07 errors from 0 (the pooled z), the
// relative one 3.47 of its own, which are small because the arm has few; a sequence over 2,000 units tuned to 5,000 is 3.13 errors wide.
#[test]
fn few_successes_do_not_make_an_arm_look_sure() {
    let share = |control: u32, arm: u32| {
        json!({"metric": "m", "type": "proportion", "better": "lower", "arms": [
            {"arm": "a", "n": 1000, "sum": control}, {"arm": "b", "n": 1000, "sum": arm}]})
    };
    let sequential = ["--inference", "sequential", "--guardrail", "m"];
    let found = judged(&share(14, 5), &sequential);
    assert!(found["sequential"]["p_value"].as_f64() < Some(0.05), "{found}");
    assert!(found["decision"]["p_value"].as_f64() > Some(0.05), "{found}");
    assert_eq!(
        (&found["verdict"], &found["guardrail"]["verdict"]),
        (&"inconclusive".into(), &"undecided".into()),
        "{found}"
    );
    assert!(said(&found).contains("the interval of the change is clear of 0"), "{found}");
    // The other way round the relative difference would have seen too little: 5.0 % of 1,000 against 1.5 % are 4.41 errors apart.
    let broken = judged(&share(15, 50), &sequential);
    assert_eq!((&broken["verdict"], &broken["guardrail"]["verdict"]), (&"worse".into(), &"broken".into()));
    // Beside a control without a single one a margin is nothing.
    for inference in [&["--inference", "fixed"][..], &["--inference", "sequential"]] {
        let options = [inference, &["--guardrail", "m", "--margin", "0.1"]].concat();
        assert_eq!(judged(&share(0, 30), &options)["guardrail"]["verdict"], "broken");
    }
}

// 200 rows an arm, those of B 60 of 200 higher: with one row a unit the counts of rows decide, with two rows units do.
#[test]
fn a_quantile_is_looked_at_any_time_by_rows_where_units_have_one() {
    let folder = Folder::new();
    let rows = |a_unit: u32| {
        let text = (0..400_u32).fold("unit,arm,value\n".to_owned(), |text, i| {
            let (of_b, value) = (i % 2, i / 2 * 7 % 200);
            // Rows of a unit are of one arm.
            let unit = i / 2 / a_unit * 2 + of_b;
            text + &format!("u{unit},{},{}\n", ["A", "B"][of_b as usize], 100 + value + 60 * of_b)
        });
        folder.file(&format!("{a_unit}.csv"), &text)
    };
    let found = |a_unit: u32| {
        let options = ["--metric", "value:quantile(0.5)", "--inference", "sequential", "--format", "json"];
        let document = super::over(&rows(a_unit), &options).document();
        comparison(&document, "value", "B").clone()
    };
    let (one, two) = (found(1), found(2));
    assert_eq!((&one["verdict"], &one["sequential"]["method"]), (&"better".into(), &"quantile_ranks".into()));
    assert_eq!(one["decision"]["p_value"], one["sequential"]["p_value"]);
    assert!(one["decision"]["ci"][0].as_f64() < Some(60.0) && one["decision"]["ci"][1].as_f64() > Some(60.0));
    assert!(said(&one).contains("exact however few there are"), "{one}");
    assert_eq!((&two["sequential"]["method"], &two["decision"]["scale"]), (&Value::Null, &"absolute".into()));
    assert!(said(&two).contains("counts of rows would need one row a unit"), "{two}");
}

#[test]
fn one_side_finds_nothing_on_the_other_and_leaves_its_end_open() {
    let metric = mean([1000.0, 10.0, 100.0], [1000.0, 12.0, 100.0]);
    for inference in [
        &["--inference", "fixed"][..],
        &["--inference", "sequential"],
        &["--inference", "group_sequential", "--information-fraction", "0.5"],
        &["--inference", "bayesian"],
    ] {
        let with = |side| judged(&metric, &[inference, &["--alternative", side]].concat());
        let (greater, less) = (with("greater"), with("less"));
        assert_eq!((&greater["verdict"], &less["verdict"]), (&"better".into(), &"inconclusive".into()));
        assert!(
            greater["decision"]["ci"][0].is_number() && greater["decision"]["ci"][1].is_null(),
            "{greater}"
        );
        assert!(less["decision"]["ci"][0].is_null() && less["decision"]["ci"][1].is_number(), "{less}");
        assert!(said(&less).contains("one-sided: only an arm below the control"), "{less}");
    }
    let mut lower = metric;
    lower["better"] = "lower".into();
    assert_eq!(judged(&lower, &["--alternative", "greater"])["verdict"], "worse");
}

#[test]
fn a_posterior_is_held_against_the_region_that_does_not_matter_and_against_its_cost() {
    let bayesian =
        |metric: &Value, more: &[&str]| judged(metric, &[&["--inference", "bayesian"], more].concat());
    // The relative difference is 0.002 with an error of 0.0014.
    let tiny = mean([100_000.0, 10.0, 10.0], [100_000.0, 10.02, 10.0]);
    assert_eq!(bayesian(&tiny, &["--rope", "-0.01,0.01"])["verdict"], "equivalent");
    assert_eq!(bayesian(&tiny, &["--rope", "-0.01,0.003"])["verdict"], "inconclusive");
    assert_eq!(bayesian(&tiny, &[])["verdict"], "inconclusive");
    // 0.1 with an error of 0.02 or so: clear of the small region, not of the large one.
    let clear = mean([1000.0, 10.0, 20.0], [1000.0, 11.0, 20.0]);
    assert_eq!(bayesian(&clear, &["--rope", "-0.01,0.01"])["verdict"], "better");
    assert_eq!(bayesian(&clear, &["--rope", "-0.2,0.2"])["verdict"], "equivalent");
    // A prior that is sure of nothing pulls it back.
    assert_eq!(bayesian(&clear, &["--prior", "normal(0,0.005)"])["verdict"], "inconclusive");
    let near = mean([1000.0, 10.0, 20.0], [1000.0, 10.42, 20.0]);
    let loss = bayesian(&near, &[])["bayesian"]["expected_loss"].as_f64().unwrap();
    assert_eq!(bayesian(&near, &["--loss-max", &(loss * 1.01).to_string()])["verdict"], "better");
    assert_eq!(bayesian(&near, &["--loss-max", &(loss * 0.99).to_string()])["verdict"], "inconclusive");
}

// P(better) of 1 of 18 against 6 of 15 under beta(1, 2) is 0.98930 (see the golden file): above 1 - alpha/2 at 5 %, not at 1 %.
#[test]
fn a_beta_prior_decides_on_shares() {
    let metric = json!({"metric": "m", "type": "proportion", "arms": [
        {"arm": "a", "n": 18, "sum": 1}, {"arm": "b", "n": 15, "sum": 6}]});
    let with =
        |alpha| judged(&metric, &["--inference", "bayesian", "--prior", "beta(1,2)", "--alpha", alpha]);
    assert_eq!(
        (&with("0.05")["verdict"], &with("0.01")["verdict"]),
        (&"better".into(), &"inconclusive".into())
    );
    let found = with("0.05");
    assert!(said(&found).contains("of both shares with the prior beta(1, 2)"));
    // The number that decides is that of this posterior (stats/src/experiment/beta_relative.rs), not of the normal one beside it.
    for (at, end) in [0.231_695_816, 31.492_165_1].into_iter().enumerate() {
        let [decides, told] = [&found["decision"]["ci"][at], &found["beta_binomial"]["ci"][at]];
        assert!((decides.as_f64().unwrap() / end - 1.0).abs() < 1e-8 && decides == told, "{found}");
    }
    let one_sided = judged(
        &metric,
        &["--inference", "bayesian", "--prior", "beta(1,2)", "--alternative", "greater", "--alpha", "0.025"],
    );
    assert_eq!(
        (&one_sided["decision"]["ci"][0], &one_sided["decision"]["ci"][1]),
        (&found["decision"]["ci"][0], &Value::Null)
    );
}

// Of shares of .5 and .502 of 100,000 units the posterior's interval is -.47 to 1.28 per cent by SciPy.
#[test]
fn a_beta_prior_knows_a_region_that_does_not_matter() {
    let metric = json!({"metric": "m", "type": "proportion", "arms": [
        {"arm": "a", "n": 100_000, "sum": 50_000}, {"arm": "b", "n": 100_000, "sum": 50_200}]});
    let within =
        |region| judged(&metric, &["--inference", "bayesian", "--prior", "beta(1,1)", "--rope", region]);
    let found = within("-0.013,0.013");
    assert_eq!(found["verdict"], "equivalent", "{found}");
    assert!(found["beta_binomial"]["probability_in_rope"].as_f64() > Some(0.95), "{found}");
    assert_eq!(within("-0.013,0.012")["verdict"], "inconclusive");
}

#[test]
fn a_guardrail_holds_only_where_that_is_shown() {
    let run = |metric: &Value, more: &[&str]| {
        let options = ["--guardrail", "m", "--margin", "0.02", "--fail-on", "guardrail"];
        Folder::new().summary(&json!([metric]), &[&options, more].concat())
    };
    let check = |ran: &Ran, verdict: &str, code: i32| {
        let document = ran.document();
        assert_eq!((&document["comparisons"][0]["guardrail"]["verdict"], ran.code), (&verdict.into(), code));
    };
    // Errors of the relative difference: 0.0063, 0.063.
    let equal = mean([10_000.0, 10.0, 20.0], [10_000.0, 10.0, 20.0]);
    let few = mean([100.0, 10.0, 20.0], [100.0, 10.0, 20.0]);
    let slower = mean([10_000.0, 10.0, 20.0], [10_000.0, 9.0, 20.0]);
    let dropped = mean([10_000.0, 10.0, 20.0], [12_000.0, 10.0, 20.0]);
    for inference in [
        &["--inference", "fixed"][..],
        &["--inference", "bayesian"],
        &["--inference", "group_sequential", "--information-fraction", "1"],
    ] {
        check(&run(&equal, inference), "held", 0);
        check(&run(&few, inference), "undecided", 2);
        check(&run(&slower, inference), "broken", 1);
        // Arms without their share of units hold nothing.
        check(&run(&dropped, inference), "undecided", 2);
    }
    check(&run(&slower, &["--inference", "sequential"]), "broken", 1);
    check(&run(&few, &["--inference", "sequential"]), "undecided", 2);
    let folder = Folder::new();
    let sums =
        json!({"schema": "windvane.experiment_summary/1", "control": "a", "metrics": [slower]}).to_string();
    let sums = folder.file("slower.json", &sums);
    let table = experiment(&["--summary", sums.to_str().unwrap(), "--guardrail", "m"]);
    assert!(table.stdout.starts_with("guardrail broken: b on m"), "{}", table.stdout);
}

#[test]
fn options_that_contradict_each_other_are_64_and_say_what_is_accepted() {
    let metric = mean([100.0, 10.0, 20.0], [100.0, 10.0, 20.0]);
    let folder = Folder::new();
    let csv = folder.file("rows.csv", "unit,arm,m\n1,A,1\n2,B,2\n");
    for (options, part) in [
        (&["--looks", "5"][..], "--inference group_sequential only"),
        (&["--sequential-method", "msprt(0)"], "as in msprt(0.05)"),
        (&["--spending", "power(2)"], "--inference group_sequential only"),
        (&["--inference", "sequential", "--planned-units", "9"], "--inference group_sequential only"),
        (&["--inference", "group_sequential"], "--planned-units UNITS or --information-fraction F"),
        (&["--inference", "group_sequential", "--planned-units", "0"], "1 or more"),
        (&["--inference", "group_sequential", "--planned-units", "9", "--looks", "0"], "1 to 100"),
        (&["--inference", "group_sequential", "--information-fraction", "0.5,0.2"], "ascending"),
        (
            &["--inference", "group_sequential", "--information-fraction", "0.2,0.5", "--looks", "3"],
            "give one of them",
        ),
        (
            &["--inference", "group_sequential", "--information-fraction", "0.5", "--spending", "all"],
            "obrien_fleming",
        ),
        (&["--inference", "bayes"], "bayesian"),
        (&["--loss-max", "0.1"], "--inference bayesian only"),
        (&["--inference", "bayesian", "--loss-max", "0"], "above 0"),
        (&["--prior", "normal(0,-1)"], "normal(0,0.3)"),
        (&["--rope", "0.1"], "-0.01,0.01"),
        (&["--alternative", "greater", "--alpha", "0.5"], "below 0.5"),
        (&["--primary", "m", "--guardrail", "m"], "one of them"),
        (&["--guardrail", "x"], "there are m"),
        (&["--primary-share", "0.5"], "preferential_bonferroni only"),
        (&["--correction", "preferential_bonferroni", "--primary-share", "1"], "below 1"),
    ] {
        let ran = folder.summary(&json!([metric]), options);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{options:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{options:?}: {part} is not in: {}", ran.stderr);
    }
    for (options, part) in [
        (&["--prior", "beta(1,1)"][..], "no metric is a proportion"),
        (&["--correction", "preferential_bonferroni"], "--primary NAME"),
    ] {
        let ran = super::over(&csv, &[&["--metric", "m:mean"], options].concat());
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{options:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(part), "{options:?}: {part} is not in: {}", ran.stderr);
    }
    // An experiment of the configuration has all of this there; an option that says what is the default anyway is no exception.
    for (option, value) in [
        ("--alpha", "0.05"),
        ("--sequential-method", "asymptotic"),
        ("--inference", "fixed"),
        ("--correction", "holm"),
        ("--margin", "0.1"),
        ("--cap", "p99"),
    ] {
        let ran = experiment(&["checkout", option, value]);
        assert_eq!((ran.code, ran.stdout.as_str()), (64, ""), "{option}: {}", ran.stderr);
        assert!(ran.stderr.contains("[experiments.NAME]"), "{option}: {}", ran.stderr);
    }
}

#[test]
fn the_configuration_names_the_inference_of_stored_experiments() {
    let folder = Folder::new();
    let check = |keys: &str| {
        let text = format!("[experiments.e]\ncontrol = \"A\"\n{keys}\n[experiments.e.metrics.revenue]\n");
        let path = folder.file("windvane.toml", &text);
        let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
        let output = command.args(["check-config", "--config"]).arg(path).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for keys in [
        "inference = \"sequential\"\nalternative = \"less\"",
        "inference = \"sequential\"\nsequential_method = \"msprt(0.05)\"",
        "inference = \"group_sequential\"\nplanned_units = 1000\nlooks = 4\nspending = \"power(2)\"",
        "inference = \"group_sequential\"\nplanned_units = 1000\nevery = \"1d\"",
        "inference = \"bayesian\"\nprior = \"normal(0,0.3)\"\nrope = \"-0.01,0.01\"\nloss_max = 0.01",
        "correction = \"preferential_bonferroni\"\nprimary_share = 0.8",
        "segment_by = [\"region\"]\nstratify = \"region\"",
        "[experiments.e.metrics.cost]\ncap = \"p99\"\nfloor = \"p1\"",
        "[experiments.e.metrics.cost]\ntype = \"quantile\"\nquantile = 0.9\nsource = \"predictions\"\nmodel = \"shop\"\ncolumn = \"latency_us\"",
        "[experiments.e.metrics.cost]\ntype = \"ratio\"\ndenominator = \"orders\"",
        "exposures = \"predictions\"\nsegment_by = [\"region\", \"version\"]\nsegment_units_min = 50",
    ] {
        assert_eq!(check(keys), (0, String::new()), "{keys}");
    }
    for (keys, part) in [
        ("inference = \"group_sequential\"", "planned_units"),
        (
            "inference = \"group_sequential\"\nplanned_units = 9\nspending = \"all\"",
            "obrien_fleming, pocock or power(RHO)",
        ),
        ("prior = \"normal(0)\"", "normal(0,0.3)"),
        ("inference = \"bayes\"", "bayesian"),
        ("sequential_method = \"msprt\"", "msprt(0.05)"),
        ("[experiments.e.metrics.cost]\nfloor = \"p60\"", "p0.1"),
        ("[experiments.e.metrics.cost]\ncap = \"1\"\nfloor = \"2\"", "above the cap"),
        ("[experiments.e.metrics.cost]\nquantile = 0.9", "goes with type = \"quantile\" only"),
        ("[experiments.e.metrics.cost]\ndenominator = \"orders\"", "goes with type = \"ratio\" only"),
        ("[experiments.e.metrics.cost]\ntype = \"ratio\"\ncap = \"p99\"", "goes with type = \"mean\" only"),
        (
            "[experiments.e.metrics.cost]\ntype = \"proportion\"\nfloor = \"0\"",
            "goes with type = \"mean\" only",
        ),
        (
            "[experiments.e.metrics.cost]\nmodel = \"shop\"",
            "source = \"predictions\" or source = \"outcomes\"",
        ),
        ("looks = 4", "goes with inference = \"group_sequential\" only"),
        ("inference = \"sequential\"\nloss_max = 0.01", "goes with inference = \"bayesian\" only"),
        ("alternative = \"less\"\nalpha = 0.5", "below 0.5"),
        ("primary_share = 0.5", "preferential_bonferroni"),
        ("exposures = \"predictions\"\nstratify = \"version\"", "what the arm chose"),
        ("covariate_window = \"7d\"\nstratify = \"region\"", "give one of them"),
    ] {
        let (code, stderr) = check(keys);
        assert!(code == 78 && stderr.contains(part), "{keys}: {code} {stderr}");
    }
}
