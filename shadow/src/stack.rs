//! Requests that wait together, in one call of a model: their tensors stacked along the first axis, and the answers cut apart again.

use crate::batch::Batch;
use crate::port::Port;
use crate::tensor::{Outputs, Tensor};

/// Several requests as one.
#[derive(Debug)]
pub struct Stack {
    batch: Batch,
    /// How many rows each request brought.
    rows: Vec<usize>,
}

impl Stack {
    /// Stacks requests of which each brings its own axis of rows; `None` where they do not go together: another element type, another
    /// shape beside the first axis, an input that is missing, inputs of one request with different numbers of rows.
    #[must_use]
    pub fn of(inputs: &[Port], requests: &[&Batch]) -> Option<Self> {
        let (first, others) = requests.split_first()?;
        let rows = requests.iter().map(|request| rows(inputs, request)).collect::<Option<Vec<_>>>()?;
        let mut batch = Batch::new(rows.iter().sum());
        for port in inputs {
            let column = first.column(&port.name)?;
            let mut values = column.values.clone();
            for other in others {
                let other = other.column(&port.name)?;
                if other.shape.get(1..) != column.shape.get(1..) || !values.append(&other.values) {
                    return None;
                }
            }
            batch.push_shaped(&port.name, values, column.shape.get(1..)?.to_vec()).ok()?;
        }
        Some(Self { batch, rows })
    }

    /// Whether two requests go together.
    #[must_use]
    pub fn goes(inputs: &[Port], (a, b): (&Batch, &Batch)) -> bool {
        let alike = |port: &Port| {
            let (Some(a), Some(b)) = (a.column(&port.name), b.column(&port.name)) else { return false };
            a.element() == b.element() && a.shape.get(1..) == b.shape.get(1..)
        };
        rows(inputs, a).is_some() && rows(inputs, b).is_some() && inputs.iter().all(alike)
    }

    /// What the model is asked: the rows of all requests, which a session may fill up as it does those of recorded traffic.
    #[must_use]
    pub fn batch(&self) -> &Batch {
        &self.batch
    }

    /// What it answered to each; `None` if an output does not have a row for each row that was asked.
    #[must_use]
    pub fn cut(&self, outputs: &Outputs) -> Option<Vec<Outputs>> {
        let all: usize = self.rows.iter().sum();
        if !outputs.iter().all(|(_, tensor)| tensor.shape().first() == Some(&all)) {
            return None;
        }
        let mut from = 0;
        let cut = self.rows.iter().map(|rows| {
            let start = from;
            from += rows;
            outputs.rows(start..from)
        });
        Some(cut.collect())
    }
}

/// How far apart the elements of two answers to one request may be, as a share of the largest: 16-bit floats, and kernels for other sizes of
/// a call, differ by less, and the row of another request by more.
const NEAR: f64 = 0.01;

impl Outputs {
    /// Whether these are answers to the same request: the same names, types, shapes and words, and nearly the same floats.
    #[must_use]
    pub fn is_near(&self, other: &Self) -> bool {
        let mut pairs = self.iter().zip(other.iter());
        self.iter().count() == other.iter().count()
            && pairs.all(|((a_name, a), (b_name, b))| a_name == b_name && is_near(a, b))
    }

    /// Some rows of every output. Each has to have an axis of rows that holds them.
    pub(crate) fn rows(&self, rows: std::ops::Range<usize>) -> Self {
        let part = |(name, tensor): (&str, &Tensor)| {
            let mut shape = tensor.shape().to_vec();
            let all = shape.first().copied().unwrap_or(1).max(1);
            let width = tensor.values().len() / all;
            if let Some(first) = shape.first_mut() {
                *first = rows.len();
            }
            let values = tensor.values().part(rows.start * width..rows.end * width);
            (name.to_owned(), Tensor::new(shape, values))
        };
        Self(self.iter().map(part).collect())
    }
}

fn is_near(a: &Tensor, b: &Tensor) -> bool {
    let (x, y) = (a.values(), b.values());
    if a.shape() != b.shape() || x.element() != y.element() {
        return false;
    }
    if !x.element().is_float() {
        return x == y;
    }
    let pairs: Vec<(f64, f64)> = (0..x.len()).filter_map(|at| x.number(at).zip(y.number(at))).collect();
    let sizes = pairs.iter().flat_map(|(a, b)| [a.abs(), b.abs()]);
    let largest = sizes.filter(|size| size.is_finite()).fold(0.0, f64::max);
    // Where both are not a number, or both the same infinity, they are the same.
    pairs.iter().all(|(a, b)| a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= NEAR * largest)
}

