//! The sums of units by arm, segment and day: everything that means, shares, ratios and covariates need.

use serde::Deserialize;

use super::{ARMS_MAX, Frame, Measure, whole::STRAY};
use crate::{Real, Statement, local::quote};

/// How the rows of a frame and its units go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitsAre {
    /// Every unit has one row.
    Single,
    /// A unit may have several rows: they are summed first.
    Repeated,
}

/// Which sums are asked for, by the places of the measures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Form {
    /// The value, or the numerator.
    pub value: usize,
    /// The denominator, or the covariate: units need both.
    pub other: Option<usize>,
    /// A ratio's numerator and denominator before the experiment: units need these too.
    pub before: Option<[usize; 2]>,
    /// What is taken from value, other and the two before of each arm's units before they are summed, so that large means do not
    /// swallow small differences; nothing where it is empty.
    pub origins: Vec<[f64; 4]>,
    /// Values of units above this count as this.
    pub cap: Option<f64>,
    /// Values of units below this count as this.
    pub floor: Option<f64>,
    /// Whether values that are neither 0 nor 1 are counted.
    pub count_fractional: bool,
}

impl Form {
    /// Whether each value that is summed is 0 or 1, or counted as `fractional`.
    fn is_of_shares(&self) -> bool {
        self.count_fractional && self.cap.is_none() && self.floor.is_none() && self.origins.is_empty()
    }

    /// The places of the measures of which a unit needs all.
    fn numbers(&self) -> impl Iterator<Item = usize> {
        [self.value].into_iter().chain(self.other).chain(self.before.into_iter().flatten())
    }

    /// A value that is cut to the form's limits.
    pub(super) fn within(&self, value: &str) -> String {
        let capped = match self.cap {
            None => value.to_owned(),
            Some(cap) => format!("if({value} > {cap:?}, {cap:?}, {value})"),
        };
        match self.floor {
            None => capped,
            Some(floor) => format!("if({value} < {floor:?}, {floor:?}, {capped})"),
        }
    }
}

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// The rows.
    pub frame: &'a Frame,
    /// The numbers.
    pub measures: &'a [Measure],
    /// What is summed of them.
    pub forms: &'a [Form],
    /// The arms; rows of others are not there.
    pub arms: &'a [String],
    /// Whether units have to be put together first.
    pub units_are: UnitsAre,
    /// Whether the answer is cut by segment.
    pub by_segment: bool,
    /// Whether the answer is cut by the day on which a unit was first seen.
    pub by_day: bool,
}

impl<'a> Question<'a> {
    /// About the units of all arms as a whole, each with a row.
    #[must_use]
    pub fn of_all(frame: &'a Frame, measures: &'a [Measure], forms: &'a [Form]) -> Self {
        let units_are = UnitsAre::Single;
        Self { frame, measures, forms, arms: &[], units_are, by_segment: false, by_day: false }
    }
}

/// The sums of one arm within one segment and day.
#[derive(Debug, Clone, Deserialize)]
pub struct SumsRow {
    /// Its place among the arms; their number for units that were seen in several, and one more for those that
    /// [`super::whole()`]'s population cannot tell.
    pub arm: u32,
    /// A JSON array of the values of the segment's columns; empty for the whole.
    pub segment: String,
    /// Days since 1970 UTC on which the units were first seen; null where no time is known.
    pub day: Option<i32>,
    /// Units.
    pub units: u64,
    /// Their rows.
    pub rows: u64,
    /// One entry a form.
    pub forms: Vec<FormRow>,
}

/// The sums of one form. Sums are of what is left after the origin is taken away.
#[derive(Debug, Clone, Deserialize)]
pub struct FormRow {
    /// Units with a value.
    pub n: u64,
    /// Values that are neither 0 nor 1.
    pub fractional: u64,
    /// Values above the cap.
    pub capped: u64,
    /// Values below the floor.
    pub floored: u64,
    /// Rows without a value of units that have one.
    pub partial: u64,
    /// Rows with a value.
    pub values: u64,
    /// Σ value.
    pub sum: Real,
    /// Σ value².
    pub sum_sq: Real,
    /// Σ other; 0 without one.
    pub other_sum: Real,
    /// Σ other².
    pub other_sum_sq: Real,
    /// Σ value·other.
    pub cross_sum: Real,
    /// With numerator u and denominator v before the experiment: Σu, Σv, Σu², Σv², Σuv, Σ value·u, Σ value·v, Σ other·u,
    /// Σ other·v; empty without.
    pub before: Vec<Real>,
}

/// Asks for the sums: one scan, one grouping by unit where it is needed, one by arm.
#[must_use]
pub fn sums(question: Question<'_>) -> Statement {
    summed(&question, "", "")
}

