//! The methods of the contract: their names, the kinds they fit, and the floors below which an effect is no drift.

use windvane_stats::{
    t_test,
    walk::{Depth, Sizes},
};
use windvane_types::drift::Kind;

/// A way to compare a column of two populations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Method {
    /// Population stability index.
    Psi,
    /// Jensen-Shannon distance.
    JensenShannon,
    /// Hellinger distance.
    Hellinger,
    /// Kullback-Leibler divergence.
    Kl,
    /// Total variation distance.
    TotalVariation,
    /// Largest change of a share.
    LInfinity,
    /// Kolmogorov-Smirnov.
    Ks,
    /// Wasserstein distance in the column's unit.
    Wasserstein,
    /// Wasserstein distance in standard deviations of the reference.
    WassersteinNormed,
    /// Cramér-von Mises.
    CramerVonMises,
    /// Anderson-Darling.
    AndersonDarling,
    /// Mann-Whitney.
    MannWhitney,
    /// Energy distance.
    Energy,
    /// Epps-Singleton.
    EppsSingleton,
    /// Student's t.
    TTest,
    /// Welch's t.
    Welch,
    /// Pearson's chi-square.
    ChiSquare,
    /// G-test.
    GTest,
    /// Cramér's V.
    CramersV,
    /// Fisher's exact test of two categories.
    FisherExact,
    /// Maximum mean discrepancy.
    Mmd,
    /// How well a classifier tells the sides apart.
    DomainClassifier,
    /// Change of the share of missing values.
    MissingRate,
    /// Share of values whose category is new.
    NewCategories,
}

impl Method {
    /// Every method, in the order of the contract.
    pub const ALL: [Self; 24] = [
        Self::Psi,
        Self::JensenShannon,
        Self::Hellinger,
        Self::Kl,
        Self::TotalVariation,
        Self::LInfinity,
        Self::Ks,
        Self::Wasserstein,
        Self::WassersteinNormed,
        Self::CramerVonMises,
        Self::AndersonDarling,
        Self::MannWhitney,
        Self::Energy,
        Self::EppsSingleton,
        Self::TTest,
        Self::Welch,
        Self::ChiSquare,
        Self::GTest,
        Self::CramersV,
        Self::FisherExact,
        Self::Mmd,
        Self::DomainClassifier,
        Self::MissingRate,
        Self::NewCategories,
    ];

    /// Its name in the contract.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Psi => "psi",
            Self::JensenShannon => "jensen_shannon",
            Self::Hellinger => "hellinger",
            Self::Kl => "kl",
            Self::TotalVariation => "total_variation",
            Self::LInfinity => "l_infinity",
            Self::Ks => "ks",
            Self::Wasserstein => "wasserstein",
            Self::WassersteinNormed => "wasserstein_normed",
            Self::CramerVonMises => "cramer_von_mises",
            Self::AndersonDarling => "anderson_darling",
            Self::MannWhitney => "mann_whitney",
            Self::Energy => "energy",
            Self::EppsSingleton => "epps_singleton",
            Self::TTest => "t_test",
            Self::Welch => "welch",
            Self::ChiSquare => "chi_square",
            Self::GTest => "g_test",
            Self::CramersV => "cramers_v",
            Self::FisherExact => "fisher_exact",
            Self::Mmd => "mmd",
            Self::DomainClassifier => "domain_classifier",
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
            Self::MissingRate | Self::DomainClassifier => true,
            Self::Psi
            | Self::JensenShannon
            | Self::Hellinger
            | Self::Kl
            | Self::TotalVariation
            | Self::LInfinity => matches!(kind, Kind::Numeric | Kind::Categorical),
            Self::Mmd => matches!(kind, Kind::Numeric | Kind::Embedding),
            Self::Ks
            | Self::Wasserstein
            | Self::WassersteinNormed
            | Self::CramerVonMises
            | Self::AndersonDarling
            | Self::MannWhitney
            | Self::Energy
            | Self::EppsSingleton
            | Self::TTest
            | Self::Welch => kind == Kind::Numeric,
            Self::ChiSquare | Self::GTest | Self::CramersV | Self::FisherExact | Self::NewCategories => {
                kind == Kind::Categorical
            }
        }
    }

    /// Whether it counts numbers into bins.
    #[must_use]
    pub fn is_binned(self) -> bool {
        matches!(
            self,
            Self::Psi
                | Self::JensenShannon
                | Self::Hellinger
                | Self::Kl
                | Self::TotalVariation
                | Self::LInfinity
                | Self::DomainClassifier
        )
    }

    /// Whether it needs the values of a numeric column, and not only how many there are.
    #[must_use]
    pub fn needs_values(self) -> bool {
        self != Self::MissingRate
    }

    /// How much of each value a walk over samples of these sizes must compute for it.
    pub(super) fn depth(self, sizes: Sizes) -> Depth {
        match self {
            Self::Wasserstein
            | Self::WassersteinNormed
            | Self::CramerVonMises
            | Self::AndersonDarling
            | Self::Energy
            | Self::EppsSingleton
            | Self::Mmd => Depth::Full,
            Self::TTest | Self::Welch if t_test::needs_labels(sizes) => Depth::Full,
            _ => Depth::Ranks,
        }
    }

    /// The kinds it fits, in words.
    #[must_use]
    pub fn kinds(self) -> String {
        let kinds = [Kind::Numeric, Kind::Categorical, Kind::Embedding, Kind::Text]
            .into_iter()
            .filter(|kind| self.fits(*kind));
        kinds.map(Kind::as_str).collect::<Vec<_>>().join(" and ")
    }

    /// The methods of a kind where none were asked for.
    #[must_use]
    pub fn defaults(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Numeric => &[Self::Ks, Self::Psi, Self::MissingRate],
            Kind::Categorical => &[Self::ChiSquare, Self::Psi, Self::MissingRate, Self::NewCategories],
            Kind::Embedding => &[Self::Mmd, Self::DomainClassifier, Self::MissingRate],
            Kind::Text => &[Self::DomainClassifier, Self::MissingRate],
        }
    }

    /// The effect below which a change is too small to be called drift, however sure it is. The floors are set alike:
    /// about what a shift by an eighth of a standard deviation, or of five rows in a hundred, does to each.
    #[must_use]
    pub fn floor(self) -> f64 {
        match self {
            Self::Psi | Self::Wasserstein | Self::WassersteinNormed => 0.1,
            Self::TTest | Self::Welch | Self::EppsSingleton | Self::DomainClassifier => 0.1,
            Self::AndersonDarling => 0.09,
            Self::MannWhitney => 0.07,
            Self::Energy => 0.06,
            Self::CramerVonMises => 0.04,
            Self::NewCategories => 0.01,
            Self::JensenShannon
            | Self::Hellinger
            | Self::Kl
            | Self::TotalVariation
            | Self::LInfinity
            | Self::Ks
            | Self::ChiSquare
            | Self::GTest
            | Self::CramersV
            | Self::FisherExact
            | Self::Mmd
            | Self::MissingRate => 0.05,
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
