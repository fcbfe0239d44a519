//! Where models run, and what the runtime is told about it. One place for providers: each is fatal where it cannot register,
//! because ONNX Runtime goes on with the processor otherwise and says so in a log line only.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use ort::ep::cuda::ConvAlgorithmSearch;
use ort::ep::{self, ArenaExtendStrategy, ExecutionProvider, ExecutionProviderDispatch};
use serde::{Deserialize, Serialize};

/// Where a model runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Device {
    /// The processor.
    Cpu,
    /// A graphics processor by CUDA.
    Cuda,
    /// A graphics processor by TensorRT, with CUDA for what TensorRT does not take.
    Tensorrt,
}

impl Device {
    /// The word of the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Tensorrt => "tensorrt",
        }
    }

    /// The name that ONNX Runtime gives its execution provider.
    pub fn provider(self) -> &'static str {
        match self {
            Self::Cpu => "CPUExecutionProvider",
            Self::Cuda => "CUDAExecutionProvider",
            Self::Tensorrt => "TensorrtExecutionProvider",
        }
    }
}

/// What a graphics processor is told. Nothing is left to defaults that differ between releases.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuOptions {
    /// Which processor.
    pub device_id: i32,
    /// Bytes that the arena may hold; workspaces of cuDNN and cuBLAS come on top.
    pub memory_bytes_max: usize,
    /// Whether matrix products may round their factors to TF32: faster, about three digits.
    pub tf32: bool,
    /// Whether TensorRT may compute in 16-bit floats.
    pub fp16: bool,
    /// Whether the work of a call is recorded once for its shapes and played back.
    pub cuda_graph: bool,
    /// Where TensorRT keeps the engines that it builds; without it every process builds its own.
    pub engine_cache: Option<PathBuf>,
}

impl Default for GpuOptions {
    fn default() -> Self {
        Self {
            device_id: 0,
            memory_bytes_max: 8 << 30,
            tf32: false,
            fp16: false,
            cuda_graph: false,
            engine_cache: None,
        }
    }
}

/// How a model is opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionOptions {
    /// Where it runs.
    pub device: Device,
    /// Threads inside one operator; for small models one is fastest, on a graphics processor one suffices.
    pub threads: NonZeroUsize,
    /// Which processors the threads beside the calling one stay on, in the words of ONNX Runtime: `2;3-4`, counted from 1.
    pub thread_processors: Option<String>,
    /// Whether operators that have a reproducible variant use it.
    pub deterministic: bool,
    /// How long one call may take before it is broken off.
    pub call_limit: Duration,
    /// Libraries with operators of the model's own: code that runs in this process, so each is named by the user.
    pub operator_libraries: Vec<PathBuf>,
    /// Whether calls of several requests are filled up to 2, 4, 8 …, so that there are few shapes: kernels and memory are chosen by shape.
    pub fill_calls: bool,
    /// Whether nodes may run on the processor although another device was asked for.
    pub cpu_nodes_allowed: bool,
    /// What a graphics processor is told.
    pub gpu: GpuOptions,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            device: Device::Cpu,
            threads: NonZeroUsize::MIN,
            thread_processors: None,
            deterministic: true,
            call_limit: Duration::from_secs(30),
            operator_libraries: Vec::new(),
            fill_calls: false,
            cpu_nodes_allowed: false,
            gpu: GpuOptions::default(),
        }
    }
}

impl SessionOptions {
    /// How many graphs a session may record.
    pub(crate) fn graphs(&self) -> usize {
        if self.gpu.cuda_graph && self.device != Device::Cpu { crate::graph::GRAPHS_MAX } else { 0 }
    }

    /// The providers to register, the preferred one first; none for the processor, which is always there.
    pub(crate) fn providers(&self) -> Vec<ExecutionProviderDispatch> {
        match self.device {
            Device::Cpu => Vec::new(),
            Device::Cuda => vec![self.cuda().build().error_on_failure()],
            Device::Tensorrt => {
                vec![self.tensorrt().build().error_on_failure(), self.cuda().build().error_on_failure()]
            }
        }
    }

    /// Whether the loaded library was built with the provider at all.
    pub(crate) fn compiled_in(&self) -> ort::Result<bool> {
        match self.device {
            Device::Cpu => Ok(true),
            Device::Cuda => ep::CUDA::is_available(),
            Device::Tensorrt => ep::TensorRT::is_available(),
        }
    }

    /// An exhaustive search tunes again for every new shape, which takes a hundred times as long as the call.
    fn cuda(&self) -> ep::CUDA {
        ep::CUDA::default()
            .with_device_id(self.gpu.device_id)
            .with_memory_limit(self.gpu.memory_bytes_max)
            .with_arena_extend_strategy(ArenaExtendStrategy::SameAsRequested)
            .with_conv_algorithm_search(ConvAlgorithmSearch::Heuristic)
            .with_tf32(self.gpu.tf32)
            .with_cuda_graph(self.gpu.cuda_graph && self.device == Device::Cuda)
    }

    fn tensorrt(&self) -> ep::TensorRT {
        let provider = ep::TensorRT::default()
            .with_device_id(self.gpu.device_id)
            .with_fp16(self.gpu.fp16)
            .with_layer_norm_fp32_fallback(true)
            .with_cuda_graph(self.gpu.cuda_graph);
        match &self.gpu.engine_cache {
            None => provider,
            Some(folder) => provider
                .with_engine_cache(true)
                .with_engine_cache_path(folder.display())
                .with_timing_cache(true)
                .with_timing_cache_path(folder.display()),
        }
    }

    /// What was told to the provider, for the report.
    pub fn told(&self) -> BTreeMap<String, String> {
        let gpu = &self.gpu;
        let mut told = BTreeMap::from([
            ("intra_op_num_threads".to_owned(), self.threads.to_string()),
            ("use_deterministic_compute".to_owned(), self.deterministic.to_string()),
            ("calls_filled_up".to_owned(), self.fill_calls.to_string()),
        ]);
        let pinned = self.thread_processors.iter();
        told.extend(pinned.map(|processors| ("intra_op_thread_affinities".to_owned(), processors.clone())));
        if self.device != Device::Cpu {
            told.extend([
                ("device_id".to_owned(), gpu.device_id.to_string()),
                ("gpu_mem_limit".to_owned(), gpu.memory_bytes_max.to_string()),
                ("use_tf32".to_owned(), gpu.tf32.to_string()),
                ("cudnn_conv_algo_search".to_owned(), "HEURISTIC".to_owned()),
                ("arena_extend_strategy".to_owned(), "kSameAsRequested".to_owned()),
                ("enable_cuda_graph".to_owned(), gpu.cuda_graph.to_string()),
                ("disable_cpu_ep_fallback".to_owned(), (!self.cpu_nodes_allowed).to_string()),
            ]);
        }
        if self.device == Device::Tensorrt {
            told.insert("trt_fp16_enable".to_owned(), gpu.fp16.to_string());
            told.insert("trt_layer_norm_fp32_fallback".to_owned(), "true".to_owned());
        }
        told
    }
}