/// Asks for the sums of the units of some segments.
#[must_use]
pub fn sums_within(question: Question<'_>, segments: &[String]) -> Statement {
    let names: Vec<String> = segments.iter().map(|segment| quote(segment)).collect();
    summed(&question, &format!(" WHERE wv_segment IN ({})", names.join(", ")), "")
}

/// Asks for the sums of the first `rows` days and arms, by day.
#[must_use]
pub fn sums_by_day(question: Question<'_>, rows: usize) -> Statement {
    summed(&question, " WHERE isNotNull(wv_day)", &format!(" LIMIT {rows}"))
}

/// A segment and its units.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SegmentRow {
    /// A JSON array of the values of the segment's columns.
    pub segment: String,
    /// Its units of all arms.
    pub units: u64,
    /// How many segments there are.
    pub segments: u64,
}

/// Asks for the largest segments, and how many there are.
#[must_use]
pub fn largest_segments(question: Question<'_>, most: usize) -> Statement {
    Statement::new(format!(
        "SELECT wv_segment AS segment, count() AS units, count() OVER () AS segments FROM {}{} \
         GROUP BY wv_segment ORDER BY units DESC, segment LIMIT {most}",
        units(&question),
        known(&question),
    ))
}

/// Units that were seen in several arms belong to none.
fn known(question: &Question<'_>) -> String {
    match question.units_are {
        UnitsAre::Single => {
            let arms: Vec<String> = question.arms.iter().map(|arm| quote(arm)).collect();
            format!(" WHERE wv_arm IN ({})", arms.join(", "))
        }
        UnitsAre::Repeated => format!(" WHERE wv_arm < {}", question.arms.len()),
    }
}

/// The numbers of all forms, and their sums.
fn values_and_sums(question: &Question<'_>) -> (String, String) {
    let (mut values, mut answers) = (Vec::new(), Vec::new());
    for (i, form) in question.forms.iter().enumerate() {
        values.extend(form_values(i, form, question));
        answers.push(form_sums(i, form, question));
    }
    let named = "Array(Tuple(n UInt64, fractional UInt64, capped UInt64, floored UInt64, partial UInt64, values UInt64, sum Float64, \
                 sum_sq Float64, other_sum Float64, other_sum_sq Float64, cross_sum Float64, before Array(Float64)))";
    (values.concat(), format!("CAST([{}], '{named}')", answers.join(", ")))
}

/// The sums of one arm by its name, of units with a row each and without origins.
#[derive(Debug, Clone, Deserialize)]
pub struct ArmTotal {
    /// The arm.
    pub arm: String,
    /// Its units.
    pub units: u64,
    /// One entry a form.
    pub forms: Vec<FormRow>,
}

/// Asks for the sums of rows with a unit each by the name of their arm ([`ArmTotal`]), where it is not known yet which arms there are. It
/// fails where they are more than an experiment has: the column is no arm then, and a group a row would fill the memory.
#[must_use]
pub fn arm_totals(question: Question<'_>) -> Statement {
    sums_by_name(Question { by_segment: false, ..question }, "")
        .setting("max_rows_to_group_by", ARMS_MAX)
        .setting("group_by_overflow_mode", "throw")
}

/// Asks for the same in each segment, which is a `part` here.
pub(super) fn sums_by_part(question: Question<'_>) -> Statement {
    sums_by_name(Question { by_segment: true, ..question }, ", wv_segment AS part")
}

fn sums_by_name(question: Question<'_>, part: &str) -> Statement {
    let question = Question { units_are: UnitsAre::Single, by_day: false, ..question };
    let (values, answers) = values_and_sums(&question);
    let segment = if question.by_segment { ", wv_segment" } else { "" };
    let sql = format!(
        "SELECT wv_arm AS arm{part}, count() AS units, {answers} AS forms \
         FROM (SELECT wv_arm{segment}{values} FROM {}) GROUP BY wv_arm{segment}",
        units(&question),
    );
    named(question.frame.statement(sql))
}

/// Answers in which forms have names and no number is lost.
fn named(statement: Statement) -> Statement {
    statement
        .setting("output_format_json_named_tuples_as_objects", 1)
        .setting("output_format_json_quote_denormals", 1)
}

