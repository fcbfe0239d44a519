//! Warming up before anybody waits for an answer: each size of a call once, because runtimes plan memory, choose kernels and build engines
//! by shape.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Session;
use crate::batch::Batch;
use crate::port::Port;
use crate::replay::chain;
use crate::tensor::Values;

/// Elements of one made-up input at most, a quarter of a gigabyte of 32-bit floats.
const ELEMENTS_MAX: usize = 1 << 26;

/// What warming up came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WarmUp {
    /// The rows of the calls that were made.
    pub sizes: Vec<usize>,
    /// Why there were no more; nothing where each size was asked.
    pub fault: Option<String>,
}

/// The sizes of calls up to the largest: 1, 2, 4, 8 …
pub(crate) fn sizes(rows_max: usize) -> Vec<usize> {
    std::iter::successors(Some(1_usize), |size| size.checked_mul(2))
        .take_while(|size| *size == 1 || *size <= rows_max)
        .collect()
}

impl Session {
    /// Makes a call of each size up to the largest, with zeros and empty texts of the shapes that the model declares. Axes that it leaves
    /// open are 1, but for that of rows. A model that wants other inputs than those says so in [`WarmUp::fault`], and can be asked all the same.
    pub fn warm_up(&mut self, rows_max: usize, within: Duration) -> WarmUp {
        let began = Instant::now();
        let mut warm = WarmUp { sizes: Vec::new(), fault: None };
        // A graph is recorded by the second call of its shape.
        let calls = if self.options.graphs() > 0 { 2 } else { 1 };
        for size in self.call_sizes(rows_max) {
            let Some(batch) = made_up((self.inputs.as_slice(), size), self.stacks(), ELEMENTS_MAX) else {
                warm.fault = Some(format!("no inputs of {size} rows can be made up for the declared shapes"));
                break;
            };
            let answered = (0..calls).try_for_each(|_| self.run(&batch, 0..batch.rows()).map(|_| ()));
            if let Err(error) = answered {
                warm.fault = Some(chain(&error));
                break;
            }
            warm.sizes.push(size);
            if began.elapsed() > within {
                warm.fault = Some(format!("it took longer than {} s", within.as_secs()));
                break;
            }
        }
        warm
    }

    /// Where calls are filled up, no others are made than of these sizes; elsewhere the largest is one more.
    fn call_sizes(&self, rows_max: usize) -> Vec<usize> {
        if !self.stacks() {
            return vec![1];
        }
        if self.options.fill_calls {
            return sizes(rows_max.next_power_of_two());
        }
        let mut sizes = sizes(rows_max);
        if sizes.last().is_some_and(|last| *last < rows_max) {
            sizes.push(rows_max);
        }
        sizes
    }
}

/// Zeros and empty texts for a model, one row of all declared axes where it does not stack; `None` where it declares an axis without extent, or
/// more elements than allowed.
pub(crate) fn made_up((inputs, rows): (&[Port], usize), stacks: bool, elements_max: usize) -> Option<Batch> {
    let mut batch = Batch::new(if stacks { rows } else { 1 });
    for port in inputs {
        let declared = if stacks { port.shape.get(1..)? } else { port.shape.as_slice() };
        let shape: Vec<usize> = declared.iter().map(|extent| extent.unwrap_or(1)).collect();
        let elements = shape.iter().try_fold(batch.rows(), |product, extent| product.checked_mul(*extent))?;
        if elements > elements_max {
            return None;
        }
        batch.push_shaped(&port.name, Values::zeros(port.element, elements), shape).ok()?;
    }
    Some(batch)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Element;

    #[test]
    fn sizes_double_up_to_the_largest_call() {
        assert_eq!(sizes(0), [1]);
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(8), [1, 2, 4, 8]);
        assert_eq!(sizes(12), [1, 2, 4, 8]);
    }

    fn port(element: Element, shape: &[Option<usize>]) -> Port {
        Port { name: element.as_str().to_owned(), element, shape: shape.to_vec() }
    }

    #[test]
    fn made_up_inputs_have_the_declared_types_and_shapes() {
        let open = [port(Element::F32, &[None, Some(3), None]), port(Element::Text, &[None])];
        let batch = made_up((open.as_slice(), 4), true, ELEMENTS_MAX).unwrap();
        assert_eq!(batch.rows(), 4);
        assert_eq!(batch.values("float32"), Some((&Values::F32(vec![0.0; 12]), 3)));
        assert_eq!(batch.values("string"), Some((&Values::Text(vec![String::new(); 4]), 1)));
        assert!(open.iter().all(|port| port.fit(4, batch.shape(&port.name).unwrap()).is_some()));
        let fixed = [port(Element::I64, &[Some(2), None, Some(4)]), port(Element::F16, &[])];
        let batch = made_up((fixed.as_slice(), 1), false, ELEMENTS_MAX).unwrap();
        assert_eq!(batch.shape("int64"), Some([2, 1, 4].as_slice()));
        assert!(fixed.iter().all(|port| port.fit(1, batch.shape(&port.name).unwrap()).is_some()));
    }

    #[test]
    fn no_inputs_are_made_up_for_shapes_without_end_or_without_elements() {
        for extent in [0, ELEMENTS_MAX + 1, usize::MAX] {
            let inputs = [port(Element::U8, &[None, Some(extent)])];
            assert_eq!(made_up((inputs.as_slice(), 2), true, ELEMENTS_MAX), None, "{extent}");
        }
    }
}
