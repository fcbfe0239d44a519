//! A model ready to run: what it declares, and its answers to rows of a batch.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::path::Path;

use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::session::{SessionInputValue, SessionInputs};
use ort::value::{DynValue, PrimitiveTensorElementType, TensorRef};

use crate::batch::{Batch, Column};
use crate::error::SessionError;
use crate::port::Port;
use crate::runtime::Runtime;
use crate::tensor::{Element, Outputs, Tensor, Values};

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Device {
    /// The processor.
    Cpu,
}

/// A model ready to run. It runs one batch at a time; give each thread its own.
#[derive(Debug)]
pub struct Session {
    model: String,
    inner: ort::session::Session,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
}

impl Session {
    /// Opens a model file. `threads` work inside one operator; for small models one is fastest.
    ///
    /// # Errors
    /// [`SessionError::Open`] if the runtime refuses the file, [`SessionError::Unsupported`] if an input or output is no
    /// tensor of a supported type.
    pub fn open(
        runtime: &Runtime,
        path: &Path,
        device: Device,
        threads: NonZeroUsize,
    ) -> Result<Self, SessionError> {
        let model = path.display().to_string();
        let opened = builder(runtime, device, threads).and_then(|mut b| b.commit_from_file(path));
        Self::ready(model, opened)
    }

    /// Opens a model held in memory, under a name for messages. It runs on the processor, one thread an operator.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_bytes(runtime: &Runtime, name: &str, model: &[u8]) -> Result<Self, SessionError> {
        let opened =
            builder(runtime, Device::Cpu, NonZeroUsize::MIN).and_then(|mut b| b.commit_from_memory(model));
        Self::ready(name.to_owned(), opened)
    }

    fn ready(model: String, opened: ort::Result<ort::session::Session>) -> Result<Self, SessionError> {
        let inner = opened.map_err(|source| SessionError::Open { model: model.clone(), source })?;
        let read = |outlets: &[ort::value::Outlet]| -> Result<Vec<Port>, SessionError> {
            outlets.iter().map(|outlet| Port::read(outlet, &model)).collect()
        };
        let (inputs, outputs) = (read(inner.inputs())?, read(inner.outputs())?);
        Ok(Self { model, inner, inputs, outputs })
    }

    /// The file's path, or the name it was given.
    pub fn model(&self) -> &str {
        &self.model
    }

    /// What the model takes, in its order.
    pub fn inputs(&self) -> &[Port] {
        &self.inputs
    }

    /// What the model answers, in its order.
    pub fn outputs(&self) -> &[Port] {
        &self.outputs
    }

    /// Runs the model on some rows of a batch, in one call of the runtime.
    ///
    /// Nothing is converted: a column must have the declared element type, and its width must fill the declared shape.
    /// A float that is missing is NaN.
    ///
    /// # Errors
    /// [`SessionError::MissingInput`] and [`SessionError::WrongInput`] show what was declared and what was given;
    /// [`SessionError::Run`] holds what the runtime said.
    pub fn run(&mut self, batch: &Batch, rows: Range<usize>) -> Result<Outputs, SessionError> {
        if rows.start > rows.end || rows.end > batch.rows() {
            return Err(SessionError::NoSuchRows { start: rows.start, end: rows.end, rows: batch.rows() });
        }
        let failed = |source| SessionError::Run { model: self.model.clone(), rows: rows.len(), source };
        let mut given = Vec::with_capacity(self.inputs.len());
        for port in &self.inputs {
            given.push(self.bind(port, batch, &rows)?);
        }
        let answered = self.inner.run(SessionInputs::<0>::ValueSlice(&given)).map_err(failed)?;
        let mut outputs = Vec::with_capacity(self.outputs.len());
        for (port, (_, value)) in self.outputs.iter().zip(answered.iter()) {
            let tensor = read(port.element, &value).map_err(failed)?;
            outputs.push((port.name.clone(), tensor));
        }
        Ok(Outputs(outputs))
    }

    /// The rows of the column that feeds an input, without a copy unless they are texts.
    fn bind<'b>(
        &self,
        port: &Port,
        batch: &'b Batch,
        rows: &Range<usize>,
    ) -> Result<SessionInputValue<'b>, SessionError> {
        let column = batch.column(&port.name).ok_or_else(|| SessionError::MissingInput {
            model: self.model.clone(),
            declared: port.to_string(),
            given: batch.describe(),
        })?;
        let shape = port.fit(rows.len(), column.width).filter(|_| column.element() == port.element);
        let shape = shape.ok_or_else(|| SessionError::WrongInput {
            model: self.model.clone(),
            declared: port.to_string(),
            given: format!("{} {} [{}, {}]", column.name, column.element(), rows.len(), column.width),
        })?;
        view(shape, column, rows).map_err(|source| SessionError::Run {
            model: self.model.clone(),
            rows: rows.len(),
            source,
        })
    }
}

fn builder(runtime: &Runtime, device: Device, threads: NonZeroUsize) -> ort::Result<SessionBuilder> {
    let Device::Cpu = device;
    let builder = ort::session::Session::builder(runtime.environment())?
        .with_intra_threads(threads.get())?
        .with_log_level(LogLevel::Error)?;
    Ok(builder)
}

fn view<'b>(shape: Vec<i64>, column: &'b Column, rows: &Range<usize>) -> ort::Result<SessionInputValue<'b>> {
    let part = rows.start * column.width..rows.end * column.width;
    Ok(match &column.values {
        Values::F32(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::F64(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::I32(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::I64(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::Bool(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::Text(v) => ort::value::Tensor::from_string_array((shape, &v[part]))?.into(),
    })
}

fn read(element: Element, value: &DynValue) -> ort::Result<Tensor> {
    fn copied<T: PrimitiveTensorElementType + Clone>(value: &DynValue) -> ort::Result<(Vec<usize>, Vec<T>)> {
        let (shape, elements) = value.try_extract_tensor::<T>()?;
        Ok((extents(shape), elements.to_vec()))
    }
    let (shape, values) = match element {
        Element::F32 => copied(value).map(|(shape, v)| (shape, Values::F32(v)))?,
        Element::F64 => copied(value).map(|(shape, v)| (shape, Values::F64(v)))?,
        Element::I32 => copied(value).map(|(shape, v)| (shape, Values::I32(v)))?,
        Element::I64 => copied(value).map(|(shape, v)| (shape, Values::I64(v)))?,
        Element::Bool => copied(value).map(|(shape, v)| (shape, Values::Bool(v)))?,
        Element::Text => {
            let (shape, texts) = value.try_extract_strings()?;
            (extents(shape), Values::Text(texts))
        }
    };
    Ok(Tensor::new(shape, values))
}

fn extents(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect()
}
