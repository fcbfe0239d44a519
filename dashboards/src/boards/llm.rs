//! Calls of large language models: how many, how fast, how many tokens, what they cost.

use crate::panel::FAILURES;
use crate::variable::SERVICE;
use crate::{Annotation, Board, Cells, Panel, Row, Shape, Unit};

pub fn board() -> Board {
    Board {
        uid: "windvane-llm",
        title: "Windvane · LLM",
        about: "Calls of large language models by service and model: traffic, time to first token, tokens, cost, failures",
        from: "now-24h",
        variables: vec![SERVICE],
        annotations: vec![DEPLOYS_OF_SERVICE],
        rows: vec![
            Row { title: "Traffic", panels: vec![CALLS, FAILED, FINISH] },
            Row { title: "Time", panels: vec![FIRST_TOKEN, PER_TOKEN, DURATION] },
            Row { title: "Tokens and cost", panels: vec![TOKENS, CACHE, COST] },
            Row { title: "Models", panels: vec![MODELS] },
        ],
    }
}

/// When a model answered a service first: a deploy, as far as the calls tell.
const DEPLOYS_OF_SERVICE: Annotation = Annotation {
    name: "Deploys",
    colour: "blue",
    sql: "SELECT min(ts) AS time, concat(response_model, ' answers ', service, ' first') AS text, 'deploy' AS tags
FROM windvane.llm_calls
WHERE $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY service, response_model
HAVING time >= $__fromTime AND time <= $__toTime
ORDER BY time
LIMIT 1000",
};

const CALLS: Panel = Panel {
    about: "Calls in each interval, by the model that answered.",
    sql: "SELECT $__timeInterval(ts) AS time, response_model AS model, count() AS calls
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time, model
ORDER BY time, model",
    ..Panel::new(Shape::Stacked, Unit::Count, "Calls")
};

const FAILED: Panel = Panel {
    about: "Share of calls that failed in each interval, by the model that answered.",
    sql: "SELECT $__timeInterval(ts) AS time, response_model AS model, countIf(status NOT IN ('', 'ok')) / count() AS failed
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time, model
ORDER BY time, model",
    steps: FAILURES,
    ..Panel::new(Shape::Lines, Unit::Share, "Failed")
};

const FINISH: Panel = Panel {
    about: "Why answers ended. Many that end by length are cut off; a new reason is a change at the provider.",
    sql: "SELECT reason, count() AS answers
FROM windvane.llm_calls
ARRAY JOIN finish_reasons AS reason
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY reason
ORDER BY answers DESC
LIMIT 20",
    ..Panel::new(Shape::Bars, Unit::Count, "Why answers ended")
};

const FIRST_TOKEN: Panel = Panel {
    about: "How long a person waits for the first piece of an answer: half and 95 per cent of the streamed calls.",
    sql: "SELECT $__timeInterval(ts) AS time, quantileTDigest(0.5)(time_to_first_token_us) AS p50, quantileTDigest(0.95)(time_to_first_token_us) AS p95
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND time_to_first_token_us IS NOT NULL AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time
ORDER BY time",
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Time to first token")
};

const PER_TOKEN: Panel = Panel {
    about: "How long each token after the first takes, by the model that answered: the median.",
    sql: "SELECT $__timeInterval(ts) AS time, response_model AS model, quantileTDigest(0.5)(time_per_output_token_us) AS median
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND time_per_output_token_us IS NOT NULL AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time, model
ORDER BY time, model",
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Time per token")
};

const DURATION: Panel = Panel {
    about: "How long calls take as a whole: half and 99 per cent.",
    sql: "SELECT $__timeInterval(ts) AS time, quantileTDigest(0.5)(duration_us) AS p50, quantileTDigest(0.99)(duration_us) AS p99
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time
ORDER BY time",
    ..Panel::new(Shape::Lines, Unit::Microseconds, "Duration")
};

const TOKENS: Panel = Panel {
    about: "Tokens of prompts and of answers in each interval.",
    sql: "SELECT $__timeInterval(ts) AS time, sum(ifNull(input_tokens, 0)) AS input, sum(ifNull(output_tokens, 0)) AS output,
       sum(ifNull(reasoning_tokens, 0)) AS reasoning
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time
ORDER BY time",
    ..Panel::new(Shape::Stacked, Unit::Count, "Tokens")
};

const CACHE: Panel = Panel {
    about: "Share of the prompts' tokens that came from the provider's cache.",
    sql: "SELECT $__timeInterval(ts) AS time, sum(ifNull(cache_read_tokens, 0)) / greatest(sum(ifNull(input_tokens, 0)), 1) AS cached
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time
ORDER BY time",
    ..Panel::new(Shape::Lines, Unit::Share, "Prompt tokens from the cache")
};

const COST: Panel = Panel {
    about: "What calls cost in each interval by the price table of the configuration, by currency and model. A model without a price costs nothing here.",
    sql: "SELECT $__timeInterval(ts) AS time, concat(response_model, ' ', currency) AS model, sum(cost) AS spent
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND cost IS NOT NULL AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY time, model
ORDER BY time, model",
    ..Panel::new(Shape::Stacked, Unit::Number, "Cost")
};

const MODELS: Panel = Panel {
    about: "Every service and model in the span: calls, tokens, cost and times. A question to the provider starts here.",
    sql: "SELECT service, provider, response_model AS model, operation, count() AS calls, sum(ifNull(input_tokens, 0)) AS input,
       sum(ifNull(output_tokens, 0)) AS output, sum(cost) AS cost, any(currency) AS currency,
       quantileTDigest(0.95)(time_to_first_token_us) AS first_token_p95, quantileTDigest(0.99)(duration_us) AS duration_p99,
       countIf(status NOT IN ('', 'ok')) / count() AS failed
FROM windvane.llm_calls
WHERE $__timeFilter(ts) AND $__conditionalAll(service IN (${service:singlequote}), $service)
GROUP BY service, provider, model, operation
ORDER BY calls DESC, service, model
LIMIT 200",
    columns: &[
        ("cost", Unit::Number),
        ("first_token_p95", Unit::Microseconds),
        ("duration_p99", Unit::Microseconds),
        ("failed", Unit::Share),
    ],
    cells: &[("failed", Cells::Steps(FAILURES))],
    width: 24,
    ..Panel::new(Shape::Table, Unit::Count, "Services and models")
};
