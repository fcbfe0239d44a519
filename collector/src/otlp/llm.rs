//! Calls of large language models, read out of spans: OpenTelemetry's GenAI conventions (today's names and those up to 1.36),
//! OpenInference, and OpenLLMetry. Which attribute becomes which column: docs/FORMATS.md.

use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use windvane_store::llm_calls::Row;

use super::Context;
use super::attributes::{count, find, number, string};
use super::prices::Tokens;
use super::spans::Checked;
use crate::limits::{OfService, Replaced, Word};

/// Operations of the GenAI conventions that call a model. Agents, tools and workflows carry sums of the calls below them.
const CALLS: [&str; 4] = ["chat", "generate_content", "text_completion", "embeddings"];

const PROVIDER: [&str; 5] =
    ["gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"];
const REQUEST_MODEL: [&str; 2] = ["gen_ai.request.model", "llm.request.model"];
/// OpenInference has one name for both, which is that of the answer where there is one.
const RESPONSE_MODEL: [&str; 4] =
    ["gen_ai.response.model", "llm.response.model", "llm.model_name", "embedding.model_name"];
const INPUT: [&str; 4] = [
    "gen_ai.usage.input_tokens",
    "gen_ai.usage.prompt_tokens",
    "llm.token_count.prompt",
    "llm.usage.prompt_tokens",
];
const OUTPUT: [&str; 4] = [
    "gen_ai.usage.output_tokens",
    "gen_ai.usage.completion_tokens",
    "llm.token_count.completion",
    "llm.usage.completion_tokens",
];
const CACHE_READ: [&str; 5] = [
    "gen_ai.usage.cache_read.input_tokens",
    "gen_ai.usage.cache_read_input_tokens",
    "llm.token_count.prompt_details.cache_read",
    "llm.token_count.prompt_details.cache_input",
    "llm.usage.cache_read_input_tokens",
];
const CACHE_WRITE: [&str; 4] = [
    "gen_ai.usage.cache_creation.input_tokens",
    "gen_ai.usage.cache_creation_input_tokens",
    "llm.token_count.prompt_details.cache_write",
    "llm.usage.cache_creation_input_tokens",
];
const REASONING: [&str; 4] = [
    "gen_ai.usage.reasoning.output_tokens",
    "gen_ai.usage.reasoning_tokens",
    "llm.token_count.completion_details.reasoning",
    "llm.usage.reasoning_tokens",
];
const FINISH: [&str; 4] = [
    "gen_ai.response.finish_reasons",
    "gen_ai.completion.0.finish_reason",
    "llm.finish_reason",
    "llm.response.finish_reason",
];
const CONVERSATION: [&str; 3] =
    ["gen_ai.conversation.id", "session.id", "traceloop.association.properties.session_id"];
const STREAMED: [&str; 3] = ["gen_ai.request.stream", "gen_ai.is_streaming", "llm.is_streaming"];
/// In seconds.
const FIRST_CHUNK: [&str; 2] = ["gen_ai.response.time_to_first_chunk", "gen_ai.server.time_to_first_token"];
/// Events of spans that say that a piece of the answer has come.
const CHUNK_EVENTS: [&str; 3] =
    ["First Token Stream Event", "gen_ai.content.completion.chunk", "llm.content.completion.chunk"];

/// The call that a span is, if it is one.
pub(super) fn call<'a>(checked: &Checked<'a>, context: &Context<'a>) -> Option<Row<'a>> {
    let attributes = checked.span.attributes.as_slice();
    let (convention, operation) = recognise(attributes)?;
    let request_model = request_model(attributes);
    let response_model = match string(attributes, &RESPONSE_MODEL) {
        "" => request_model,
        model => model,
    };
    let tokens = tokens(attributes);
    let price = context.prices.of(response_model).or_else(|| context.prices.of(request_model));
    let cost = price.and_then(|price| price.cost(&tokens));
    let first = first_token_us(checked);
    let duration_us = checked.duration_ns / 1000;
    Some(Row {
        ts_us: checked.ts_ns / 1000,
        ingested_at_us: context.now_us,
        trace_id: checked.trace_id,
        span_id: checked.span_id,
        service: checked.origin.service,
        environment: checked.origin.environment,
        operation,
        provider: string(attributes, &PROVIDER),
        request_model,
        response_model,
        response_id: string(attributes, &["gen_ai.response.id", "llm.response.id"]),
        conversation_id: string(attributes, &CONVERSATION),
        input_tokens: tokens.input,
        output_tokens: tokens.output,
        cache_read_tokens: tokens.cache_read,
        cache_write_tokens: tokens.cache_write,
        reasoning_tokens: count(attributes, &REASONING),
        finish_reasons: finish_reasons(attributes),
        streamed: first.is_some() || matches!(find(attributes, &STREAMED), Some(Value::BoolValue(true))),
        duration_us,
        time_to_first_token_us: first,
        time_per_output_token_us: time_per_token(duration_us, first, tokens.output),
        cost,
        currency: if cost.is_some() { &context.prices.currency } else { "" },
        status: status(checked),
        convention,
    })
}

