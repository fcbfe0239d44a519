//! A metric as the command line and the configuration name it: `revenue:mean`, `errors:ratio(requests):lower`.

use windvane_types::{
    experiment::{Better, Kind, Role, words},
    nearest::nearest,
};

/// What is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Metric {
    /// Its name: the column.
    pub name: String,
    /// How a unit's rows become a number.
    pub measured: Measured,
    /// Which way is better.
    pub better: Better,
    /// What it is for.
    pub role: Role,
    /// The relative margin of equivalence or non-inferiority, above 0.
    pub margin: Option<f64>,
    /// The bound above which values of units count as the bound.
    pub cap: Option<Cap>,
    /// The bound below which values of units count as the bound.
    pub floor: Option<Cap>,
    /// A column of its own that explains part of its spread; that of the request where `None`.
    pub covariate: Option<String>,
    /// What a ratio was before the experiment.
    pub before: Option<Before>,
}

/// A ratio before the experiment: the columns of its numerator and its denominator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    /// Above the line.
    pub numerator: String,
    /// Below it.
    pub denominator: String,
}

impl Before {
    /// Reads `NUMERATOR:ratio(DENOMINATOR)`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is no ratio: give NUMERATOR:ratio(DENOMINATOR), as in clicks_before:ratio(views_before)"
            )
        };
        match Metric::parse(text) {
            Ok(Metric {
                name, measured: Measured::Ratio { denominator }, better: Better::Higher, ..
            }) => Ok(Self { numerator: name, denominator }),
            _ => Err(expected()),
        }
    }
}

/// How rows become a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Measured {
    /// The mean of the units' sums.
    Mean,
    /// The share of units with 1.
    Proportion,
    /// The sum over the sum of another column.
    Ratio {
        /// The column below the line.
        denominator: String,
    },
    /// A quantile of the rows.
    Quantile {
        /// Above 0 and below 1.
        q: f64,
    },
}

/// Where values are cut.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cap {
    /// At this value.
    Value(f64),
    /// At this quantile of the units of all arms, above 0 and below 1.
    Quantile(f64),
}

/// Where the values of a mean are cut, above and below.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Limits {
    /// Values above it count as it.
    pub cap: Option<Cap>,
    /// Values below it count as it.
    pub floor: Option<Cap>,
}

impl Limits {
    /// Reads a cap and a floor: see [`Cap::parse`] and [`Cap::parse_floor`].
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(cap: Option<&str>, floor: Option<&str>) -> Result<Self, String> {
        let limits =
            Self { cap: cap.map(Cap::parse).transpose()?, floor: floor.map(Cap::parse_floor).transpose()? };
        match limits {
            Self { cap: Some(Cap::Value(cap)), floor: Some(Cap::Value(floor)) } if floor > cap => {
                Err(format!("the floor {floor} is above the cap {cap}: give a floor of at most the cap"))
            }
            limits => Ok(limits),
        }
    }
}

impl Metric {
    /// A metric of which more is better and that decides.
    #[must_use]
    pub fn new(name: &str, measured: Measured) -> Self {
        Self {
            name: name.to_owned(),
            measured,
            better: Better::Higher,
            role: Role::Primary,
            margin: None,
            cap: None,
            floor: None,
            covariate: None,
            before: None,
        }
    }

    /// Reads `NAME:KIND` or `NAME:KIND:lower`; the name may hold colons itself.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (text, better) = match text.rsplit_once(':') {
            Some((rest, "lower")) => (rest, Better::Lower),
            Some((rest, "higher")) => (rest, Better::Higher),
            _ => (text, Better::Higher),
        };
        let (name, kind) = split(text).filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
            format!("`--metric {text}` has no name and kind: give NAME:KIND, with KIND one of {KINDS}")
        })?;
        Ok(Self { better, ..Self::new(name, Measured::parse(kind)?) })
    }

    /// The column below the line of a ratio.
    #[must_use]
    pub fn denominator(&self) -> Option<&str> {
        match &self.measured {
            Measured::Ratio { denominator } => Some(denominator),
            _ => None,
        }
    }

    /// Whether it is compared within strata.
    #[must_use]
    pub fn has_strata(&self) -> bool {
        matches!(self.measured, Measured::Mean | Measured::Proportion)
    }

    /// The level of a quantile.
    #[must_use]
    pub fn quantile(&self) -> Option<f64> {
        match self.measured {
            Measured::Quantile { q } => Some(q),
            _ => None,
        }
    }

    /// The name with what tells metrics of one column apart: `latency_us p99`, `clicks/views`.
    #[must_use]
    pub fn label(&self) -> String {
        let of = match &self.measured {
            Measured::Mean | Measured::Proportion => (None, None),
            Measured::Ratio { denominator } => (None, Some(denominator.as_str())),
            Measured::Quantile { q } => (Some(*q), None),
        };
        words::named(&self.name, of, str::to_owned)
    }

    /// The kind in the document.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.measured {
            Measured::Mean => Kind::Mean,
            Measured::Proportion => Kind::Proportion,
            Measured::Ratio { .. } => Kind::Ratio,
            Measured::Quantile { .. } => Kind::Quantile,
        }
    }
}

