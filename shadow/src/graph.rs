//! Calls that are recorded once on a graphics processor and played back (CUDA graphs).
//!
//! What is recorded are addresses, so that every tensor has to stay where it was and to keep its shape: each input is copied into a place of
//! its own on the processor, and each output is written to one. Without that a graph would read what lay there when it was
//! recorded.

use ort::memory::{AllocationDevice, Allocator, AllocatorType, MemoryInfo, MemoryType};
use ort::session::{IoBinding, RunOptions, Session, SessionInputValue};
use ort::value::{DynTensor, DynTensorValueType, DynValue, TensorElementType};

use crate::port::Port;
use crate::tensor::{Element, Outputs};

/// Graphs of one session: calls of 1, 2, 4 … 128 requests. Calls of other shapes are not recorded.
pub(crate) const GRAPHS_MAX: usize = 8;

/// The places of the tensors of one shape of call.
#[derive(Debug)]
pub(crate) struct Recorded {
    shapes: Vec<Vec<i64>>,
    binding: IoBinding,
    inputs: Vec<DynTensor>,
    outputs: Vec<DynTensor>,
}

impl Recorded {
    /// Places for inputs of these shapes, and for outputs like those that such a call gave.
    ///
    /// # Errors
    /// The processor has no room, or a tensor has no place on it.
    pub(crate) fn new(
        session: &Session,
        device_id: i32,
        (inputs, shapes): (&[Port], Vec<Vec<i64>>),
        answered: &Outputs,
    ) -> ort::Result<Self> {
        let memory =
            MemoryInfo::new(AllocationDevice::CUDA, device_id, AllocatorType::Device, MemoryType::Default)?;
        let allocator = Allocator::new(session, memory)?;
        let mut recorded = Self {
            binding: session.create_binding()?,
            inputs: Vec::with_capacity(inputs.len()),
            outputs: Vec::new(),
            shapes,
        };
        for (port, shape) in inputs.iter().zip(&recorded.shapes) {
            let place = DynTensor::new(&allocator, declared(port.element), shape.clone())?;
            recorded.binding.bind_input(port.name.as_str(), &place)?;
            recorded.inputs.push(place);
        }
        for (name, tensor) in answered.iter() {
            let shape = tensor.shape().to_vec();
            let mut place = DynTensor::new(&allocator, declared(tensor.values().element()), shape)?;
            recorded.binding.bind_output(name, &mut place)?;
            recorded.outputs.push(place);
        }
        Ok(recorded)
    }

    /// Whether a call has the shapes of this one.
    pub(crate) fn has(&self, shapes: &[Vec<i64>]) -> bool {
        self.shapes == shapes
    }

    /// Plays the call back on other inputs: its outputs in the order of the model, copied back to where Rust reads them.
    ///
    /// # Errors
    /// What the runtime says.
    pub(crate) fn run(
        &mut self,
        session: &mut Session,
        given: &[SessionInputValue<'_>],
        options: &RunOptions,
    ) -> ort::Result<Vec<DynValue>> {
        for (value, place) in given.iter().zip(&mut self.inputs) {
            value.view().downcast::<DynTensorValueType>()?.copy_into(place)?;
        }
        session.run_binding_with_options(&self.binding, options)?;
        let fetched = |place: &DynTensor| -> ort::Result<DynValue> {
            Ok(place.to(AllocationDevice::CPU, 0)?.into_dyn())
        };
        self.outputs.iter().map(fetched).collect()
    }
}

fn declared(element: Element) -> TensorElementType {
    match element {
        Element::F16 => TensorElementType::Float16,
        Element::F32 => TensorElementType::Float32,
        Element::F64 => TensorElementType::Float64,
        Element::I8 => TensorElementType::Int8,
        Element::I16 => TensorElementType::Int16,
        Element::I32 => TensorElementType::Int32,
        Element::I64 => TensorElementType::Int64,
        Element::U8 => TensorElementType::Uint8,
        Element::U16 => TensorElementType::Uint16,
        Element::U32 => TensorElementType::Uint32,
        Element::U64 => TensorElementType::Uint64,
        Element::Bool => TensorElementType::Bool,
        Element::Text => TensorElementType::String,
    }
}
