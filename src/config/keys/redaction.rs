//! The keys of redaction: what of a model's events, and of telemetry, is never written.

use crate::config::keys::Key;
use crate::config::kind::Kind;

const NAMES: Kind = Kind::Texts { max: 10_000 };

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "redaction.<MODEL>.features_allow",
        kind: NAMES,
        default: "all features",
        example: "features_allow = [\"distance\", \"carrier\", \"weather_*\"]",
        about: "Only these features are kept; a name that ends in * stands for all that begin so. `<MODEL>` is a model's name, the beginning of names with a * behind it, or \"*\"; the nearest one holds, alone.",
    },
    Key {
        path: "redaction.<MODEL>.features_deny",
        kind: NAMES,
        default: "none",
        example: "features_deny = [\"email\", \"name_*\"]",
        about: "These features are dropped, the others kept; inputs of payloads go by their tensors' names. Excludes features_allow.",
    },
    Key {
        path: "redaction.<MODEL>.tags_allow",
        kind: NAMES,
        default: "all tags",
        example: "tags_allow = [\"region\"]",
        about: "Only these tags are kept.",
    },
    Key {
        path: "redaction.<MODEL>.tags_deny",
        kind: NAMES,
        default: "none",
        example: "tags_deny = [\"*\"]",
        about: "These tags are dropped; \"*\" drops all. Excludes tags_allow.",
    },
    Key {
        path: "redaction.<MODEL>.drop_embeddings",
        kind: Kind::Flag,
        default: "false",
        example: "drop_embeddings = true",
        about: "Whether embeddings are dropped: much of a text can be read out of its embedding.",
    },
    Key {
        path: "redaction.<MODEL>.drop_payloads",
        kind: Kind::Flag,
        default: "false",
        example: "drop_payloads = true",
        about: "Whether captured inputs and outputs are dropped.",
    },
    Key {
        path: "redaction.<MODEL>.unit_key_env",
        kind: Kind::Text,
        default: "none: units stay as they are",
        example: "unit_key_env = \"UNIT_KEY\"",
        about: "The environment variable with the key that unit ids are hashed with (HMAC-SHA-256, 32 hex digits). Exposures and measurements belong to no model and go by \"*\": give all rules one key, or experiments do not find their units.",
    },
    Key {
        path: "redaction.<MODEL>.unit_key_file",
        kind: Kind::Path,
        default: "none",
        example: "unit_key_file = \"/run/secrets/unit-key\"",
        about: "The file with that key. A trailing line end is ignored.",
    },
    Key {
        path: "otlp.redaction.attributes_allow",
        kind: NAMES,
        default: "all attributes",
        example: "attributes_allow = [\"service.*\", \"http.*\", \"gen_ai.*\"]",
        about: "Only these attributes are kept, of resources, scopes, spans, their events and links, log records (and of their bodies, where these are maps) and data points; a name that ends in * stands for all that begin so. What is read out of attributes, such as `service` and the columns of llm_calls, is empty where they are not kept. Attributes `windvane.*` go by [redaction.<MODEL>] instead.",
    },
    Key {
        path: "otlp.redaction.attributes_deny",
        kind: NAMES,
        default: "none",
        example: "attributes_deny = [\"http.request.header.*\", \"db.query.text\"]",
        about: "These attributes are dropped, the others kept. Excludes attributes_allow.",
    },
    Key {
        path: "otlp.redaction.attributes_hash",
        kind: NAMES,
        default: "none",
        example: "attributes_hash = [\"user.*\", \"enduser.id\"]",
        about: "The values of these attributes are hashed as unit ids are, with the key of redaction.\"*\": unit_key_env or unit_key_file, without which this is refused.",
    },
    Key {
        path: "otlp.redaction.drop_messages",
        kind: Kind::Flag,
        default: "false",
        example: "drop_messages = true",
        about: "Whether what people, models and tools said to each other is dropped: prompts, answers, instructions, arguments and results of tools, documents, by the conventions of GenAI, OpenInference and OpenLLMetry, in attributes, in events and in log records whose event's name begins with `gen_ai.`. Tokens, models and costs stay.",
    },
    Key {
        path: "otlp.redaction.drop_log_bodies",
        kind: Kind::Flag,
        default: "false",
        example: "drop_log_bodies = true",
        about: "Whether the bodies of log records are dropped.",
    },
];
