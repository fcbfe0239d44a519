//! The keys of the price table of large language models.

use crate::config::keys::Key;
use crate::config::kind::Kind;

/// More than any provider asks for a million tokens.
const PRICE: Kind = Kind::Number { min: 0.0, max: 1_000_000.0 };

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "llm.currency",
        kind: Kind::Text,
        default: "USD",
        example: "currency = \"USD\"",
        about: "The currency of all prices; it stands beside each cost in llm_calls.",
    },
    Key {
        path: "llm.prices.<MODEL>.input",
        kind: PRICE,
        default: "none: it must be set",
        example: "input = 2.5",
        about: "Price of a million tokens of the prompt. The model is named as its provider names it; dated versions of it, such as gpt-4o-2024-08-06 of gpt-4o, have its price.",
    },
    Key {
        path: "llm.prices.<MODEL>.output",
        kind: PRICE,
        default: "none: it must be set",
        example: "output = 10.0",
        about: "Price of a million tokens of the answer, reasoning included.",
    },
    Key {
        path: "llm.prices.<MODEL>.cache_read",
        kind: PRICE,
        default: "that of input",
        example: "cache_read = 1.25",
        about: "Price of a million tokens of the prompt that came from the provider's cache.",
    },
    Key {
        path: "llm.prices.<MODEL>.cache_write",
        kind: PRICE,
        default: "that of input",
        example: "cache_write = 3.125",
        about: "Price of a million tokens of the prompt that were written to the provider's cache.",
    },
];