/// The rows that a request brings, the same number in each input; `None` where it brings none.
fn rows(inputs: &[Port], request: &Batch) -> Option<usize> {
    // A tensor that leaves the axis of rows out, which is taken alone, has another first axis.
    let extent = |port: &Port| {
        let shape = &request.column(&port.name)?.shape;
        shape.first().copied().filter(|_| shape.len() == port.shape.len())
    };
    let mut extents = inputs.iter().map(extent);
    let first = extents.next()?.filter(|rows| *rows > 0 && request.rows() == 1)?;
    extents.all(|rows| rows == Some(first)).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::{Element, Values};

    fn inputs() -> [Port; 2] {
        let port = |name: &str, element, shape: &[Option<usize>]| Port {
            name: name.to_owned(),
            element,
            shape: shape.to_vec(),
        };
        [port("x", Element::F32, &[None, Some(2)]), port("t", Element::Text, &[None])]
    }

    fn request(x: &[f32], shape: &[usize], t: &[&str]) -> Batch {
        let mut batch = Batch::new(1);
        batch.push_shaped("x", Values::F32(x.to_vec()), shape.to_vec()).unwrap();
        let texts = t.iter().map(|text| (*text).to_owned()).collect();
        batch.push_shaped("t", Values::Text(texts), vec![t.len()]).unwrap();
        batch
    }

    #[test]
    fn each_request_gets_the_rows_that_it_brought() {
        let (a, b) =
            (request(&[1.0, 2.0], &[1, 2], &["a"]), request(&[3.0, 4.0, 5.0, 6.0], &[2, 2], &["b", "c"]));
        assert!(Stack::goes(&inputs(), (&a, &b)));
        let stack = Stack::of(&inputs(), &[&a, &b]).unwrap();
        assert_eq!(stack.batch().rows(), 3);
        assert_eq!(stack.batch().shape("x"), Some([2].as_slice()));
        assert_eq!(stack.batch().shape("t"), Some([].as_slice()));
        let outputs = Outputs(vec![
            ("y".to_owned(), Tensor::new(vec![3], Values::F32(vec![10.0, 20.0, 30.0]))),
            ("z".to_owned(), Tensor::new(vec![3, 2], Values::I64(vec![1, 2, 3, 4, 5, 6]))),
        ]);
        let cut = stack.cut(&outputs).unwrap();
        assert_eq!(cut.len(), 2);
        assert_eq!(cut[0].get("y").unwrap(), &Tensor::new(vec![1], Values::F32(vec![10.0])));
        assert_eq!(cut[1].get("z").unwrap(), &Tensor::new(vec![2, 2], Values::I64(vec![3, 4, 5, 6])));
    }

    #[test]
    fn requests_that_are_not_alike_do_not_go_together() {
        let a = request(&[1.0, 2.0], &[1, 2], &["a"]);
        let mut missing = Batch::new(1);
        missing.push_shaped("x", Values::F32(vec![1.0, 2.0]), vec![1, 2]).unwrap();
        let mut other = a.clone();
        other.push_shaped("x", Values::F64(vec![1.0, 2.0]), vec![1, 2]).unwrap();
        for (what, b) in [
            ("another shape", request(&[1.0, 2.0, 3.0], &[1, 3], &["a"])),
            ("uneven rows", request(&[1.0, 2.0], &[1, 2], &["a", "b"])),
            ("no axis of rows", request(&[1.0], &[], &["a"])),
            ("an input is missing", missing),
            ("another type", other),
        ] {
            assert!(!Stack::goes(&inputs(), (&a, &b)), "{what}");
            assert!(Stack::of(&inputs(), &[&a, &b]).is_none(), "{what}");
        }
        let bare = request(&[1.0, 2.0], &[2], &["a", "b"]);
        assert!(!Stack::goes(&inputs(), (&bare, &bare)), "without the axis of rows");
        assert!(Stack::of(&inputs(), &[&bare, &bare]).is_none(), "without the axis of rows");
    }

    #[test]
    fn answers_are_near_where_only_rounding_tells_them_apart() {
        let answer = |shape: &[usize], y: &[f32], label: &str| {
            let label = Tensor::new(vec![1], Values::Text(vec![label.to_owned()]));
            let y = Tensor::new(shape.to_vec(), Values::F32(y.to_vec()));
            Outputs(vec![("label".to_owned(), label), ("y".to_owned(), y)])
        };
        let (nan, infinity) = (f32::NAN, f32::INFINITY);
        let alone = answer(&[1, 4], &[0.9, 0.001, nan, infinity], "a");
        for (what, together, expected) in [
            ("rounding", answer(&[1, 4], &[0.9001, 0.0012, nan, infinity], "a"), true),
            ("another number", answer(&[1, 4], &[0.9, 0.1, nan, infinity], "a"), false),
            ("a number for none", answer(&[1, 4], &[0.9, 0.001, 0.0, infinity], "a"), false),
            ("a number for an infinity", answer(&[1, 4], &[0.9, 0.001, nan, 1.0], "a"), false),
            ("another label", answer(&[1, 4], &[0.9, 0.001, nan, infinity], "b"), false),
            ("another shape", answer(&[2, 2], &[0.9, 0.001, nan, infinity], "a"), false),
        ] {
            assert_eq!(alone.is_near(&together), expected, "{what}");
        }
    }

    #[test]
    fn an_answer_without_a_row_for_each_is_not_cut() {
        let a = request(&[1.0, 2.0], &[1, 2], &["a"]);
        let stack = Stack::of(&inputs(), &[&a, &a]).unwrap();
        let scalar = Tensor::new(vec![], Values::F32(vec![1.0]));
        assert!(stack.cut(&Outputs(vec![("y".to_owned(), scalar)])).is_none());
    }
}
