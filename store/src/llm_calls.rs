//! The `llm_calls` table: calls of large language models, read out of spans.

use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};

/// The layouts of the table's wire rows, oldest first; see [`crate::Table`].
pub(crate) const LAYOUTS: &[&[Column]] = &[&[
    column("ts", Wire::Micros),
    column("ingested_at", Wire::Micros),
    column("trace_id", Wire::Text),
    column("span_id", Wire::Text),
    column("service", Wire::Word),
    column("environment", Wire::Word),
    column("operation", Wire::Word),
    column("provider", Wire::Word),
    column("request_model", Wire::Word),
    column("response_model", Wire::Word),
    column("response_id", Wire::Text),
    column("conversation_id", Wire::Text),
    column("input_tokens", Wire::OptionalCount),
    column("output_tokens", Wire::OptionalCount),
    column("cache_read_tokens", Wire::OptionalCount),
    column("cache_write_tokens", Wire::OptionalCount),
    column("reasoning_tokens", Wire::OptionalCount),
    column("finish_reasons", Wire::WordList),
    column("streamed", Wire::Flag),
    column("duration_us", Wire::Count),
    column("time_to_first_token_us", Wire::OptionalCount),
    column("time_per_output_token_us", Wire::OptionalNumber),
    column("cost", Wire::OptionalNumber),
    column("currency", Wire::Word),
    column("status", Wire::Word),
    column("convention", Wire::Word),
]];

/// One row of `llm_calls` in the current layout, borrowed from the span.
#[derive(Debug, Clone, Default)]
pub struct Row<'a> {
    /// When the call began, microseconds since 1970 UTC.
    pub ts_us: i64,
    /// When the collector took it, microseconds since 1970 UTC.
    pub ingested_at_us: i64,
    /// W3C trace id, hex.
    pub trace_id: &'a str,
    /// W3C span id, hex.
    pub span_id: &'a str,
    /// Who called.
    pub service: &'a str,
    /// Where that runs.
    pub environment: &'a str,
    /// `chat`, `embeddings`, `text_completion` …
    pub operation: &'a str,
    /// Who answered: `openai`, `anthropic` …
    pub provider: &'a str,
    /// The model that was asked for.
    pub request_model: &'a str,
    /// The model that answered.
    pub response_model: &'a str,
    /// The provider's id of the answer.
    pub response_id: &'a str,
    /// The conversation that the call is part of.
    pub conversation_id: &'a str,
    /// Tokens of the prompt, those from the cache included.
    pub input_tokens: Option<u64>,
    /// Tokens of the answer, those of reasoning included.
    pub output_tokens: Option<u64>,
    /// Tokens of the prompt that came from the provider's cache.
    pub cache_read_tokens: Option<u64>,
    /// Tokens of the prompt that were written to the provider's cache.
    pub cache_write_tokens: Option<u64>,
    /// Tokens of the answer that were reasoning.
    pub reasoning_tokens: Option<u64>,
    /// Why each choice ended.
    pub finish_reasons: Vec<&'a str>,
    /// Whether the answer came piece by piece.
    pub streamed: bool,
    /// How long the call took, microseconds.
    pub duration_us: u64,
    /// How long until the first piece of the answer, microseconds.
    pub time_to_first_token_us: Option<u64>,
    /// How long each further token took, microseconds.
    pub time_per_output_token_us: Option<f64>,
    /// What it cost by the price table.
    pub cost: Option<f64>,
    /// In which currency; empty without a cost.
    pub currency: &'a str,
    /// `ok`, or a word for the failure.
    pub status: &'a str,
    /// Whose attributes the span had.
    pub convention: &'a str,
}

impl Row<'_> {
    /// Appends the row in layout 1.
    pub fn encode(&self, out: &mut Vec<u8>) {
        rb::i64(out, self.ts_us);
        rb::i64(out, self.ingested_at_us);
        for text in
            [self.trace_id, self.span_id, self.service, self.environment, self.operation, self.provider]
        {
            rb::string(out, text);
        }
        for text in [self.request_model, self.response_model, self.response_id, self.conversation_id] {
            rb::string(out, text);
        }
        let tokens = [
            self.input_tokens,
            self.output_tokens,
            self.cache_read_tokens,
            self.cache_write_tokens,
            self.reasoning_tokens,
        ];
        for count in tokens {
            rb::nullable(out, count, rb::u64);
        }
        rb::array(out, &self.finish_reasons, |out, reason| rb::string(out, reason));
        out.push(u8::from(self.streamed));
        rb::u64(out, self.duration_us);
        rb::nullable(out, self.time_to_first_token_us, rb::u64);
        rb::nullable(out, self.time_per_output_token_us, rb::f64);
        rb::nullable(out, self.cost, rb::f64);
        for text in [self.currency, self.status, self.convention] {
            rb::string(out, text);
        }
    }
}
