//! The methods of the contract: their names, the kinds they fit, and the floors below which an effect is no drift.

use windvane_types::drift::Kind;

/// A way to compare a column of two populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Population stability index.
    Psi,
    /// Jensen-Shannon distance.
    JensenShannon,
    /// Kolmogorov-Smirnov.
    Ks,
    /// Wasserstein distance in the column's unit.
    Wasserstein,
    /// Wasserstein distance in standard deviations of the reference.
    WassersteinNormed,
    /// Pearson's chi-square.
    ChiSquare,
    /// Change of the share of missing values.
    MissingRate,
    /// Share of values whose category is new.
    NewCategories,
}

impl Method {
    /// Every method, in the order of the contract.
    pub const ALL: [Self; 8] = [
        Self::Psi,
        Self::JensenShannon,
        Self::Ks,
        Self::Wasserstein,
        Self::WassersteinNormed,
        Self::ChiSquare,
        Self::MissingRate,
        Self::NewCategories,
    ];

    /// Its name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::JensenShannon => "jensen_shannon",
            Self::Ks => "ks",
            Self::Wasserstein => "wasserstein",
            Self::WassersteinNormed => "wasserstein_normed",
            Self::ChiSquare => "chi_square",
            Self::MissingRate => "missing_rate",
            Self::NewCategories => "new_categories",
        }
    }

    /// The method of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|method| method.as_str() == name)
    }

    /// Whether it compares columns of this kind.
    #[must_use]
    pub fn fits(self, kind: Kind) -> bool {
        match self {
            Self::MissingRate => true,
            Self::Psi | Self::JensenShannon => matches!(kind, Kind::Numeric | Kind::Categorical),
            Self::Ks | Self::Wasserstein | Self::WassersteinNormed => kind == Kind::Numeric,
            Self::ChiSquare | Self::NewCategories => kind == Kind::Categorical,
        }
    }

    /// Whether it counts numbers into bins.
    #[must_use]
    pub fn is_binned(self) -> bool {
        matches!(self, Self::Psi | Self::JensenShannon)
    }

    /// Whether it needs the values of a numeric column, and not only how many there are.
    #[must_use]
    pub fn needs_values(self) -> bool {
        self != Self::MissingRate
    }

    /// The kinds it fits, in words.
    #[must_use]
    pub fn kinds(self) -> String {
        let kinds =
            [Kind::Numeric, Kind::Categorical, Kind::Text].into_iter().filter(|kind| self.fits(*kind));
        kinds.map(Kind::as_str).collect::<Vec<_>>().join(" and ")
    }

    /// The methods of a kind where none were asked for.
    #[must_use]
    pub fn defaults(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Numeric => &[Self::Ks, Self::Psi, Self::MissingRate],
            Kind::Categorical => &[Self::ChiSquare, Self::Psi, Self::MissingRate, Self::NewCategories],
            Kind::Embedding | Kind::Text => &[Self::MissingRate],
        }
    }

    /// The effect below which a change is too small to be called drift, however sure it is. The floors are set alike:
    /// about what a shift by an eighth of a standard deviation, or of five rows in a hundred, does to each.
    #[must_use]
    pub fn floor(self) -> f64 {
        match self {
            Self::Psi | Self::WassersteinNormed | Self::Wasserstein => 0.1,
            Self::JensenShannon | Self::Ks | Self::ChiSquare | Self::MissingRate => 0.05,
            Self::NewCategories => 0.01,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn every_name_reads_back() {
        for method in Method::ALL {
            assert_eq!(Method::parse(method.as_str()), Some(method));
        }
        assert_eq!(Method::parse("kolmogorov"), None);
    }
}
