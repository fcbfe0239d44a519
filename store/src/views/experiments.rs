//! What looks at experiments said.

use super::{Kind, MANY, OFFSET, Parameter, View, limit, text};

/// The latest look at each experiment, in one line.
pub const EXPERIMENTS: View = View {
    name: "experiments",
    about: "the latest look at each experiment: how many units, whether their shares are as planned, and the verdict",
    parameters: &[limit("200"), OFFSET],
    text: "
    SELECT experiment, formatDateTime(latest.as_of, '%FT%TZ', 'UTC') AS as_of, run_id, control, units, srm_verdict, verdict
    FROM windvane.experiment_looks AS latest FINAL
    WHERE (experiment, latest.as_of) IN (
        SELECT experiment, max(as_of) FROM windvane.experiment_looks GROUP BY experiment
    )
    ORDER BY latest.as_of DESC, experiment
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};

/// Every comparison of the newest looks at an experiment. Of two looks as of one time the later one counts, also where it has not all that the
/// earlier one has.
pub const EXPERIMENT_COMPARISONS: View = View {
    name: "experiment_comparisons",
    about: "every comparison of an experiment in each of its newest looks: difference, intervals and verdict",
    parameters: &[
        text("experiment"),
        Parameter { name: "looks", kind: Kind::Count(10_000), default: "1" },
        MANY,
        OFFSET,
    ],
    text: "
    SELECT formatDateTime(found.as_of, '%FT%TZ', 'UTC') AS as_of, metric, metric_kind, quantile, role, arm, control, verdict,
           n, n_control, mean, mean_control, absolute, absolute_low, absolute_high, relative, relative_low, relative_high,
           sequential_low, sequential_high, sequential_p_value, probability_better, p_value, p_adjusted, srm_p_value,
           srm_verdict, segment_key, segment_value
    FROM windvane.experiment_findings AS found FINAL
    WHERE experiment = {experiment:String} AND (found.as_of, found.computed_at) IN (
        SELECT as_of, max(computed_at) FROM windvane.experiment_findings WHERE experiment = {experiment:String}
        GROUP BY as_of ORDER BY as_of DESC LIMIT {looks:UInt64}
    )
    ORDER BY found.as_of DESC, segment_key, segment_value, role = 'primary' DESC, metric, quantile, arm
    LIMIT {limit:UInt64} OFFSET {offset:UInt64}",
};
