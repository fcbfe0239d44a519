//! What rows of findings have in common, whatever was looked at.

use serde::{Deserialize, Serialize};

/// What makes rows of one run belong together: the monitor, the window, and what it was compared with. Times end with the second, so that two
/// runs by hand within one have the same, and only their ids differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    pub monitor: String,
    pub version: String,
    pub environment: String,
    pub reference_kind: String,
    pub reference_name: String,
    pub window_start: String,
    pub window_end: String,
    pub granularity: String,
}