fn summed(question: &Question<'_>, condition: &str, limit: &str) -> Statement {
    let (values, answers) = values_and_sums(question);
    let (rows, arm) = match question.units_are {
        // The arm stays text until the rows are grouped: its number is looked up once a group, not once a row.
        UnitsAre::Single => (
            "count()",
            format!(
                "if(wv_arm = {STRAY}, toUInt32({}), {})",
                question.arms.len() + 1,
                number_of_arm("wv_arm", question.arms)
            ),
        ),
        UnitsAre::Repeated => ("sum(wv_rows)", "toUInt32(wv_arm)".to_owned()),
    };
    // A key that is the same everywhere is left out: one key of one type is looked up much faster than several.
    let segment = if question.by_segment { ("ifNull(wv_segment, '')", ", wv_segment") } else { ("''", "") };
    let day = if question.by_day { ("wv_day", ", wv_day") } else { ("CAST(NULL, 'Nullable(Int32)')", "") };
    let sql = format!(
        "SELECT {arm} AS arm, {} AS segment, {} AS day, count() AS units, {rows} AS rows, {answers} AS forms \
         FROM (SELECT wv_arm, wv_segment, wv_day, wv_rows{values} FROM {}{condition}) \
         GROUP BY wv_arm{}{} ORDER BY day, arm, segment{limit}",
        segment.0,
        day.0,
        units(question),
        segment.1,
        day.1,
    );
    named(question.frame.statement(sql))
}

/// Asks for quantiles of the units' sums over all arms: each measure by its place, with the level.
#[must_use]
pub fn unit_quantiles(question: Question<'_>, levels: &[(usize, f64)]) -> Statement {
    let quantiles: Vec<String> = levels
        .iter()
        .map(|(place, q)| format!("ifNull(quantileExactInclusive({q:?})(wv_m{place}), nan)"))
        .collect();
    Statement::new(format!(
        "SELECT CAST([{}], 'Array(Float64)') AS quantiles FROM {}{}",
        quantiles.join(", "),
        units(&question),
        known(&question),
    ))
    .setting("output_format_json_quote_denormals", 1)
}

/// The answer to [`unit_quantiles`]; NaN where no unit has a value.
#[derive(Debug, Clone, Deserialize)]
pub struct UnitQuantilesRow {
    /// One entry a level.
    pub quantiles: Vec<Real>,
}

/// One row a unit: its arm, segment and day, and its sum of each measure.
pub(super) fn units(question: &Question<'_>) -> String {
    let Frame { from, unit, arm, segment, day, .. } = question.frame;
    let asked = |expression: &Option<String>, wanted: bool, none: &str| match expression {
        Some(sql) if wanted => sql.clone(),
        _ => none.to_owned(),
    };
    let segment = asked(segment, question.by_segment, "''");
    let day = asked(day, question.by_day, "CAST(NULL, 'Nullable(Int32)')");
    let assigned = question.frame.assigned();
    match question.units_are {
        UnitsAre::Single => {
            let measures = list(question.measures, |i, measure| format!(", {} AS wv_m{i}", measure.number));
            format!(
                "(SELECT assumeNotNull({arm}) AS wv_arm, {segment} AS wv_segment, {day} AS wv_day, \
                 toUInt8(1) AS wv_rows{measures} FROM {from} WHERE {assigned})"
            )
        }
        UnitsAre::Repeated => {
            let measures = list(question.measures, |i, measure| format!(", {} AS wv_v{i}", measure.number));
            let summed = list(question.measures, |i, _| {
                format!(", sum(wv_v{i}) AS wv_m{i}, count(wv_v{i}) AS wv_c{i}")
            });
            let code = number_of_arm(&format!("assumeNotNull({arm})"), question.arms);
            let several = question.arms.len();
            // Every assigned row has a unit, and keys that cannot be null are grouped in two thirds of the time.
            format!(
                "(SELECT if(min(wv_code) = max(wv_code), min(wv_code), {several}) AS wv_arm, min(wv_s) AS wv_segment, \
                 min(wv_d) AS wv_day, count() AS wv_rows{summed} \
                 FROM (SELECT assumeNotNull({unit}) AS wv_unit, {code} AS wv_code, {segment} AS wv_s, {day} AS wv_d{measures} \
                 FROM {from} WHERE {assigned}) GROUP BY wv_unit)"
            )
        }
    }
}

pub(super) fn number_of_arm(arm: &str, arms: &[String]) -> String {
    let names: Vec<String> = arms.iter().map(|arm| quote(arm)).collect();
    let numbers: Vec<String> = (0..arms.len()).map(|i| i.to_string()).collect();
    format!(
        "transform({arm}, [{}]::Array(String), [{}]::Array(UInt32), toUInt32({}))",
        names.join(", "),
        numbers.join(", "),
        arms.len()
    )
}

pub(super) fn list(measures: &[Measure], one: impl Fn(usize, &Measure) -> String) -> String {
    measures.iter().enumerate().map(|(i, measure)| one(i, measure)).collect()
}

