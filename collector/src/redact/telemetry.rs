//! `[otlp.redaction]`: which attributes of telemetry are never written, and whether what people and models said to each other is.
//!
//! Attributes `windvane.*` are events, and go by the rules of their models.

use super::{Keep, fits};

/// What happens to spans, log records and data points.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Telemetry {
    /// Attributes by name: of resources, scopes, spans, their events and links, log records and data points.
    pub attributes: Keep,
    /// Names of attributes, or `beginning*`, whose values are hashed with the key of units that belong to no model.
    pub hashed: Vec<String>,
    /// Whether prompts, answers, and the arguments and results of tools are dropped.
    pub drop_messages: bool,
    /// Whether bodies of log records are dropped.
    pub drop_log_bodies: bool,
}

/// Attributes with what was said, by the conventions of GenAI (current and earlier), OpenInference and OpenLLMetry.
const MESSAGES: &[&str] = &[
    "embedding.embeddings*",
    "embedding.text",
    "embedding.vector",
    "gen_ai.completion",
    "gen_ai.completion.*",
    "gen_ai.evaluation.explanation",
    "gen_ai.event.content",
    "gen_ai.input.*",
    "gen_ai.output.messages",
    "gen_ai.prompt",
    "gen_ai.prompt.*",
    "gen_ai.retrieval.documents*",
    "gen_ai.retrieval.query*",
    "gen_ai.system_instructions",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "gen_ai.tool.definitions",
    "gen_ai.tool.message",
    "input.value",
    "llm.completions*",
    "llm.function_call",
    "llm.input_messages*",
    "llm.output_messages*",
    "llm.prompt_template.*",
    "llm.prompts*",
    "llm.request.functions*",
    "llm.tools*",
    "output.value",
    "reranker.input_documents*",
    "reranker.output_documents*",
    "reranker.query",
    "retrieval.documents*",
    "tool.parameters",
    "tool_call.function.arguments",
    "traceloop.entity.input",
    "traceloop.entity.output",
];

/// Events of this beginning are messages of a conversation: their other attributes are what was said.
const MESSAGE_EVENTS: &str = "gen_ai.";
const SAID_OF_MESSAGES: &[&str] =
    &["error.*", "event.name", "finish_reason", "gen_ai.*", "id", "index", "role", "server.*"];

/// What becomes of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Kept,
    Hashed,
    Dropped,
}

impl Telemetry {
    /// Whether an event of this name is a message, which is to be dropped.
    pub(crate) fn drops_event(&self, name: &str) -> bool {
        self.drop_messages && name.starts_with(MESSAGE_EVENTS)
    }

    /// Of an attribute of anything.
    pub(crate) fn fate(&self, name: &str) -> Fate {
        let is_dropped = self.drop_messages && any_fits(MESSAGES, name);
        if is_dropped || !self.attributes.keeps(name) {
            Fate::Dropped
        } else if any_fits(&self.hashed, name) {
            Fate::Hashed
        } else {
            Fate::Kept
        }
    }

    /// Of an attribute of an event that [`Self::drops_event`].
    pub(crate) fn fate_in_message(&self, name: &str) -> Fate {
        if any_fits(SAID_OF_MESSAGES, name) { self.fate(name) } else { Fate::Dropped }
    }
}

fn any_fits(patterns: &[impl AsRef<str>], name: &str) -> bool {
    patterns.iter().any(|pattern| fits(pattern.as_ref(), name))
}
