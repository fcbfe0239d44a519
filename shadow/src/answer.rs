//! What a model answered to one request: its part of the outputs of a call.

use std::ops::Range;
use std::rc::Rc;

use windvane_types::gate::Shown;

use crate::tensor::{Element, Outputs, Values};

/// Elements of a tensor that are shown to a person.
const SHOWN_MAX: usize = 16;
/// Characters of a text that are shown.
const SHOWN_CHARACTERS_MAX: usize = 120;

/// The answer to one request.
#[derive(Debug, Clone)]
pub struct Answer {
    outputs: Rc<Outputs>,
    row: usize,
    requests: usize,
}

impl Answer {
    /// The answers of a call to so many requests; `None` if an output does not have a row for each.
    pub fn split(outputs: Outputs, requests: usize) -> Option<Vec<Self>> {
        let rows = |tensor: &crate::tensor::Tensor| tensor.shape().first() == Some(&requests);
        if requests != 1 && !outputs.iter().all(|(_, tensor)| rows(tensor)) {
            return None;
        }
        let outputs = Rc::new(outputs);
        Some((0..requests).map(|row| Self { outputs: Rc::clone(&outputs), row, requests }).collect())
    }

    /// An output.
    pub fn output(&self, name: &str) -> Option<View<'_>> {
        let tensor = self.outputs.get(name)?;
        let (shape, values) = (tensor.shape(), tensor.values());
        if self.requests == 1 {
            return Some(View {
                first: shape.first().copied(),
                rest: shape.get(1..).unwrap_or(&[]),
                values,
                range: 0..values.len(),
            });
        }
        let width = values.len() / self.requests;
        Some(View {
            first: Some(1),
            rest: &shape[1..],
            values,
            range: self.row * width..(self.row + 1) * width,
        })
    }

    /// All outputs, shortened, for a person.
    pub fn shown(&self) -> std::collections::BTreeMap<String, Shown> {
        let one = |(name, _): (&str, _)| Some((name.to_owned(), self.output(name)?.shown()));
        self.outputs.iter().filter_map(one).collect()
    }
}

/// One output of one answer, as if the request had been asked alone.
#[derive(Debug, Clone)]
pub struct View<'a> {
    first: Option<usize>,
    rest: &'a [usize],
    values: &'a Values,
    range: Range<usize>,
}

impl<'a> View<'a> {
    /// A tensor of a request, from its elements among those of all rows.
    pub(crate) fn of(values: &'a Values, range: Range<usize>, shape: &'a [usize]) -> Self {
        Self { first: None, rest: shape, values, range }
    }

    /// The element type.
    pub fn element(&self) -> Element {
        self.values.element()
    }

    /// How many elements.
    pub fn len(&self) -> usize {
        self.range.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// The extent of each dimension.
    pub fn shape(&self) -> Vec<usize> {
        self.first.into_iter().chain(self.rest.iter().copied()).collect()
    }

    /// Whether both have the same shape.
    pub fn same_shape(&self, other: &View<'_>) -> bool {
        self.first == other.first && self.rest == other.rest
    }

    /// The elements as 32-bit floats, if they are.
    pub fn as_f32(&self) -> Option<&'a [f32]> {
        match self.values {
            Values::F32(v) => v.get(self.range.clone()),
            _ => None,
        }
    }

    /// An element as a number.
    pub fn number(&self, at: usize) -> Option<f64> {
        self.values.number(self.range.start + at).filter(|_| at < self.len())
    }

    /// An element as a word.
    pub fn word(&self, at: usize) -> Option<String> {
        self.values.word(self.range.start + at).filter(|_| at < self.len())
    }

    /// Whether element `at` of both is the same, exactly.
    pub(crate) fn same(&self, other: &View<'_>, at: usize) -> bool {
        let (i, j) = (self.range.start + at, other.range.start + at);
        macro_rules! same {
            ($($kind:ident),*) => {
                match (self.values, other.values) {
                    $((Values::$kind(a), Values::$kind(b)) => a[i] == b[j],)*
                    _ => false,
                }
            };
        }
        same!(F16, F32, F64, I8, I16, I32, I64, U8, U16, U32, U64, Bool, Text)
    }