/// What a message lists.
const KINDS: &str = "mean, proportion, ratio(DENOMINATOR), quantile(0.99)";

/// Name and kind: the kind starts after the last colon that is not within its parentheses.
fn split(text: &str) -> Option<(&str, &str)> {
    let within = |kind: &str| text.ends_with(')').then(|| text.find(kind)).flatten();
    match within(":ratio(").or_else(|| within(":quantile(")) {
        Some(at) => Some((&text[..at], &text[at + 1..])),
        None => text.rsplit_once(':'),
    }
}

impl Measured {
    /// Reads `mean`, `proportion`, `ratio(DENOMINATOR)` or `quantile(Q)`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(kind: &str) -> Result<Self, String> {
        let argument = |name: &str| kind.strip_prefix(name)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(denominator) = argument("ratio").filter(|denominator| !denominator.is_empty()) {
            return Ok(Self::Ratio { denominator: denominator.to_owned() });
        }
        if let Some(level) = argument("quantile") {
            let q = level.trim().parse::<f64>().ok().filter(|q| *q > 0.0 && *q < 1.0);
            return q.map(|q| Self::Quantile { q }).ok_or_else(|| {
                format!("`quantile({level})` is out of range: above 0 and below 1, as in quantile(0.99)")
            });
        }
        match kind {
            "mean" => Ok(Self::Mean),
            "proportion" => Ok(Self::Proportion),
            "ratio" | "ratio()" => Err("`ratio` needs its denominator, as in ratio(orders)".to_owned()),
            "quantile" => Err("`quantile` needs its level, as in quantile(0.99)".to_owned()),
            other => Err(match nearest(other, ["mean", "proportion", "ratio", "quantile"]) {
                Some(near) => {
                    format!("there is no metric kind `{other}`; did you mean `{near}`? All kinds: {KINDS}")
                }
                None => format!("there is no metric kind `{other}`; all kinds: {KINDS}"),
            }),
        }
    }
}

impl Cap {
    /// The word of the command line.
    #[must_use]
    pub fn name(self) -> String {
        match self {
            Self::Value(value) => value.to_string(),
            Self::Quantile(q) => format!("p{}", (q * 1e8).round() / 1e6),
        }
    }

    /// Reads a value, or a percentile such as `p99.9`.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = || {
            format!("`{text}` is no cap: give a value such as 1000, or a percentile above p50 such as p99.9")
        };
        Self::read(text, |percent| (50.0..100.0).contains(&percent)).ok_or_else(expected)
    }

    /// Reads a value, or a percentile such as `p0.1`, below which values are raised.
    ///
    /// # Errors
    /// What would have been accepted.
    pub fn parse_floor(text: &str) -> Result<Self, String> {
        let expected = || {
            format!(
                "`{text}` is no floor: give a value such as -1000, or a percentile below p50 such as p0.1"
            )
        };
        Self::read(text, |percent| percent > 0.0 && percent < 50.0).ok_or_else(expected)
    }

    fn read(text: &str, percentile: impl Fn(f64) -> bool) -> Option<Self> {
        match text.strip_prefix('p') {
            Some(percent) => {
                let percent = percent.parse::<f64>().ok().filter(|percent| percentile(*percent));
                percent.map(|percent| Self::Quantile(percent / 100.0))
            }
            None => text.parse::<f64>().ok().filter(|value| value.is_finite()).map(Self::Value),
        }
    }
}

