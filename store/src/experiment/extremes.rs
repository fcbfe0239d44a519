//! The units farthest from their arm's mean: what it takes to ask whether a few of them carry an effect.

use serde::Deserialize;

use super::{Question, UnitsAre};
use crate::{Real, Statement, local::quote};

/// A form whose extreme values are wanted.
#[derive(Debug, Clone, PartialEq)]
pub struct Centred {
    /// Its place among the forms.
    pub form: usize,
    /// The mean of each arm.
    pub centres: Vec<f64>,
}

/// The extreme values of one arm.
#[derive(Debug, Clone, Deserialize)]
pub struct ExtremesRow {
    /// Its place among the arms; their number for units that were seen in several.
    pub arm: u32,
    /// One entry a form that was asked for: its values, farthest from the mean first.
    pub values: Vec<Vec<Real>>,
}

/// Asks for at most `most` values of each form and arm.
#[must_use]
pub fn extremes(question: Question<'_>, asked: &[Centred], most: usize) -> Statement {
    let (arms, arm) = match question.units_are {
        UnitsAre::Single => (
            format!(
                "[{}]::Array(String)",
                question.arms.iter().map(|arm| quote(arm)).collect::<Vec<_>>().join(", ")
            ),
            super::sums::number_of_arm("wv_arm", question.arms),
        ),
        UnitsAre::Repeated => (
            format!(
                "[{}]::Array(UInt32)",
                (0..question.arms.len()).map(|arm| arm.to_string()).collect::<Vec<_>>().join(", ")
            ),
            "toUInt32(wv_arm)".to_owned(),
        ),
    };
    let values: Vec<String> = asked
        .iter()
        .map(|asked| {
            let form = &question.forms[asked.form];
            let own = format!("wv_m{}", form.value);
            let value = form.within(&own);
            let centres: Vec<String> = asked.centres.iter().map(|centre| format!("{centre:?}")).collect();
            let centre = format!("transform(wv_arm, {arms}, [{}]::Array(Float64), 0.)", centres.join(", "));
            let known = format!("assumeNotNull({value})");
            format!(
                "arrayMap(pair -> pair.2, groupArraySortedIf({most})(tuple(-abs({known} - {centre}), {known}), isNotNull({own})))"
            )
        })
        .collect();
    Statement::new(format!(
        "SELECT {arm} AS arm, CAST([{}], 'Array(Array(Float64))') AS values FROM {} GROUP BY wv_arm ORDER BY arm",
        values.join(", "),
        super::sums::units(&question),
    ))
    .setting("output_format_json_quote_denormals", 1)
}