    /// How many floats of the type lie between two finite elements: the distance in units of the last place.
    pub(crate) fn ulps(&self, other: &View<'_>, at: usize) -> Option<u64> {
        let (i, j) = (self.range.start + at, other.range.start + at);
        // As integers floats are in order once negative ones are turned around.
        fn ordered(bits: u64, sign: u64) -> i128 {
            if bits & sign == 0 { i128::from(bits) } else { -i128::from(bits & !sign) }
        }
        let (a, b, sign) = match (self.values, other.values) {
            (Values::F16(a), Values::F16(b)) => {
                (u64::from(a[i].to_bits()), u64::from(b[j].to_bits()), 1 << 15)
            }
            (Values::F32(a), Values::F32(b)) => {
                (u64::from(a[i].to_bits()), u64::from(b[j].to_bits()), 1 << 31)
            }
            (Values::F64(a), Values::F64(b)) => (a[i].to_bits(), b[j].to_bits(), 1 << 63),
            _ => return None,
        };
        u64::try_from((ordered(a, sign) - ordered(b, sign)).abs()).ok()
    }

    /// The first elements, for a person.
    pub fn shown(&self) -> Shown {
        let value = |at: usize| match self.number(at).filter(|_| self.element() != Element::Bool) {
            // Of whole numbers every digit is told.
            Some(_) if !self.element().is_float() => self
                .word(at)
                .and_then(|word| serde_json::from_str::<serde_json::Value>(&word).ok())
                .unwrap_or_default(),
            Some(x) if x.is_finite() => serde_json::json!(x),
            Some(x) => serde_json::json!(x.to_string()),
            None => {
                let word = self.word(at).unwrap_or_default();
                serde_json::json!(word.chars().take(SHOWN_CHARACTERS_MAX).collect::<String>())
            }
        };
        Shown { shape: self.shape(), first: (0..self.len().min(SHOWN_MAX)).map(value).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Tensor;

    fn outputs(shape: &[usize], values: Values) -> Outputs {
        Outputs(vec![("y".to_owned(), Tensor::new(shape.to_vec(), values))])
    }

    #[test]
    fn a_call_of_several_is_split_by_its_first_axis() {
        let answers = Answer::split(outputs(&[2, 3], Values::I32(vec![0, 1, 2, 10, 11, 12])), 2).unwrap();
        let view = answers[1].output("y").unwrap();
        assert_eq!(
            (view.shape(), view.number(0), view.number(2), view.number(3)),
            (vec![1, 3], Some(10.0), Some(12.0), None)
        );
        assert!(Answer::split(outputs(&[3, 2], Values::I32(vec![0; 6])), 2).is_none());
        assert!(Answer::split(outputs(&[], Values::I32(vec![0])), 1).is_some());
    }

    #[test]
    fn one_request_alone_and_in_a_call_has_one_shape() {
        let alone = Answer::split(outputs(&[1, 3], Values::I32(vec![10, 11, 12])), 1).unwrap();
        let together = Answer::split(outputs(&[2, 3], Values::I32(vec![0, 1, 2, 10, 11, 12])), 2).unwrap();
        let (a, b) = (alone[0].output("y").unwrap(), together[1].output("y").unwrap());
        assert!(a.same_shape(&b) && (0..3).all(|at| a.same(&b, at)));
    }

    #[test]
    fn whole_numbers_are_shown_with_all_digits() {
        let shown = |values: Values| View::of(&values, 0..values.len(), &[2]).shown().first;
        assert_eq!(shown(Values::I64(vec![(1 << 53) + 1, -3])), [9_007_199_254_740_993_i64, -3]);
        assert_eq!(shown(Values::U64(vec![u64::MAX, 0])), [u64::MAX, 0]);
        assert_eq!(shown(Values::U8(vec![255, 0])), [255, 0]);
        assert_eq!(shown(Values::F32(vec![0.5, 2.0])), [0.5, 2.0]);
    }

    #[test]
    fn units_of_the_last_place_are_counted_across_zero() {
        let of = |a: f32, b: f32| {
            let (a, b) = (Values::F32(vec![a]), Values::F32(vec![b]));
            View::of(&a, 0..1, &[]).ulps(&View::of(&b, 0..1, &[]), 0)
        };
        assert_eq!(of(1.0, 1.0 + f32::EPSILON), Some(1));
        assert_eq!(of(-0.0, 0.0), Some(0));
        assert_eq!(of(-f32::from_bits(1), f32::from_bits(2)), Some(3));
    }
}