#[cfg(test)]
mod tests {
    use windvane_types::experiment::Better;

    use super::{Before, Cap, Limits, Measured, Metric};

    fn ratio(denominator: &str) -> Measured {
        Measured::Ratio { denominator: denominator.to_owned() }
    }

    #[test]
    fn specifications_name_columns_with_any_character() {
        for (text, name, measured, better) in [
            ("revenue:mean", "revenue", Measured::Mean, Better::Higher),
            ("a:b:proportion", "a:b", Measured::Proportion, Better::Higher),
            ("clicks:ratio(views)", "clicks", ratio("views"), Better::Higher),
            ("clicks:ratio(a:b (c))", "clicks", ratio("a:b (c)"), Better::Higher),
            ("latency_us:quantile(0.99):lower", "latency_us", Measured::Quantile { q: 0.99 }, Better::Lower),
            ("errors:mean:lower", "errors", Measured::Mean, Better::Lower),
            ("x:mean:higher", "x", Measured::Mean, Better::Higher),
        ] {
            let metric = Metric::parse(text).unwrap();
            assert_eq!(
                (metric.name.as_str(), metric.measured, metric.better),
                (name, measured, better),
                "{text}"
            );
        }
    }

    #[test]
    fn labels_tell_metrics_of_one_column_apart() {
        for (text, label) in [
            ("clicks:mean", "clicks"),
            ("clicks:proportion", "clicks"),
            ("clicks:ratio(views)", "clicks/views"),
            ("ms:quantile(0.07)", "ms p7"),
            ("ms:quantile(0.999):lower", "ms p99.9"),
            ("ms:quantile(0.99999)", "ms p99.999"),
        ] {
            assert_eq!(Metric::parse(text).unwrap().label(), label, "{text}");
        }
    }

    #[test]
    fn what_is_no_metric_says_what_is() {
        for (text, part) in [
            ("revenue", "NAME:KIND"),
            (":mean", "NAME:KIND"),
            ("x:meen", "did you mean `mean`"),
            ("x:histogram", "all kinds"),
            ("x:ratio", "ratio(orders)"),
            ("x:ratio()", "ratio(orders)"),
            ("x:quantile(0)", "above 0 and below 1"),
            ("x:quantile(1)", "above 0 and below 1"),
            ("x:quantile(99)", "above 0 and below 1"),
            ("x:quantile(nan)", "above 0 and below 1"),
            ("x:mean:Lower", "did you mean"),
        ] {
            let error = Metric::parse(text).unwrap_err();
            assert!(error.contains(part) || text.ends_with("Lower"), "{text}: {error}");
        }
    }

    #[test]
    fn what_a_ratio_was_before_is_a_ratio_of_columns() {
        let before = Before::parse("a:b:ratio(c (d))").unwrap();
        assert_eq!((before.numerator.as_str(), before.denominator.as_str()), ("a:b", "c (d)"));
        for text in ["clicks", "clicks:mean", "clicks:ratio()", "clicks:ratio(views):lower", ""] {
            assert!(Before::parse(text).unwrap_err().contains("clicks_before:ratio(views_before)"), "{text}");
        }
    }

    #[test]
    fn caps_are_values_or_percentiles() {
        assert_eq!(Cap::parse("p75"), Ok(Cap::Quantile(0.75)));
        assert_eq!(Cap::parse("-5"), Ok(Cap::Value(-5.0)));
        for text in ["p100", "p20", "p", "x", "inf", "nan"] {
            assert!(Cap::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn floors_are_values_or_percentiles_below_the_cap() {
        let limits = |cap, floor| Limits { cap: Some(cap), floor: Some(floor) };
        assert_eq!(
            Limits::parse(Some("p99"), Some("p1")),
            Ok(limits(Cap::Quantile(0.99), Cap::Quantile(0.01)))
        );
        assert_eq!(Limits::parse(Some("5"), Some("-5")), Ok(limits(Cap::Value(5.0), Cap::Value(-5.0))));
        for text in ["p0", "p50", "p", "x", "nan"] {
            assert!(Limits::parse(None, Some(text)).unwrap_err().contains("p0.1"), "{text}");
        }
        assert!(Limits::parse(Some("1"), Some("2")).unwrap_err().contains("above the cap 1"));
    }
}
