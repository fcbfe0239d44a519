//! Keys of gates that the service runs by itself.

use super::Key;
use crate::config::kind::Kind;

const DAY_S: u64 = 86_400;
const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

pub const KEYS: &[Key] = &[
    Key {
        path: "gates.<NAME>.champion",
        kind: Kind::Path,
        default: "none: it must be given",
        example: "champion = \"models/delay-7.onnx\"",
        about: "The model in place, an ONNX file. It is read at each run, so that a file that was replaced counts from the next run on.",
    },
    Key {
        path: "gates.<NAME>.candidate",
        kind: Kind::Path,
        default: "none: it must be given",
        example: "candidate = \"models/delay-8.onnx\"",
        about: "The model that is to take its place, an ONNX file.",
    },
    Key {
        path: "gates.<NAME>.model",
        kind: Kind::Text,
        default: "none: it must be given",
        example: "model = \"delay\"",
        about: "The model whose recorded requests both are asked.",
    },
    Key {
        path: "gates.<NAME>.version",
        kind: Kind::Text,
        default: "all versions",
        example: "version = \"7\"",
        about: "Only requests of this version.",
    },
    Key {
        path: "gates.<NAME>.environment",
        kind: Kind::Text,
        default: "all environments",
        example: "environment = \"prod\"",
        about: "Only requests of this environment.",
    },
    Key {
        path: "gates.<NAME>.segment",
        kind: Kind::Texts { max: 8 },
        default: "all requests",
        example: "segment = [\"carrier=UA\"]",
        about: "Only requests whose features and tags have these values, each as `NAME=VALUE`.",
    },
    Key {
        path: "gates.<NAME>.traffic",
        kind: Kind::Choice(&["store", "store:payloads", "store:features"]),
        default: "store",
        example: "traffic = \"store:payloads\"",
        about: "Captured payloads, recorded features, or payloads where they cover at least half as many requests as features do (docs/SHADOW.md).",
    },
    Key {
        path: "gates.<NAME>.policy",
        kind: Kind::Path,
        default: "the shipped one (`windvane shadow policy`)",
        example: "policy = \"gate.toml\"",
        about: "The checks and their bounds. It is read at each run.",
    },
    Key {
        path: "gates.<NAME>.window",
        kind: Kind::Length { min_s: 60, max_s: 400 * DAY_S },
        default: "1d",
        example: "window = \"6h\"",
        about: "How far back from now the requests of a run reach.",
    },
    Key {
        path: "gates.<NAME>.every",
        kind: Kind::Length { min_s: 60, max_s: 30 * DAY_S },
        default: "1h",
        example: "every = \"15m\"",
        about: "From one verdict to the next. Shorter than `max_age_s` of the roll-outs that ask for it.",
    },
    Key {
        path: "gates.<NAME>.sample",
        kind: Kind::Integer { min: 1, max: 200_000 },
        default: "5000",
        example: "sample = 5000",
        about: "Requests that are drawn from the window.",
    },
    Key {
        path: "gates.<NAME>.segment_by",
        kind: Kind::Texts { max: 8 },
        default: "none",
        example: "segment_by = [\"carrier\"]",
        about: "Columns whose values make segments.",
    },
    Key {
        path: "gates.<NAME>.batch_max",
        kind: Kind::Integer { min: 1, max: 65_536 },
        default: "1",
        example: "batch_max = 16",
        about: "Requests in one call of a model, where it takes several.",
    },
    Key {
        path: "gates.<NAME>.device",
        kind: Kind::Choice(&["cpu", "cuda", "tensorrt"]),
        default: "cpu",
        example: "device = \"cuda\"",
        about: "Where models run.",
    },
    Key {
        path: "gates.<NAME>.threads",
        kind: Kind::Integer { min: 1, max: 1_024 },
        default: "1",
        example: "threads = 2",
        about: "Threads inside one operator.",
    },
    Key {
        path: "gates.<NAME>.timeout",
        kind: Kind::Length { min_s: 1, max_s: DAY_S },
        default: "10m",
        example: "timeout = \"10m\"",
        about: "How long a run may take before it is ended without a verdict.",
    },
    Key {
        path: "gates.<NAME>.memory_bytes_max",
        kind: Kind::Integer { min: 256 * MIB, max: 1024 * GIB },
        default: "4294967296 (4 GiB)",
        example: "memory_bytes_max = 4294967296",
        about: "Bytes that the process with the models may take.",
    },
];