/// Replaces the words of a call that are beyond their bounds; the attributes of its span have them.
pub(super) fn bound(call: &mut Row<'_>, words: &OfService<'_>) -> Replaced {
    let mut replaced = words.replaced();
    let alone = [
        (Word::Environment, &mut call.environment),
        (Word::Operation, &mut call.operation),
        (Word::Provider, &mut call.provider),
        (Word::Model, &mut call.request_model),
        (Word::Model, &mut call.response_model),
        (Word::Status, &mut call.status),
    ];
    let reasons = call.finish_reasons.iter_mut().map(|reason| (Word::FinishReason, reason));
    for (word, value) in alone.into_iter().chain(reasons) {
        let told = *value;
        *value = words.written(word, told, &mut replaced);
    }
    replaced
}

/// The model that was asked for; OpenInference has it in the parameters of the call only.
fn request_model(attributes: &[KeyValue]) -> &str {
    #[derive(serde::Deserialize)]
    struct Parameters<'a> {
        model: &'a str,
    }
    match string(attributes, &REQUEST_MODEL) {
        "" => {
            let parameters = string(attributes, &["llm.invocation_parameters"]);
            let model = serde_json::from_str(parameters).map(|Parameters { model }| model);
            model.unwrap_or_else(|_| string(attributes, &RESPONSE_MODEL[2..]))
        }
        model => model,
    }
}

/// Whose attributes a span has, and which operation it is.
fn recognise(attributes: &[KeyValue]) -> Option<(&'static str, &str)> {
    match string(attributes, &["openinference.span.kind"]) {
        "LLM" => return Some(("openinference", "chat")),
        "EMBEDDING" => return Some(("openinference", "embeddings")),
        "" => {}
        _ => return None,
    }
    let of_openllmetry = match string(attributes, &["llm.request.type"]) {
        "" => None,
        "completion" => Some("text_completion"),
        "embedding" => Some("embeddings"),
        operation => Some(operation),
    };
    if let Some(operation) = of_openllmetry {
        return Some(("openllmetry", operation));
    }
    match string(attributes, &["gen_ai.operation.name"]) {
        // Before there was a name of the operation, who answered and what was asked for told a call.
        "" => {
            let is_call = !string(attributes, &["gen_ai.system", "gen_ai.provider.name"]).is_empty()
                && !string(attributes, &["gen_ai.request.model", "gen_ai.response.model"]).is_empty();
            is_call.then_some(("gen_ai", "chat"))
        }
        operation => CALLS.contains(&operation).then_some(("gen_ai", operation)),
    }
}

/// The counts. Some instrumentations count the tokens of the cache apart from the input: where they alone are more than it, they are
/// added.
fn tokens(attributes: &[KeyValue]) -> Tokens {
    let (cache_read, cache_write) = (count(attributes, &CACHE_READ), count(attributes, &CACHE_WRITE));
    let cached = cache_read.unwrap_or_default() + cache_write.unwrap_or_default();
    let input = count(attributes, &INPUT).map(|input| if cached > input { input + cached } else { input });
    Tokens { input, output: count(attributes, &OUTPUT), cache_read, cache_write }
}

fn finish_reasons(attributes: &[KeyValue]) -> Vec<&str> {
    match find(attributes, &FINISH) {
        Some(Value::StringValue(reason)) if !reason.is_empty() => vec![reason],
        Some(Value::ArrayValue(reasons)) => {
            reasons.values.iter().filter_map(|reason| as_text(reason.value.as_ref()?)).collect()
        }
        _ => Vec::new(),
    }
}

fn as_text(value: &Value) -> Option<&str> {
    match value {
        Value::StringValue(text) => Some(text),
        _ => None,
    }
}

/// By its attribute, or by the first event that says that a piece has come.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked")]
fn first_token_us(checked: &Checked<'_>) -> Option<u64> {
    let seconds =
        number(&checked.span.attributes, &FIRST_CHUNK).filter(|seconds| (0.0..1e6).contains(seconds));
    seconds.map(|seconds| (seconds * 1e6).round() as u64).or_else(|| {
        let chunks = checked.span.events.iter().filter(|event| CHUNK_EVENTS.contains(&event.name.as_str()));
        let first = chunks.map(|event| event.time_unix_nano).min()?;
        Some(first.saturating_sub(checked.span.start_time_unix_nano) / 1000)
    })
}

/// How long each token after the first took.
#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of a call and counts of tokens are far below 2^53"
)]
fn time_per_token(duration_us: u64, first_us: Option<u64>, output: Option<u64>) -> Option<f64> {
    let further = output?.checked_sub(1).filter(|further| *further > 0)?;
    Some(duration_us.checked_sub(first_us?)? as f64 / further as f64)
}

fn status<'a>(checked: &Checked<'a>) -> &'a str {
    match string(&checked.span.attributes, &["error.type"]) {
        "" if checked.failed() => "error",
        "" => "ok",
        error => error,
    }
}
