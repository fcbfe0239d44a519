//! What ratio metrics were before the experiment: `--ratio-covariate`, for all of them or for one by its name.

use windvane_analyzer::experiment::{Before, Measured, Metric};

use super::arguments::usage;
use crate::exit::Failure;

/// Gives ratios what they were before.
///
/// # Errors
/// A usage error that says what is accepted, or which metric is no ratio.
pub fn give(texts: &[String], metrics: &mut [Metric]) -> Result<(), Failure> {
    let is_ratio = |metric: &Metric| matches!(metric.measured, Measured::Ratio { .. });
    let mut all: Option<Before> = None;
    for text in texts {
        let named = |metric: &&Metric| of(text, metric).is_some();
        let Some(name) = metrics.iter().find(named).map(|metric| metric.name.clone()) else {
            if all.replace(Before::parse(text).map_err(usage)?).is_some() {
                return Err(usage(format!(
                    "`--ratio-covariate {text}` is the second for all ratios: give METRIC=NUMERATOR:ratio(DENOMINATOR) for one"
                )));
            }
            continue;
        };
        let before = text.get(name.len() + 1..).unwrap_or_default();
        let before = Before::parse(before).map_err(usage)?;
        let own = metrics.iter_mut().filter(|metric| metric.name == name && is_ratio(metric));
        let mut given = 0;
        for metric in own {
            metric.before = Some(before.clone());
            given += 1;
        }
        if given == 0 {
            return Err(usage(format!(
                "`--ratio-covariate {text}` goes with a ratio, and `{name}` is none: give --covariate COLUMN"
            )));
        }
    }
    let Some(all) = all else { return Ok(()) };
    if !metrics.iter().any(is_ratio) {
        return Err(usage(
            "`--ratio-covariate` goes with a ratio, and no metric is one: give --covariate COLUMN".to_owned(),
        ));
    }
    for metric in metrics.iter_mut().filter(|metric| is_ratio(metric)) {
        metric.before.get_or_insert_with(|| all.clone());
    }
    Ok(())
}

/// What stands after `NAME=` of a metric's name.
fn of<'a>(text: &'a str, metric: &Metric) -> Option<&'a str> {
    text.strip_prefix(metric.name.as_str())?.strip_prefix('=')
}

#[cfg(test)]
mod tests {
    use windvane_analyzer::experiment::Metric;

    use super::give;

    fn given(texts: &[&str], metrics: &[&str]) -> Result<Vec<Option<String>>, String> {
        let mut metrics: Vec<Metric> = metrics.iter().map(|text| Metric::parse(text).unwrap()).collect();
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        give(&texts, &mut metrics).map_err(|failure| failure.error.to_string())?;
        let before =
            |metric: &Metric| metric.before.as_ref().map(|it| format!("{}/{}", it.numerator, it.denominator));
        Ok(metrics.iter().map(before).collect())
    }

    #[test]
    fn one_is_for_all_ratios_but_those_that_have_their_own() {
        let metrics = ["a:ratio(b)", "c:ratio(d)", "e:mean"];
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(given(&["x:ratio(y)"], &metrics), Ok(vec![some("x/y"), some("x/y"), None]));
        assert_eq!(
            given(&["c=v:ratio(w)", "x:ratio(y)"], &metrics),
            Ok(vec![some("x/y"), some("v/w"), None])
        );
        assert_eq!(given(&["c=v:ratio(w)"], &metrics), Ok(vec![None, some("v/w"), None]));
        assert_eq!(given(&[], &metrics), Ok(vec![None, None, None]));
    }

    #[test]
    fn what_is_no_covariate_of_a_ratio_says_what_is() {
        for (texts, metrics, part) in [
            (&["x"][..], &["a:ratio(b)"][..], "clicks_before:ratio(views_before)"),
            (&["e=x:ratio(y)"], &["a:ratio(b)", "e:mean"], "`e` is none"),
            (&["x:ratio(y)"], &["e:mean"], "no metric is one"),
            (&["x:ratio(y)", "v:ratio(w)"], &["a:ratio(b)"], "METRIC="),
        ] {
            let said = given(texts, metrics).unwrap_err();
            assert!(said.contains(part), "{texts:?}: {said}");
        }
    }
}
