//! A model ready to run: what it declares, and its answers to rows of a batch.

mod warm_up;

use std::ops::Range;
use std::path::{Path, PathBuf};

use half::f16;
use ort::logging::LogLevel;
use ort::session::builder::SessionBuilder;
use ort::session::{SessionInputValue, SessionInputs};
use ort::value::{DynValue, PrimitiveTensorElementType, TensorRef};
use windvane_types::gate::Placement;

use crate::batch::{Batch, Column};
use crate::device::{Device, SessionOptions};
use crate::error::SessionError;
use crate::graph::Recorded;
use crate::placement;
use crate::port::Port;
use crate::runtime::Runtime;
use crate::tensor::{Element, Outputs, Tensor, Values};
use crate::traffic::sample::take_rows;
use crate::watchdog::Watchdog;

pub use warm_up::WarmUp;
pub(crate) use warm_up::{made_up, sizes};

/// A model of one node, y = x + x, in the format of ONNX: operator set 13, one 32-bit float in and out.
const PROBE: &[u8] = b"\x08\x08\x12\x08windvane:9\n\x0e\n\x01x\n\x01x\x12\x01y\"\x03Add\x12\x05probe\
Z\x0f\n\x01x\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01b\x0f\n\x01y\x12\n\n\x08\x08\x01\x12\x04\n\x02\x08\x01B\x04\n\x00\x10\r";

/// A model ready to run. It runs one batch at a time; give each thread its own.
#[derive(Debug)]
pub struct Session {
    model: String,
    /// Calls that were recorded; they go before the session whose memory they use.
    recorded: Vec<Recorded>,
    inner: ort::session::Session,
    inputs: Vec<Port>,
    outputs: Vec<Port>,
    watchdog: Watchdog,
    options: SessionOptions,
}

impl Session {
    /// Opens a model file.
    ///
    /// # Errors
    /// [`SessionError::Device`] if the device is not there, [`SessionError::Open`] if the runtime refuses the file,
    /// [`SessionError::Unsupported`] if an input or output is no tensor of a supported type.
    pub fn open(runtime: &Runtime, path: &Path, options: &SessionOptions) -> Result<Self, SessionError> {
        Self::open_profiled(runtime, path, options, None)
    }

