//! Which way a metric left what is usual.

use serde::{Deserialize, Serialize};

/// Metrics of which less is better.
const LESS_IS_BETTER: [&str; 10] =
    ["log_loss", "brier", "ece", "mae", "mape", "mse", "rmse", "msle", "rmsle", "pinball"];

/// The realised value where it is what says whether a metric alerts: one of too few rows lies within what is usual where the
/// estimate raised the alert.
#[must_use]
pub fn deciding(realised: Option<f64>, alert: bool, [low, high]: [Option<f64>; 2]) -> Option<f64> {
    let within = |value: f64| low.is_none_or(|low| value >= low) && high.is_none_or(|high| value <= high);
    realised.filter(|value| !(alert && within(*value)))
}

/// Which way a metric left its threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The model got worse.
    Worse,
    /// The model got better, or the data easier.
    Better,
}

impl Change {
    /// Which way a value of a metric lies beyond the ends of what is usual of it; `None` where it does not. What rounding alone makes of a
    /// metric that never varies is no way out.
    #[must_use]
    pub fn of(metric: &str, value: f64, [low, high]: [Option<f64>; 2]) -> Option<Self> {
        let slack = |end: f64| 1e-12 * end.abs().max(1e-300);
        let below = low.is_some_and(|low| value < low - slack(low));
        let above = high.is_some_and(|high| value > high + slack(high));
        let less_is_better = LESS_IS_BETTER.contains(&metric);
        // A mean error is the better the nearer it is to 0, whichever end it has left.
        let end = if below { low } else { high };
        match (below, above) {
            (false, false) => None,
            _ if metric == "mean_error" && end.is_some_and(|end| value.abs() < end.abs()) => {
                Some(Self::Better)
            }
            _ if metric == "mean_error" => Some(Self::Worse),
            (true, _) if less_is_better => Some(Self::Better),
            (true, _) => Some(Self::Worse),
            (_, true) if less_is_better => Some(Self::Worse),
            (_, true) => Some(Self::Better),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, deciding};

    #[test]
    fn what_raised_no_alert_is_not_told_as_its_cause() {
        let usual = [Some(0.8), None];
        assert_eq!(deciding(Some(0.7), true, usual), Some(0.7));
        assert_eq!(deciding(Some(0.9), true, usual), None);
        assert_eq!(deciding(Some(0.9), false, usual), Some(0.9));
        assert_eq!(deciding(None, true, usual), None);
    }

    #[test]
    fn worse_and_better_depend_on_the_metric() {
        for (metric, value, expected) in [
            ("roc_auc", 0.5, Some(Change::Worse)),
            ("roc_auc", 0.95, Some(Change::Better)),
            ("log_loss", 0.95, Some(Change::Worse)),
            ("mae", 0.5, Some(Change::Better)),
            ("mean_error", 0.95, Some(Change::Worse)),
            // A bias that has become smaller was told as worse.
            ("mean_error", 0.5, Some(Change::Better)),
            ("mean_error", -0.75, Some(Change::Worse)),
            ("f1", 0.8, None),
            ("f1", 0.9, None),
        ] {
            assert_eq!(Change::of(metric, value, [Some(0.7), Some(0.9)]), expected, "{metric} {value}");
        }
        assert_eq!(Change::of("f1", 0.0, [None, Some(0.9)]), None);
    }
}
