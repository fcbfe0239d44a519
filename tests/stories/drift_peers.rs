//! `windvane drift --compat` beside what Evidently and NannyML themselves said of the same files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::drift::json;

const METHODS: &str = "ks,psi,jensen_shannon,hellinger,kl,wasserstein,wasserstein_normed,cramer_von_mises,\
anderson_darling,mann_whitney,epps_singleton,t_test,chi_square,l_infinity";

/// Our name of a tool's method, and whether the tool reports its p-value.
fn ours(tool: &str, name: &str) -> (&'static str, bool) {
    match (tool, name) {
        ("nannyml", "kolmogorov_smirnov") => ("ks", false),
        ("nannyml", "wasserstein") => ("wasserstein", false),
        ("nannyml", "chi2") => ("chi_square", false),
        ("evidently", "wasserstein") => ("wasserstein_normed", false),
        (_, "l_infinity") => ("l_infinity", false),
        (_, "jensen_shannon" | "jensenshannon") => ("jensen_shannon", false),
        (_, "hellinger") => ("hellinger", false),
        (_, "psi") => ("psi", false),
        (_, "kl_div") => ("kl", false),
        (_, "ks") => ("ks", true),
        (_, "chisquare") => ("chi_square", true),
        (_, "anderson") => ("anderson_darling", true),
        (_, "cramer_von_mises") => ("cramer_von_mises", true),
        (_, "es") => ("epps_singleton", true),
        (_, "mannw") => ("mann_whitney", true),
        (_, "t_test") => ("t_test", true),
        _ => panic!("{tool} has no method {name} here"),
    }
}

// tests/golden/drift_peers.py: samples with missing values, which both tools leave out; distances, p-values and, where the tool
// judges one method alone, its verdict.
#[test]
fn compat_reproduces_what_the_tools_say() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let text = std::fs::read_to_string(folder.join("drift_peers.json")).unwrap();
    let said: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_str(&text).unwrap();
    let files = ["reference", "current"].map(|side| folder.join(format!("drift_peers_{side}.csv")));
    let mut compared = 0;
    for (tool, methods) in &said {
        let document = json(&files[0], &files[1], &["--compat", tool, "--methods", METHODS]);
        for (key, expected) in methods {
            let (column, name) = key.split_once('.').unwrap();
            let (method, is_p) = ours(tool, name);
            let columns = document["columns"].as_array().unwrap();
            let column = columns.iter().find(|found| found["column"] == column).unwrap();
            let methods = column["methods"].as_array().unwrap();
            let method = methods.iter().find(|found| found["method"] == method).unwrap();
            let (score, drifted) = match expected {
                Value::Array(both) => (both[0].as_f64().unwrap(), Some(&both[1])),
                score => (score.as_f64().unwrap(), None),
            };
            let found = method[if is_p { "p_value" } else { "statistic" }].as_f64().unwrap();
            let close = (found - score).abs() <= 1e-9 * score.abs().max(1e-3);
            assert!(close, "{tool} {key}: {found} and not {score}");
            assert!(drifted.is_none_or(|drifted| *drifted == method["drifted"]), "{tool} {key}: {method}");
            compared += 1;
        }
    }
    assert_eq!(compared, 16 + 32, "every method of both tools");
}
