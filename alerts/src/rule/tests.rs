//! What a rule says of windows.

use super::*;
use crate::machine::NoData;

fn rule(condition: Condition, windows: Windows) -> Rule {
    Rule {
        name: "FeatureDrift".to_owned(),
        source: Source::Stored {
            kind: windvane_store::alerts::sources::kind("drift").unwrap(),
            measure: "drifted",
        },
        select: Vec::new(),
        condition,
        windows,
        timing: Timing { for_us: 0, keep_firing_for_us: 0, no_data: NoData::Keep },
        evidence_min: 100.0,
        every: Duration::ZERO,
        severity: Severity::Warning,
        labels: BTreeMap::new(),
        annotations: BTreeMap::new(),
    }
}

fn window(value: Option<f64>, evidence: f64) -> Observation {
    Observation { value, evidence, ..serde_json::from_str(QUERY_SAMPLE).unwrap() }
}

#[test]
fn entering_and_leaving_have_thresholds_of_their_own() {
    let above = rule(Condition { side: Side::Above, enter: 0.2, leave: 0.1 }, Windows { wrong: 1, of: 1 });
    let below = rule(Condition { side: Side::Below, enter: 0.5, leave: 0.8 }, Windows { wrong: 1, of: 1 });
    for (rule, value, seen) in [
        (&above, 0.21, Seen::Entered),
        (&above, 0.2, Seen::Remains),
        (&above, 0.1, Seen::Left),
        (&below, 0.49, Seen::Entered),
        (&below, 0.7, Seen::Remains),
        (&below, 0.8, Seen::Left),
    ] {
        assert_eq!(rule.seen(&[window(Some(value), 100.0)]), seen, "{value}");
    }
}

#[test]
fn k_of_the_last_n_windows_have_to_be_wrong() {
    let rule = rule(Condition { side: Side::Above, enter: 0.5, leave: 0.5 }, Windows { wrong: 2, of: 3 });
    let windows = |values: &[f64]| values.iter().map(|x| window(Some(*x), 100.0)).collect::<Vec<_>>();
    assert_eq!(rule.seen(&windows(&[1.0])), Seen::Left);
    assert_eq!(rule.seen(&windows(&[1.0, 0.0, 1.0])), Seen::Entered);
    assert_eq!(rule.seen(&windows(&[0.0, 0.0, 1.0, 1.0])), Seen::Left);
    assert_eq!(rule.seen(&windows(&[0.0, 1.0, 1.0])), Seen::Entered);
}

#[test]
fn windows_without_data_end_nothing_while_the_rest_is_wrong() {
    let rule = rule(Condition { side: Side::Above, enter: 0.5, leave: 0.5 }, Windows { wrong: 2, of: 3 });
    let seen = |values: &[Option<f64>]| {
        rule.seen(&values.iter().map(|value| window(*value, 100.0)).collect::<Vec<_>>())
    };
    assert_eq!(seen(&[None, None, Some(1.0)]), Seen::Remains, "a quiet weekend");
    assert_eq!(seen(&[None, Some(1.0)]), Seen::Remains);
    assert_eq!(seen(&[None, Some(1.0), Some(1.0)]), Seen::Entered);
    assert_eq!(seen(&[Some(0.0), None, Some(1.0)]), Seen::Left);
    assert_eq!(seen(&[None, None, Some(0.0)]), Seen::Left);
    assert_eq!(seen(&[Some(1.0)]), Seen::Left, "there are no others");
    assert_eq!(seen(&[None, None, None]), Seen::Nothing);
}

#[test]
fn too_little_evidence_is_no_data() {
    let rule = rule(Condition { side: Side::Above, enter: 0.5, leave: 0.5 }, Windows { wrong: 1, of: 2 });
    assert_eq!(rule.seen(&[window(Some(1.0), 99.0)]), Seen::Nothing);
    assert_eq!(rule.seen(&[window(None, 100.0)]), Seen::Nothing);
    assert_eq!(rule.seen(&[window(Some(f64::NAN), 100.0)]), Seen::Nothing);
    assert_eq!(rule.seen(&[window(Some(1.0), 99.0), window(Some(1.0), 100.0)]), Seen::Entered);
    assert_eq!(rule.seen(&[]), Seen::Nothing);
}

#[test]
fn a_template_that_fails_on_the_sample_is_found() {
    let mut rule = rule(Condition { side: Side::Above, enter: 0.5, leave: 0.5 }, Windows { wrong: 1, of: 1 });
    rule.annotations.insert("summary".to_owned(), "{{ labels.column }} {{ effect|digits }}".to_owned());
    assert_eq!(rule.check_templates(), Ok(()));
    for (text, part) in [
        ("{{ labels.colum }}", "undefined"),
        ("{{ effekt|digits }}", "undefined"),
        ("{% if %}", "syntax"),
        ("{{ effect|shout }}", "shout"),
    ] {
        rule.annotations.insert("summary".to_owned(), text.to_owned());
        let (name, problem) = rule.check_templates().unwrap_err();
        assert!(name == "summary" && problem.contains(part), "{text}: {problem}");
    }
}