/// The numbers of a unit that has all of them; what is left of them after the origin is taken away.
fn form_values(i: usize, form: &Form, question: &Question<'_>) -> Vec<String> {
    let own = format!("wv_m{}", form.value);
    let value = format!("{}{}", form.within(&own), less_origin(form, question, 0));
    let partial = match question.units_are {
        UnitsAre::Single => String::new(),
        UnitsAre::Repeated => {
            format!(", wv_rows - wv_c{0} AS wv_p{i}, wv_c{0} AS wv_n{i}", form.value)
        }
    };
    let numbers: Vec<usize> = form.numbers().collect();
    // Null where another number is missing; its own absence makes it null by itself.
    let known = |at: usize, expression: &str| {
        let others = numbers.iter().enumerate().filter(|(other, _)| *other != at);
        let missing: Vec<String> = others
            .filter(|(_, place)| question.measures[**place].can_be_missing)
            .map(|(_, place)| format!("isNull(wv_m{place})"))
            .collect();
        match missing.as_slice() {
            [] => expression.to_owned(),
            missing => format!("if({}, NULL, {expression})", missing.join(" OR ")),
        }
    };
    let mut values =
        vec![format!(", {} AS wv_h{i}, {} AS wv_x{i}", known(0, &own), known(0, &value)), partial];
    for (at, name) in ["wv_y", "wv_bx", "wv_by"].into_iter().take(numbers.len() - 1).enumerate() {
        let left = format!("wv_m{}{}", numbers[at + 1], less_origin(form, question, at + 1));
        values.push(format!(", {} AS {name}{i}", known(at + 1, &left)));
    }
    values
}

/// ` - origin of the arm`, or nothing.
fn less_origin(form: &Form, question: &Question<'_>, variable: usize) -> String {
    if form.origins.iter().all(|origin| origin[variable] == 0.0) {
        return String::new();
    }
    let origins: Vec<String> = form.origins.iter().map(|origin| format!("{:?}", origin[variable])).collect();
    let (arms, of_type) = match question.units_are {
        UnitsAre::Single => (question.arms.iter().map(|arm| quote(arm)).collect::<Vec<_>>(), "String"),
        UnitsAre::Repeated => ((0..question.arms.len()).map(|arm| arm.to_string()).collect(), "UInt32"),
    };
    format!(
        " - transform(wv_arm, [{}]::Array({of_type}), [{}]::Array(Float64), 0.)",
        arms.join(", "),
        origins.join(", ")
    )
}

fn form_sums(i: usize, form: &Form, question: &Question<'_>) -> String {
    let counted = |condition: Option<String>| {
        condition.map_or("toUInt64(0)".to_owned(), |condition| format!("countIf(ifNull({condition}, 0))"))
    };
    let fractional = counted(form.count_fractional.then(|| format!("wv_h{i} != 0 AND wv_h{i} != 1")));
    let capped = counted(form.cap.map(|cap| format!("wv_h{i} > {cap:?}")));
    let floored = counted(form.floor.map(|floor| format!("wv_h{i} < {floor:?}")));
    let (x, y) = (format!("wv_x{i}"), format!("wv_y{i}"));
    // What is never missing is counted as rows are: once, and not beside each sum.
    let n = match form.numbers().any(|place| question.measures[place].can_be_missing) {
        true => format!("count({x})"),
        false => "count()".to_owned(),
    };
    let (partial, values) = match question.units_are {
        UnitsAre::Single => ("toUInt64(0)".to_owned(), n.clone()),
        UnitsAre::Repeated => (format!("sumIf(wv_p{i}, isNotNull({x}))"), format!("sum(wv_n{i})")),
    };
    let sum = |what: &str| format!("ifNull(sum({what}), 0)");
    let product = |a: &str, b: &str| sum(&format!("{a} * {b}"));
    let other = match form.other {
        None => "0., 0., 0.".to_owned(),
        Some(_) => [sum(&y), product(&y, &y), product(&x, &y)].join(", "),
    };
    let (u, v) = (format!("wv_bx{i}"), format!("wv_by{i}"));
    let before = match form.before {
        None => "emptyArrayFloat64()".to_owned(),
        Some(_) => {
            let squares = [sum(&u), sum(&v), product(&u, &u), product(&v, &v), product(&u, &v)];
            let crossed = [product(&x, &u), product(&x, &v), product(&y, &u), product(&y, &v)];
            format!("[{}, {}]", squares.join(", "), crossed.join(", "))
        }
    };
    // The squares of what is 0 or 1 are itself. Where other values are found no sum counts.
    let squares = match form.is_of_shares() {
        true => sum(&x),
        false => product(&x, &x),
    };
    format!(
        "tuple({n}, {fractional}, {capped}, {floored}, {partial}, {values}, {}, {squares}, {other}, {before})",
        sum(&x),
    )
}
