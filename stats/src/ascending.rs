//! Numbers in ascending order, without comparing them.
//!
//! Question: in which order do held values lie, so that a [`walk`](crate::walk) can go over them?
//! Input: numbers without NaN; infinities, zeros of both signs and ties may be among them.
//! Formula: the bits of a number, turned over where it is negative, are a whole number of the same order; these are put into the order of
//! their last digit, then of the digit before it, and so on, digits being bytes.
//! Valid when: always; numbers that 32 bits hold are sorted as such, with half the digits.
//! Reference: Knuth (1998), The Art of Computer Programming 3, section 5.2.5, algorithm R.
//! Oracle: `sort_unstable_by(f64::total_cmp)` of the standard library.
//! Cost: 4.5 ns a value of 32 bits and 8 ns one of 64, where comparing takes 20 (200,000 random ones); room for as many values twice, of 32
//! or of 64 bits.

/// Values up to which comparing costs less than counting digits.
const COMPARED_MAX: usize = 500;
/// Different digits.
const RADIX: usize = 1 << 8;
/// Digits of the widest keys.
const DIGITS_MAX: usize = 8;

/// Sorts numbers; what room it needs it keeps from one time to the next.
#[derive(Debug, Default)]
pub struct Sorter {
    narrow: [Vec<u32>; 2],
    wide: [Vec<u64>; 2],
}

impl Sorter {
    /// Puts numbers, none of which is NaN, into ascending order.
    pub fn sort(&mut self, values: &mut [f64]) {
        if values.is_sorted() {
            return;
        }
        if values.len() <= COMPARED_MAX {
            values.sort_unstable_by(f64::total_cmp);
        } else if values.iter().all(|value| f64::from(*value as f32) == *value) {
            by_digits(values, &mut self.narrow);
        } else {
            by_digits(values, &mut self.wide);
        }
    }
}

/// A whole number that lies among others as the number does that it stands for.
trait Key: Copy + Default {
    const DIGITS: usize;
    fn of(value: f64) -> Self;
    fn value(self) -> f64;
    fn digit(self, place: usize) -> usize;
}

impl Key for u32 {
    const DIGITS: usize = 4;

    fn of(value: f64) -> Self {
        let bits = (value as f32).to_bits();
        let negative = (bits.cast_signed() >> 31).cast_unsigned();
        bits ^ (negative | 1 << 31)
    }

    fn value(self) -> f64 {
        let negative = ((!self).cast_signed() >> 31).cast_unsigned();
        f64::from(f32::from_bits(self ^ (negative | 1 << 31)))
    }

    fn digit(self, place: usize) -> usize {
        (self >> (8 * place)) as usize % RADIX
    }
}

impl Key for u64 {
    const DIGITS: usize = DIGITS_MAX;

    fn of(value: f64) -> Self {
        let bits = value.to_bits();
        let negative = (bits.cast_signed() >> 63).cast_unsigned();
        bits ^ (negative | 1 << 63)
    }

    fn value(self) -> f64 {
        let negative = ((!self).cast_signed() >> 63).cast_unsigned();
        f64::from_bits(self ^ (negative | 1 << 63))
    }

    fn digit(self, place: usize) -> usize {
        (self >> (8 * place)) as usize % RADIX
    }
}

/// Sorts by all digits, the last one first; each time values of one digit keep the order that they have.
fn by_digits<K: Key>(values: &mut [f64], [keys, other]: &mut [Vec<K>; 2]) {
    keys.clear();
    keys.extend(values.iter().map(|value| K::of(*value)));
    other.resize(keys.len().max(other.len()), K::default());
    let mut counts = [[0_usize; RADIX]; DIGITS_MAX];
    for key in keys.iter() {
        for (place, counts) in counts.iter_mut().take(K::DIGITS).enumerate() {
            counts[key.digit(place)] += 1;
        }
    }
    let (mut from, mut to) = (keys.as_mut_slice(), &mut other[..values.len()]);
    for (place, counts) in counts.iter_mut().take(K::DIGITS).enumerate() {
        // A digit that all values have in common changes no order.
        if counts.contains(&from.len()) {
            continue;
        }
        let mut at = 0;
        for count in counts.iter_mut() {
            at += std::mem::replace(count, at);
        }
        for key in from.iter() {
            let at = &mut counts[key.digit(place)];
            to[*at] = *key;
            *at += 1;
        }
        std::mem::swap(&mut from, &mut to);
    }
    for (value, key) in values.iter_mut().zip(from.iter()) {
        *value = key.value();
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::{COMPARED_MAX, Sorter};

    /// Sorted by comparing, to the last bit.
    fn check(sorter: &mut Sorter, values: Vec<f64>) {
        let mut expected = values.clone();
        expected.sort_unstable_by(f64::total_cmp);
        let mut sorted = values;
        sorter.sort(&mut sorted);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<u64>>();
        assert_eq!(bits(&sorted), bits(&expected), "{} values", expected.len());
    }

    #[test]
    fn the_order_is_that_of_comparing() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut sorter = Sorter::default();
        let odd =
            [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, 1.0, -1.0, f64::from(f32::MIN_POSITIVE) / 4.0];
        // Also after larger ones, whose room is still there.
        for n in [0, 1, COMPARED_MAX, COMPARED_MAX + 1, 70_000, 3_000] {
            let spread = |rng: &mut ChaCha8Rng| (rng.random::<f64>() - 0.5) * 1e9_f64.powf(rng.random());
            let drawn: Vec<f64> = (0..n).map(|_| spread(&mut rng)).collect();
            let narrow = |value: &f64| f64::from(*value as f32);
            check(&mut sorter, drawn.iter().map(narrow).chain(odd).collect());
            check(&mut sorter, drawn.iter().map(|value| value.round()).chain(odd).collect());
            check(
                &mut sorter,
                drawn.iter().copied().chain([f64::MAX, f64::MIN, 5e-324]).chain(odd).collect(),
            );
            check(&mut sorter, vec![-7.25; n]);
        }
    }
}
