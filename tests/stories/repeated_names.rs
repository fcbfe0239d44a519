//! A name that is given twice is one column, method, group or metric: what is printed is the same, and no family of p-values grows.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};

fn windvane(folder: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windvane"));
    command.current_dir(folder).args(["--log", "error"]).args(words).output().unwrap()
}

/// 400 rows with numbers, a category, a score and its outcome, attributions, latencies and two arms.
fn rows(shift: u32) -> String {
    let mut text = "unit,arm,x,region,score,y,attribution.a,attribution.b,latency_us,ts\n".to_owned();
    for i in 0..400_u32 {
        let (arm, region) = (["a", "b"][(i % 2) as usize], ["north", "south"][(i % 3 % 2) as usize]);
        let (score, y) = (f64::from(i * 7 % 20) / 20.0, u32::from(i * 7 % 20 > i * 11 % 20));
        writeln!(
            text,
            "{i},{arm},{},{region},{score},{y},{},{},{},2013-01-01T0{}:00:00Z",
            i % 37 + shift * (1 + i % 2),
            i % 13,
            i % 11,
            100 + i % 50 + shift,
            i / 50
        )
        .unwrap();
    }
    text
}

#[test]
fn a_name_that_is_given_twice_counts_once() {
    let folder = tempfile::tempdir().unwrap();
    for (name, shift) in [("before.csv", 0), ("now.csv", 3)] {
        std::fs::write(folder.path().join(name), rows(shift)).unwrap();
    }
    let two = ["before.csv", "now.csv"];
    let experiment = ["experiment", "now.csv", "--unit", "unit", "--arm", "arm", "--control", "a"];
    let of = |command: &'static str| [&[command][..], &two].concat();
    let binary = |command: &'static str| {
        [&of(command)[..], &["--task", "binary", "--target", "y", "--score", "score"]].concat()
    };
    let cases: [(Vec<&str>, &[&str], &[&str]); 11] = [
        (of("drift"), &["--columns", "x"], &["--columns", "x,x"]),
        (of("drift"), &["--methods", "ks,psi"], &["--methods", "ks,psi,ks"]),
        (of("drift"), &["--segment-by", "region"], &["--segment-by", "region,region"]),
        (of("quality"), &["--columns", "x"], &["--columns", "x,x"]),
        (
            of("attribution"),
            &["--columns", "attribution.b,attribution.a"],
            &["--columns", "attribution.b,attribution.a,attribution.b"],
        ),
        (
            of("latency"),
            &["--by", "region", "--quantiles", "0.5", "--slo", "99%:120us"],
            &["--by", "region,region", "--quantiles", "0.5,0.5", "--slo", "99%:120us", "--slo", "99%:120us"],
        ),
        (binary("performance"), &["--segment-by", "region"], &["--segment-by", "region,region"]),
        (
            vec!["fairness", "now.csv", "--target", "y", "--score", "score"],
            &["--group-by", "region"],
            &["--group-by", "region,region"],
        ),
        (
            vec!["detect", "now.csv", "--column", "y"],
            &["--detector", "adwin,ddm"],
            &["--detector", "adwin,ddm,adwin"],
        ),
        (
            experiment.to_vec(),
            &["--metric", "x:mean", "--metric", "x:quantile(0.5)"],
            &["--metric", "x:mean", "--metric", "x:quantile(0.5)", "--metric", "x:mean"],
        ),
        (
            experiment.to_vec(),
            &["--metric", "x:mean", "--segment-by", "region"],
            &["--metric", "x:mean", "--segment-by", "region,region,region,region"],
        ),
    ];
    for (command, once, twice) in cases {
        let printed = [once, twice]
            .map(|more| windvane(folder.path(), &[&command[..], more, &["--format", "json"]].concat()));
        for output in &printed {
            assert_eq!(output.status.code(), Some(0), "{command:?} {twice:?}: {output:?}");
        }
        let [once, twice_said] = printed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        assert!(once == twice_said, "{command:?} {twice:?} is not\n{once}but\n{twice_said}");
    }

    let contradicted = [&experiment[..], &["--metric", "x:mean", "--metric", "x:mean:lower"]].concat();
    let refused = windvane(folder.path(), &contradicted);
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(refused.status.code() == Some(64) && said.contains("give it once"), "{refused:?}");
}
