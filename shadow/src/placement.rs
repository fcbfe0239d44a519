//! On which provider the nodes of a graph ran, read from a profile of the runtime.
//!
//! A provider that was registered may still leave nodes to the processor, and the runtime tells so nowhere but here.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use windvane_types::gate::Placement;

use crate::device::Device;

/// Operators that are listed at most.
const LISTED_MAX: usize = 20;

/// An event of the profile; most of its fields say nothing about placement.
#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    args: Arguments,
}

#[derive(Deserialize, Default)]
struct Arguments {
    #[serde(default)]
    provider: String,
    #[serde(default)]
    op_name: String,
}

/// Counts the nodes of a profile by provider; a node that ran twice counts once. `None` if the text is no profile.
pub(crate) fn read(profile: &str, device: Device) -> Option<Placement> {
    let events: Vec<Event> = serde_json::from_str(profile).ok()?;
    let mut seen = BTreeSet::new();
    let mut nodes = BTreeMap::new();
    let mut on_cpu = BTreeSet::new();
    for event in &events {
        let (Event { cat, name, args }, cpu) = (event, Device::Cpu.provider());
        let is_node = cat == "Node" && name.ends_with("_kernel_time") && !args.provider.is_empty();
        if !is_node || !seen.insert((&args.provider, name)) {
            continue;
        }
        *nodes.entry(args.provider.clone()).or_insert(0) += 1;
        if device != Device::Cpu && args.provider == cpu {
            on_cpu.insert(args.op_name.clone());
        }
    }
    Some(Placement { nodes, on_cpu: on_cpu.into_iter().take(LISTED_MAX).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;

    // The layout of ONNX Runtime 1.31's profiles, shortened.
    const PROFILE: &str = r#"[
        {"cat":"Session","name":"model_run","args":{}},
        {"cat":"Node","name":"a_fence_before","args":{"op_name":"MatMul"}},
        {"cat":"Node","name":"a_kernel_time","args":{"op_name":"MatMul","provider":"CUDAExecutionProvider"}},
        {"cat":"Node","name":"a_kernel_time","args":{"op_name":"MatMul","provider":"CUDAExecutionProvider"}},
        {"cat":"Node","name":"b_kernel_time","args":{"op_name":"NonZero","provider":"CPUExecutionProvider"}}]"#;

    #[test]
    fn nodes_count_once_and_those_on_the_processor_are_named() {
        let placement = read(PROFILE, Device::Cuda).unwrap();
        assert_eq!(placement.nodes["CUDAExecutionProvider"], 1);
        assert_eq!(placement.nodes["CPUExecutionProvider"], 1);
        assert_eq!(placement.on_cpu, ["NonZero"]);
        assert!(read(PROFILE, Device::Cpu).unwrap().on_cpu.is_empty());
        assert_eq!(read("no profile", Device::Cpu), None);
    }
}
