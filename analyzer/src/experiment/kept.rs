//! An experiment by sums that are kept part by part of the table: a look that is repeated reads what is new.
//!
//! Only what sums of the whole say goes this way. Quantiles, limits by percentile, segments, strata, days and extreme units need rows, and
//! so does a mean that is large against its spread.

use windvane_store::{
    Reader,
    experiment::{self, ArmTotal, ByPart, Form, Kept, Question},
};

use super::{
    Cuts, Metric,
    facts::Facts,
    forms::{Summed, origins, sums_rows},
    gather,
    metric::Measured,
    opened::open,
    quantiles::Quantiles,
    request::ExperimentRequest,
};

/// What parts say.
pub(super) enum Answer {
    /// Everything that is asked.
    Facts(Facts),
    /// A unit has several predictions, or an event is there twice.
    Repeated,
}

/// Asks for what is kept and for what is new; `None` where that is not enough, or cannot be had: then rows are asked, who also tell
/// what is wrong.
pub(super) async fn kept(reader: &Reader, request: &ExperimentRequest, by_part: &ByPart) -> Option<Answer> {
    let Reader::Store(store) = reader else { return None };
    let limits = limits(request)?;
    let opened = open(request).ok()?;
    let forms = gather::forms_of(&request.metrics, &opened.places, limits);
    let question = Question::of_all(&opened.frame, &opened.measures, &forms);
    match experiment::kept(store, by_part, question).await {
        Ok(Kept::Sums(arms)) => facts(request, arms, forms).map(Answer::Facts),
        Ok(Kept::Repeated) => Some(Answer::Repeated),
        Ok(Kept::Unknown) => None,
        Err(error) => {
            tracing::debug!(experiment = %request.population.source, %error, "no sums by part");
            None
        }
    }
}

/// The cap and the floor of each metric; `None` where sums of the whole are not all that is asked.
fn limits(request: &ExperimentRequest) -> Option<Vec<[Option<f64>; 2]>> {
    let uncut = Cuts { segment_units_min: request.cuts.segment_units_min, ..Cuts::default() };
    if request.cuts != uncut {
        return None;
    }
    let is_quantile = |metric: &Metric| matches!(metric.measured, Measured::Quantile { .. });
    if request.metrics.iter().any(is_quantile) {
        return None;
    }
    gather::told_limits(&request.metrics)
}

/// What the sums of arms say, which come by name.
fn facts(request: &ExperimentRequest, arms: Vec<ArmTotal>, forms: Vec<Form>) -> Option<Facts> {
    let found = gather::arms_of(arms.iter().map(|arm| arm.arm.clone()).collect(), request).ok()?;
    let units = arms.iter().map(|arm| arm.units).sum();
    let rows = sums_rows(&arms, &found);
    let lost_digits =
        |form: usize| origins(&rows, form, found.len()).iter().flatten().any(|origin| *origin != 0.0);
    if (0..forms.len()).any(lost_digits) {
        return None;
    }
    let sums = Summed { rows, forms };
    let facts = gather::facts(request, (found.as_slice(), &sums), &Quantiles::new()).ok()?;
    Some(Facts { rows: Some(units), ..facts })
}

#[cfg(test)]
mod tests {
    use windvane_store::{
        Real,
        experiment::{Exposed, ExposedBy, FormRow, RecordTable, Recorded, stored},
    };

    use super::*;
    use crate::experiment::{Cap, Rule};

    fn request(metric: Metric, cuts: Cuts) -> ExperimentRequest {
        let exposed = Exposed {
            experiment: "e".to_owned(),
            by: ExposedBy::Predictions,
            start_us: None,
            end_us: 1,
            window_us: 1,
            segment_by: Vec::new(),
        };
        let recorded = Recorded { table: RecordTable::Measurements, columns: Vec::new() };
        ExperimentRequest {
            population: stored(&exposed, &recorded).unwrap(),
            whole: None,
            alone: None,
            arms: None,
            unit: "unit".to_owned(),
            arm: "arm".to_owned(),
            metrics: vec![metric],
            covariate: None,
            cuts,
            rule: Rule::against("A"),
        }
    }

    fn mean() -> Metric {
        Metric::new("x", Measured::Mean)
    }

    #[test]
    fn what_sums_of_the_whole_do_not_say_is_not_asked_of_them() {
        let of = |metric, cuts| limits(&request(metric, cuts));
        let least = Cuts { segment_units_min: 7, ..Cuts::default() };
        let limited = Metric { cap: Some(Cap::Value(3.0)), floor: Some(Cap::Value(-1.0)), ..mean() };
        assert_eq!(of(mean(), least), Some(vec![[None, None]]));
        assert_eq!(of(limited.clone(), Cuts::default()), Some(vec![[Some(3.0), Some(-1.0)]]));
        for metric in [
            Metric::new("x", Measured::Quantile { q: 0.5 }),
            Metric { cap: Some(Cap::Quantile(0.99)), ..mean() },
            Metric { floor: Some(Cap::Quantile(0.01)), ..mean() },
            Metric { floor: Some(Cap::Value(4.0)), ..limited },
        ] {
            assert_eq!(of(metric.clone(), Cuts::default()), None, "{metric:?}");
        }
        for cuts in [
            Cuts { segment_by: vec!["region".to_owned()], ..Cuts::default() },
            Cuts { stratify: Some("region".to_owned()), ..Cuts::default() },
            Cuts { timestamp: Some("first".to_owned()), ..Cuts::default() },
            Cuts { outliers: true, ..Cuts::default() },
        ] {
            assert_eq!(of(mean(), cuts.clone()), None, "{cuts:?}");
        }
    }

    /// An arm of 100 units whose values have this mean and a standard deviation of 1.
    fn arm(name: &str, mean: f64) -> ArmTotal {
        let form = FormRow {
            n: 100,
            fractional: 0,
            capped: 0,
            floored: 0,
            partial: 0,
            values: 100,
            sum: Real(100.0 * mean),
            sum_sq: Real(100.0 * mean * mean + 99.0),
            other_sum: Real(0.0),
            other_sum_sq: Real(0.0),
            cross_sum: Real(0.0),
            before: Vec::new(),
        };
        ArmTotal { arm: name.to_owned(), units: 100, forms: vec![form] }
    }

    #[test]
    fn a_mean_that_is_large_against_its_spread_is_left_to_the_rows() {
        let of = |a: f64, b: f64| {
            facts(&request(mean(), Cuts::default()), vec![arm("A", a), arm("B", b)], vec![Form::default()])
        };
        let found = of(1.0, 2.0).unwrap();
        assert_eq!((found.units, found.rows, found.several, found.arms.len()), (200, Some(200), 0, 2));
        assert!(of(1.0, 100.0).is_none());
    }
}