    /// As [`Session::open`]; calls are profiled into a file that begins with `profile` until [`Session::placement`] is asked.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_profiled(
        runtime: &Runtime,
        path: &Path,
        options: &SessionOptions,
        profile: Option<&Path>,
    ) -> Result<Self, SessionError> {
        let model = path.display().to_string();
        let mut builder = builder(runtime, options)?;
        if let Some(profile) = profile {
            builder = builder
                .with_profiling(profile)
                .map_err(|error| SessionError::Open { model: model.clone(), source: error.into() })?;
        }
        let opened = builder.commit_from_file(path);
        Self::ready(model, options, opened)
    }

    /// Opens a model held in memory, under a name for messages. It runs on the processor, one thread an operator.
    ///
    /// # Errors
    /// As [`Session::open`].
    pub fn open_bytes(runtime: &Runtime, name: &str, model: &[u8]) -> Result<Self, SessionError> {
        let options = SessionOptions::default();
        let opened = builder(runtime, &options)?.commit_from_memory(model);
        Self::ready(name.to_owned(), &options, opened)
    }

    /// Whether the device works: a model of one addition opens and answers on it. What fails later is the model's fault.
    ///
    /// # Errors
    /// [`SessionError::Device`] with what the runtime said.
    pub fn probe(runtime: &Runtime, options: &SessionOptions) -> Result<(), SessionError> {
        let device = options.device.as_str();
        if options.device == Device::Cpu {
            return Ok(());
        }
        let fault = |error| match error {
            SessionError::Open { source, .. } | SessionError::Run { source, .. } => {
                SessionError::Device { device, source: Some(source) }
            }
            other => other,
        };
        let plain = SessionOptions { operator_libraries: Vec::new(), ..options.clone() };
        let opened = builder(runtime, &plain)?.commit_from_memory(PROBE);
        let mut session = Self::ready("probe".to_owned(), &plain, opened).map_err(fault)?;
        let mut batch = Batch::new(1);
        batch.push("x", Values::F32(vec![1.0]))?;
        session.run(&batch, 0..1).map(|_| ()).map_err(fault)
    }

    fn ready(
        model: String,
        options: &SessionOptions,
        opened: ort::Result<ort::session::Session>,
    ) -> Result<Self, SessionError> {
        let refused = |source| SessionError::Open { model: model.clone(), source };
        let inner = opened.map_err(refused)?;
        let read = |outlets: &[ort::value::Outlet]| -> Result<Vec<Port>, SessionError> {
            outlets.iter().map(|outlet| Port::read(outlet, &model)).collect()
        };
        let (inputs, outputs) = (read(inner.inputs())?, read(inner.outputs())?);
        let watchdog = Watchdog::start(options.call_limit, options.graphs()).map_err(refused)?;
        Ok(Self { model, recorded: Vec::new(), inner, inputs, outputs, watchdog, options: options.clone() })
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

    /// The operator set of the default domain, where the runtime tells it.
    pub fn opset(&self) -> Option<u32> {
        self.inner.opset_for_domain("")
    }

    /// What made the file, as it says.
    pub fn producer(&self) -> Option<String> {
        self.inner.metadata().ok()?.producer().filter(|name| !name.is_empty())
    }

    /// Ends profiling and says where the nodes that ran so far ran. The profile's file is removed.
    ///
    /// # Errors
    /// [`SessionError::Profile`] if the runtime wrote no profile that can be read.
    pub fn placement(&mut self) -> Result<Placement, SessionError> {
        let profile =
            |path: PathBuf, source| SessionError::Profile { model: self.model.clone(), path, source };
        let path = self.inner.end_profiling().map_err(|source| self.failed(0, Some(source)))?;
        let path = PathBuf::from(path);
        let text = std::fs::read_to_string(&path).map_err(|source| profile(path.clone(), source))?;
        std::fs::remove_file(&path).map_err(|source| profile(path.clone(), source))?;
        placement::read(&text, self.options.device)
            .ok_or_else(|| profile(path, std::io::ErrorKind::InvalidData.into()))
    }

    /// Whether the rows of this batch can go several at once into one call, as far as what is declared tells.
    pub fn batches(&self, batch: &Batch) -> bool {
        let input = |port: &Port| batch.column(&port.name).is_some_and(|column| port.batches(&column.shape));
        self.inputs.iter().all(input)
            && self.outputs.iter().all(|port| port.shape.first().is_some_and(Option::is_none))
    }

    /// Whether requests that bring their own axis of rows can go together into one call, as far as what is declared tells.
    pub fn stacks(&self) -> bool {
        let is_open = |port: &Port| port.shape.first().is_some_and(Option::is_none);
        self.inputs.iter().chain(&self.outputs).all(is_open)
    }

    /// Whether the model takes the columns of this batch row by row.
    ///
    /// # Errors
    /// [`SessionError::MissingInput`] and [`SessionError::WrongInput`] show what was declared and what was given.
    pub fn accepts(&self, batch: &Batch) -> Result<(), SessionError> {
        self.inputs.iter().try_for_each(|port| self.fit(port, batch, 1).map(|_| ()))
    }

    /// Runs the model on some rows of a batch, in one call of the runtime.
    ///
    /// Nothing is converted: a column must have the declared element type, and its rows must have the declared shape.
    /// A float that is missing is NaN.
    ///
    /// # Errors
    /// [`SessionError::MissingInput`] and [`SessionError::WrongInput`] show what was declared and what was given;
    /// [`SessionError::Run`] holds what the runtime said; [`SessionError::Endless`] if it took too long.
    pub fn run(&mut self, batch: &Batch, rows: Range<usize>) -> Result<Outputs, SessionError> {
        if rows.start > rows.end || rows.end > batch.rows() {
            return Err(SessionError::NoSuchRows { start: rows.start, end: rows.end, rows: batch.rows() });
        }
        let size = rows.len().next_power_of_two();
        if self.options.fill_calls && rows.len() > 1 && size > rows.len() && self.batches(batch) {
            let last = std::iter::repeat_n(rows.end - 1, size - rows.len());
            let filled: Vec<usize> = rows.clone().chain(last).collect();
            let outputs = self.exactly(&take_rows(batch, &filled), 0..size)?;
            if outputs.iter().all(|(_, tensor)| tensor.shape().first() == Some(&size)) {
                return Ok(outputs.rows(0..rows.len()));
            }
        }
        self.exactly(batch, rows)
    }

    fn exactly(&mut self, batch: &Batch, rows: Range<usize>) -> Result<Outputs, SessionError> {
        let (mut given, mut shapes) = (Vec::with_capacity(self.inputs.len()), Vec::new());
        for port in &self.inputs {
            let (column, shape) = self.fit(port, batch, rows.len())?;
            if self.options.graphs() > 0 {
                shapes.push(shape.clone());
            }
            given.push(view(shape, column, &rows).map_err(|source| self.failed(rows.len(), Some(source)))?);
        }
        if self.options.graphs() == 0 {
            self.plainly(&given, rows.len())
        } else {
            self.played((&given, shapes), rows.len())
        }
    }

    /// Plays a recorded call back, or makes it and readies the next of its shapes to be recorded.
    fn played(
        &mut self,
        (given, shapes): (&[SessionInputValue<'_>], Vec<Vec<i64>>),
        rows: usize,
    ) -> Result<Outputs, SessionError> {
        if let Some(graph) = self.recorded.iter().position(|recorded| recorded.has(&shapes)) {
            let (inner, outputs) = (&mut self.inner, &self.outputs);
            let recorded = &mut self.recorded[graph];
            let answered = self.watchdog.call(Some(graph), |options| {
                let values = recorded.run(inner, given, options)?;
                let named = |(port, value): (&Port, &DynValue)| -> ort::Result<(String, Tensor)> {
                    Ok((port.name.clone(), read(port.element, value)?))
                };
                Ok(Outputs(outputs.iter().zip(&values).map(named).collect::<ort::Result<_>>()?))
            });
            return answered.map_err(|source| self.failed(rows, source));
        }
        let outputs = self.plainly(given, rows)?;
        if self.recorded.len() < self.options.graphs() {
            let device_id = self.options.gpu.device_id;
            let recorded = Recorded::new(&self.inner, device_id, (&self.inputs, shapes), &outputs);
            let recorded = recorded.map_err(|source| self.failed(rows, Some(source)))?;
            self.recorded.push(recorded);
        }
        Ok(outputs)
    }

    fn plainly(&mut self, given: &[SessionInputValue<'_>], rows: usize) -> Result<Outputs, SessionError> {
        let inputs = SessionInputs::<0>::ValueSlice(given);
        let (inner, outputs) = (&mut self.inner, &self.outputs);
        let answered = self.watchdog.call(None, |options| {
            let answered = inner.run_with_options(inputs, options)?;
            let mut tensors = Vec::with_capacity(outputs.len());
            for (port, (_, value)) in outputs.iter().zip(answered.iter()) {
                tensors.push((port.name.clone(), read(port.element, &value)?));
            }
            Ok(Outputs(tensors))
        });
        answered.map_err(|source| self.failed(rows, source))
    }

    fn failed(&self, rows: usize, source: Option<ort::Error>) -> SessionError {
        let model = self.model.clone();
        match source {
            Some(source) => SessionError::Run { model, rows, source },
            None => SessionError::Endless { model, rows, seconds: self.options.call_limit.as_secs_f64() },
        }
    }

    /// The column that feeds an input, and the shape that its rows take there.
    fn fit<'b>(
        &self,
        port: &Port,
        batch: &'b Batch,
        rows: usize,
    ) -> Result<(&'b Column, Vec<i64>), SessionError> {
        let column = batch.column(&port.name).ok_or_else(|| SessionError::MissingInput {
            model: self.model.clone(),
            declared: port.to_string(),
            given: batch.describe(),
        })?;
        let shape = port.fit(rows, &column.shape).filter(|_| column.element() == port.element);
        let shape = shape.ok_or_else(|| SessionError::WrongInput {
            model: self.model.clone(),
            declared: port.to_string(),
            given: column.describe(rows),
        })?;
        Ok((column, shape))
    }
}

/// A builder whose provider is registered.
fn builder(runtime: &Runtime, options: &SessionOptions) -> Result<SessionBuilder, SessionError> {
    let unavailable = |source| SessionError::Device { device: options.device.as_str(), source };
    let build = || -> ort::Result<SessionBuilder> {
        let mut builder = ort::session::Session::builder(runtime.environment())?
            .with_intra_threads(options.threads.get())?
            .with_deterministic_compute(options.deterministic)?
            .with_log_level(LogLevel::Fatal)?;
        // Waiting threads would take the processor from the session beside this one.
        builder = builder.with_config_entry("session.intra_op.allow_spinning", "0")?;
        if let Some(processors) = &options.thread_processors {
            builder = builder.with_config_entry("session.intra_op_thread_affinities", processors)?;
        }
        if options.device != Device::Cpu {
            // Patterns of memory are remembered by shape, and shapes change with the batch.
            builder = builder.with_memory_pattern(false)?;
            if !options.cpu_nodes_allowed {
                builder = builder.with_disable_cpu_fallback()?;
            }
        }
        for library in &options.operator_libraries {
            builder = builder.with_operator_library(library)?;
        }
        Ok(builder)
    };
    let builder = build().map_err(|source| SessionError::Settings { source })?;
    if !options.compiled_in().map_err(|source| unavailable(Some(source)))? {
        return Err(unavailable(None));
    }
    builder.with_execution_providers(options.providers()).map_err(|error| unavailable(Some(error.into())))
}

fn view<'b>(shape: Vec<i64>, column: &'b Column, rows: &Range<usize>) -> ort::Result<SessionInputValue<'b>> {
    let part = rows.start * column.width..rows.end * column.width;
    Ok(match &column.values {
        Values::F16(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::F32(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::F64(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::I8(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::I16(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::I32(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::I64(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::U8(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::U16(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::U32(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::U64(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::Bool(v) => TensorRef::from_array_view((shape, &v[part]))?.into(),
        Values::Text(v) => ort::value::Tensor::from_string_array((shape, &v[part]))?.into(),
    })
}

fn read(element: Element, value: &DynValue) -> ort::Result<Tensor> {
    fn copied<T: PrimitiveTensorElementType + Clone>(
        value: &DynValue,
        of: fn(Vec<T>) -> Values,
    ) -> ort::Result<Tensor> {
        let (shape, elements) = value.try_extract_tensor::<T>()?;
        Ok(Tensor::new(extents(shape), of(elements.to_vec())))
    }
    match element {
        Element::F16 => copied::<f16>(value, Values::F16),
        Element::F32 => copied(value, Values::F32),
        Element::F64 => copied(value, Values::F64),
        Element::I8 => copied(value, Values::I8),
        Element::I16 => copied(value, Values::I16),
        Element::I32 => copied(value, Values::I32),
        Element::I64 => copied(value, Values::I64),
        Element::U8 => copied(value, Values::U8),
        Element::U16 => copied(value, Values::U16),
        Element::U32 => copied(value, Values::U32),
        Element::U64 => copied(value, Values::U64),
        Element::Bool => copied(value, Values::Bool),
        Element::Text => {
            let (shape, texts) = value.try_extract_strings()?;
            Ok(Tensor::new(extents(shape), Values::Text(texts)))
        }
    }
}

fn extents(shape: &[i64]) -> Vec<usize> {
    shape.iter().map(|&extent| usize::try_from(extent).unwrap_or(0)).collect()
}
