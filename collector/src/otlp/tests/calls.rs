//! Calls of language models: what the names of every convention become, and what is none.

use opentelemetry_proto::tonic::trace::v1::span::Event;

use super::*;
use crate::otlp::attributes::Origin;
use crate::otlp::spans::Checked;

/// What the tests ask of a call.
type Call = (&'static str, &'static str, [Option<u64>; 5], Option<f64>);

/// Finish reasons, time to the first token, time per token.
type Course = (Vec<String>, Option<u64>, Option<f64>);

/// Reads the call that a span is, if it is one.
fn with_call<T>(span: &Span, read: impl FnOnce(&windvane_store::llm_calls::Row<'_>) -> T) -> Option<T> {
    in_context(Door::open(), |context| {
        let origin = Origin::of(None, "", context.door.words);
        let duration_ns = span.end_time_unix_nano - span.start_time_unix_nano;
        let ts_ns = i64::try_from(span.start_time_unix_nano).unwrap();
        let checked = Checked { span, origin: &origin, trace_id: "t", span_id: "s", ts_ns, duration_ns };
        llm::call(&checked, context).map(|call| read(&call))
    })
}

fn call_of(span: &Span) -> Option<(Call, Course)> {
    with_call(span, |call| {
        let tokens = [
            call.input_tokens,
            call.output_tokens,
            call.cache_read_tokens,
            call.cache_write_tokens,
            call.reasoning_tokens,
        ];
        let leak = |text: &str| -> &'static str { Box::leak(text.to_owned().into_boxed_str()) };
        let finish = call.finish_reasons.iter().map(|reason| (*reason).to_owned()).collect();
        let what = (
            leak(&format!("{} {} {}", call.convention, call.operation, call.provider)),
            leak(call.response_model),
            tokens,
            call.cost,
        );
        (what, (finish, call.time_to_first_token_us, call.time_per_output_token_us))
    })
}

/// Each name of docs/FORMATS.md that has a column of its own; where several are there the first one counts.
#[test]
fn names_of_every_convention_give_conversation_finish_and_models() {
    let gen_ai = serde_json::json!({"gen_ai.operation.name": "chat", "gen_ai.request.model": "m"});
    let openinference = serde_json::json!({"openinference.span.kind": "LLM"});
    let openllmetry = serde_json::json!({"llm.request.type": "chat"});
    let cases = [
        (
            &gen_ai,
            serde_json::json!({"gen_ai.conversation.id": "c1", "session.id": "no"}),
            ["c1", "", "m", "m"],
        ),
        (
            &gen_ai,
            serde_json::json!({"gen_ai.response.finish_reasons": ["stop", "length"]}),
            ["", "stop,length", "m", "m"],
        ),
        (
            &openinference,
            serde_json::json!({"session.id": "c2", "llm.finish_reason": "stop"}),
            ["c2", "stop", "", ""],
        ),
        (
            &openinference,
            serde_json::json!({"llm.model_name": "m-1", "llm.invocation_parameters": "{\"model\":\"m\"}"}),
            ["", "", "m", "m-1"],
        ),
        (
            &openinference,
            serde_json::json!({"llm.model_name": "m-1", "llm.invocation_parameters": "{}"}),
            ["", "", "m-1", "m-1"],
        ),
        (
            &openinference,
            serde_json::json!({"openinference.span.kind": "EMBEDDING", "embedding.model_name": "e"}),
            ["", "", "e", "e"],
        ),
        (
            &openllmetry,
            serde_json::json!({"traceloop.association.properties.session_id": "c3", "gen_ai.completion.0.finish_reason": "stop"}),
            ["c3", "stop", "", ""],
        ),
        (
            &openllmetry,
            serde_json::json!({"llm.request.model": "m", "llm.response.model": "m-1", "llm.response.finish_reason": "length"}),
            ["", "length", "m", "m-1"],
        ),
    ];
    for (convention, more, expected) in cases {
        let mut of = convention.clone();
        of.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let found = with_call(&span(of.clone()), |call| {
            [call.conversation_id, &call.finish_reasons.join(","), call.request_model, call.response_model]
                .map(str::to_owned)
        });
        assert_eq!(found.as_ref().map(|found| found.each_ref().map(String::as_str)), Some(expected), "{of}");
    }
}

#[test]
fn tokens_and_providers_have_names_of_openinference_and_openllmetry() {
    let openinference = serde_json::json!({"openinference.span.kind": "LLM", "llm.system": "openai", "llm.token_count.prompt": 10,
        "llm.token_count.completion": 7, "llm.token_count.prompt_details.cache_input": 4,
        "llm.token_count.prompt_details.cache_write": 3, "llm.token_count.completion_details.reasoning": 2});
    let openllmetry = serde_json::json!({"llm.request.type": "completion", "llm.vendor": "openai", "llm.usage.prompt_tokens": 10,
        "llm.usage.completion_tokens": 7, "llm.usage.cache_read_input_tokens": 4, "llm.usage.cache_creation_input_tokens": 3,
        "llm.usage.reasoning_tokens": 2});
    for (of, what) in
        [(openinference, "openinference chat openai"), (openllmetry, "openllmetry text_completion openai")]
    {
        let (call, _) = call_of(&span(of)).unwrap();
        assert_eq!((call.0, call.2), (what, [Some(10), Some(7), Some(4), Some(3), Some(2)]));
    }
}

/// Costs by hand: prices of a million tokens 2.5 in, 10 out, 1.25 from the cache.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn every_convention_gives_the_same_columns() {
    let today = serde_json::json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o", "gen_ai.response.model": "gpt-4o-2024-08-06", "gen_ai.usage.input_tokens": 1000,
        "gen_ai.usage.output_tokens": 101, "gen_ai.usage.cache_read.input_tokens": 400, "gen_ai.usage.reasoning.output_tokens": 50,
        "gen_ai.response.finish_reasons": ["stop"], "gen_ai.response.time_to_first_chunk": 0.5});
    let before = serde_json::json!({"gen_ai.system": "openai", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": 1000, "gen_ai.usage.completion_tokens": 101});
    let openinference = serde_json::json!({"openinference.span.kind": "LLM", "llm.provider": "openai", "llm.model_name": "gpt-4o",
        "llm.token_count.prompt": 1000, "llm.token_count.completion": 101, "llm.token_count.prompt_details.cache_read": 400});
    let openllmetry = serde_json::json!({"llm.request.type": "chat", "gen_ai.system": "OpenAI", "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.prompt_tokens": "1000", "gen_ai.usage.completion_tokens": 101, "gen_ai.completion.0.finish_reason": "length"});
    let apart = serde_json::json!({"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic",
        "gen_ai.request.model": "claude", "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 1,
        "gen_ai.usage.cache_read_input_tokens": 900, "gen_ai.usage.cache_creation_input_tokens": 90});
    let some = |n: u64| Some(n);
    let cases: [(serde_json::Value, Call, &[&str]); 5] = [
        (
            today,
            (
                "gen_ai chat openai",
                "gpt-4o-2024-08-06",
                [some(1000), some(101), some(400), None, some(50)],
                Some((600.0 * 2.5 + 400.0 * 1.25 + 101.0 * 10.0) / 1e6),
            ),
            &["stop"],
        ),
        (
            before,
            (
                "gen_ai chat openai",
                "gpt-4o",
                [some(1000), some(101), None, None, None],
                Some((1000.0 * 2.5 + 101.0 * 10.0) / 1e6),
            ),
            &[],
        ),
        (
            openinference,
            (
                "openinference chat openai",
                "gpt-4o",
                [some(1000), some(101), some(400), None, None],
                Some((600.0 * 2.5 + 400.0 * 1.25 + 101.0 * 10.0) / 1e6),
            ),
            &[],
        ),
        (
            openllmetry,
            (
                "openllmetry chat OpenAI",
                "gpt-4o",
                [some(1000), some(101), None, None, None],
                Some((1000.0 * 2.5 + 101.0 * 10.0) / 1e6),
            ),
            &["length"],
        ),
        (
            apart,
            ("gen_ai chat anthropic", "claude", [some(1000), some(1), some(900), some(90), None], None),
            &[],
        ),
    ];
    for (of, expected, finish) in cases {
        let (call, (found_finish, first, per_token)) =
            call_of(&span(of.clone())).unwrap_or_else(|| panic!("no call: {of}"));
        assert_eq!((call.0, call.1, call.2), (expected.0, expected.1, expected.2));
        assert_eq!(
            call.3.map(|cost| (cost * 1e9).round()),
            expected.3.map(|cost| (cost * 1e9).round()),
            "{of}"
        );
        assert_eq!(found_finish, finish);
        if of.get("gen_ai.response.time_to_first_chunk").is_some() {
            // 1.5 s for the 100 tokens after the first.
            assert_eq!((first, per_token), (Some(500_000), Some(15_000.0)));
        }
    }
}

#[test]
fn the_first_piece_of_an_answer_may_be_an_event() {
    let mut streamed = span(serde_json::json!({"openinference.span.kind": "LLM", "llm.model_name": "m"}));
    streamed.events = [900, 250]
        .map(|ms| Event {
            time_unix_nano: START_NS + ms * 1_000_000,
            name: "First Token Stream Event".to_owned(),
            ..Event::default()
        })
        .into();
    assert_eq!(call_of(&streamed).unwrap().1.1, Some(250_000));
}

#[test]
fn spans_around_calls_are_no_calls() {
    for of in [
        serde_json::json!({"http.request.method": "GET"}),
        serde_json::json!({"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}),
        serde_json::json!({"gen_ai.operation.name": "invoke_agent", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5}),
        serde_json::json!({"openinference.span.kind": "CHAIN", "llm.model_name": "m"}),
    ] {
        let intake = taken(vec![span(of.clone())]);
        assert_eq!((rows_of(&intake, Table::Spans), rows_of(&intake, Table::LlmCalls)), (1, 0), "{of}");
    }
}
