//! Gauss-Legendre quadrature with 16 points a panel, and the integrals up to each point.

use std::sync::LazyLock;

/// Points a panel.
pub(super) const ORDER: usize = 16;

/// Positive points on [-1, 1] with their weights; mpmath at 30 digits.
const HALF: [(f64, f64); ORDER / 2] = [
    (0.095_012_509_837_637_44, 0.189_450_610_455_068_5),
    (0.281_603_550_779_258_9, 0.182_603_415_044_923_6),
    (0.458_016_777_657_227_4, 0.169_156_519_395_002_54),
    (0.617_876_244_402_643_7, 0.149_595_988_816_576_73),
    (0.755_404_408_355_003, 0.124_628_971_255_533_87),
    (0.865_631_202_387_831_7, 0.095_158_511_682_492_78),
    (0.944_575_023_073_232_6, 0.062_253_523_938_647_89),
    (0.989_400_934_991_649_9, 0.027_152_459_411_754_095),
];

/// A point of a panel and its weight there.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) weight: f64,
}

/// The points of [-1, 1] in ascending order.
static UNIT: LazyLock<[Point; ORDER]> = LazyLock::new(|| {
    std::array::from_fn(|i| {
        let (x, weight) = HALF[if i < ORDER / 2 { ORDER / 2 - 1 - i } else { i - ORDER / 2 }];
        Point { x: if i < ORDER / 2 { -x } else { x }, weight }
    })
});

/// `SO_FAR[i][j]`: what the value at point j adds to the integral from -1 to point i, exact for the polynomial through all points.
static SO_FAR: LazyLock<[[f64; ORDER]; ORDER]> = LazyLock::new(|| {
    let legendre: Vec<[f64; ORDER + 1]> = UNIT.iter().map(|point| legendre(point.x)).collect();
    std::array::from_fn(|i| {
        std::array::from_fn(|j| {
            let up_to = |k: usize| match k {
                0 => UNIT[i].x + 1.0,
                _ => (legendre[i][k + 1] - legendre[i][k - 1]) / (2 * k + 1) as f64,
            };
            let sum: f64 = (0..ORDER).map(|k| (2 * k + 1) as f64 / 2.0 * legendre[j][k] * up_to(k)).sum();
            UNIT[j].weight * sum
        })
    })
});

/// The points of the panel from `from` to `to`.
pub(super) fn panel(from: f64, to: f64) -> [Point; ORDER] {
    let (middle, half) = (f64::midpoint(from, to), (to - from) / 2.0);
    std::array::from_fn(|i| Point { x: middle + half * UNIT[i].x, weight: half * UNIT[i].weight })
}

/// From the values at a panel's points, its integrals from the start to each point and from each point to the end.
pub(super) fn cumulative(values: &[f64; ORDER], width: f64) -> [(f64, f64); ORDER] {
    let half = width / 2.0;
    std::array::from_fn(|i| {
        let (mut before, mut after) = (0.0, 0.0);
        for (j, value) in values.iter().enumerate() {
            before += value * SO_FAR[i][j];
            after += value * (UNIT[j].weight - SO_FAR[i][j]);
        }
        (half * before, half * after)
    })
}

/// Legendre's polynomials at `x`, by Bonnet's recursion.
fn legendre(x: f64) -> [f64; ORDER + 1] {
    let mut values = [1.0; ORDER + 1];
    values[1] = x;
    for k in 1..ORDER {
        let n = k as f64;
        values[k + 1] = ((2.0 * n + 1.0) * x * values[k] - n * values[k - 1]) / (n + 1.0);
    }
    values
}

#[cfg(test)]
mod tests {
    use super::{ORDER, cumulative, panel};

    #[test]
    fn an_exponential_is_integrated_to_the_last_digits() {
        let points = panel(0.0, 2.0);
        let sum: f64 = points.iter().map(|point| point.weight * point.x.exp()).sum();
        assert!((sum - (2.0_f64.exp() - 1.0)).abs() < 1e-13);
        let values: [f64; ORDER] = std::array::from_fn(|i| points[i].x.exp());
        for (point, (before, after)) in points.iter().zip(cumulative(&values, 2.0)) {
            assert!((before - point.x.exp_m1()).abs() < 1e-12);
            assert!((after - (2.0_f64.exp() - point.x.exp())).abs() < 1e-12);
        }
    }
}
