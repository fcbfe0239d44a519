//! Thresholds: which values of a metric are usual, by how much it scatters over parts of the reference.
//!
//! Question: is this value beyond what the reference has shown by itself?
//! Input: the metric of each part of the reference; parts where it is not defined are left out.
//! Formula: offset - a·σ and offset + b·σ; the offset is the mean, the median, the least or the greatest value, σ the population
//! standard deviation.
//! Valid when: parts are as large as what is judged; ten parts fix σ to within about a fifth.
//! Degenerate: below two values there is none.
//! Reference: Shewhart 1931, Economic Control of Quality of Manufactured Product (limits of so many deviations).
//! Oracle: NannyML 0.13.1 `StandardDeviationThreshold` (field case C27).
//! Cost: a sort for the median.

/// Where the band is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Offset {
    /// At the mean.
    #[default]
    Mean,
    /// At the median.
    Median,
    /// At the least value.
    Min,
    /// At the greatest value.
    Max,
}

/// How wide the band is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Deviations {
    /// Standard deviations below the offset.
    pub below: f64,
    /// Above it.
    pub above: f64,
    /// What it is put around.
    pub offset: Offset,
}

impl Default for Deviations {
    fn default() -> Self {
        Self { below: 3.0, above: 3.0, offset: Offset::Mean }
    }
}

/// The ends of the band; `None` below two values.
#[must_use]
pub fn band(values: &[f64], rule: Deviations) -> Option<[f64; 2]> {
    let mut values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    if values.len() < 2 {
        return None;
    }
    values.sort_by(f64::total_cmp);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let deviation = (values.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / n).sqrt();
    let middle = values.len() / 2;
    let offset = match rule.offset {
        Offset::Mean => mean,
        Offset::Median if values.len().is_multiple_of(2) => (values[middle - 1] + values[middle]) / 2.0,
        Offset::Median => values[middle],
        Offset::Min => values[0],
        Offset::Max => values[values.len() - 1],
    };
    Some([offset - rule.below * deviation, offset + rule.above * deviation])
}

#[cfg(test)]
mod tests {
    use super::{Deviations, Offset, band};

    // Field case C27.
    #[test]
    fn c27_the_field_cases_have_their_ends() {
        let ramp: Vec<f64> = (0..30).map(f64::from).collect();
        for (below, above, offset, expected) in [
            (1.4, 2.0, Offset::Median, [2.382_381_972_241_136, 31.810_882_896_798_38]),
            (0.3, 3.1, Offset::Min, [-2.596_632_434_519_756_7, 26.831_868_490_037_49]),
        ] {
            let found = band(&ramp, Deviations { below, above, offset }).unwrap();
            for (found, expected) in found.into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
            }
        }
        let rule = Deviations { below: 1.0, above: 1.0, offset: Offset::Min };
        let found = band(&[-1.0, 1.0, f64::NAN, 1.0, 1.0], rule).unwrap();
        assert!((found[0] + 1.866_025_403_784_438_4).abs() < 1e-12, "{found:?}");
    }

    #[test]
    fn one_value_has_no_band() {
        assert_eq!(band(&[0.5, f64::NAN], Deviations::default()), None);
    }
}
