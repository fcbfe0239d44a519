//! The keys of limits: how much one request, one event and one model may bring.

use crate::config::keys::Key;
use crate::config::kind::Kind;

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "limits.requests_per_s",
        kind: Kind::Integer { min: 0, max: 1_000_000 },
        default: "0: no bound",
        example: "requests_per_s = 200",
        about: "Requests a second of each token, and of all that carry none together; two seconds' worth may come at once. More is answered 429 `rate_exceeded` with Retry-After. `windvane token create --requests-per-s` sets another one for a token.",
    },
    Key {
        path: "limits.connections_max",
        kind: Kind::Integer { min: 8, max: 65_536 },
        default: "1024",
        example: "connections_max = 4096",
        about: "Connections that are open at a time on the port of server.listen, and as many on that of otlp.grpc_listen. The next ones are not refused: they wait until one ends, and one without a request ends after 75 s. The service raises its own soft limit of open files for it; where the hard one is too low it takes fewer and says so in the log. Raise it where more clients than that keep their connections open.",
    },
    Key {
        path: "limits.record_bytes_max",
        kind: Kind::Integer { min: 1_024, max: 67_108_864 },
        default: "1048576 (1 MiB)",
        example: "record_bytes_max = 1048576",
        about: "Bytes of one record; more is rejected `record_too_large`.",
    },
    Key {
        path: "limits.payload_bytes_max",
        kind: Kind::Integer { min: 1024, max: 1_073_741_824 },
        default: "8388608 (8 MiB)",
        example: "payload_bytes_max = 8388608",
        about: "Bytes of the record of a payload; more is rejected `record_too_large`.",
    },
    Key {
        path: "limits.name_bytes_max",
        kind: Kind::Integer { min: 1, max: 65_536 },
        default: "256",
        example: "name_bytes_max = 256",
        about: "Bytes of a name: model, version, environment, a feature's key, a metric; more is rejected `string_too_long`.",
    },
    Key {
        path: "limits.value_bytes_max",
        kind: Kind::Integer { min: 1, max: 16_777_216 },
        default: "4096",
        example: "value_bytes_max = 4096",
        about: "Bytes of a value: a categorical feature, a label, a tag, a unit; more is rejected `string_too_long`.",
    },
    Key {
        path: "limits.features_max",
        kind: Kind::Integer { min: 1, max: 1_000_000 },
        default: "4096",
        example: "features_max = 4096",
        about: "Features of one prediction; more is rejected `too_many_entries`.",
    },
    Key {
        path: "limits.tags_max",
        kind: Kind::Integer { min: 0, max: 10_000 },
        default: "64",
        example: "tags_max = 64",
        about: "Entries of `tags`, and of `arms`; more is rejected `too_many_entries`.",
    },
    Key {
        path: "limits.classes_max",
        kind: Kind::Integer { min: 1, max: 1_000_000 },
        default: "4096",
        example: "classes_max = 4096",
        about: "Classes in `probabilities`; more is rejected `too_many_entries`.",
    },
    Key {
        path: "limits.embeddings_max",
        kind: Kind::Integer { min: 0, max: 1_000 },
        default: "16",
        example: "embeddings_max = 16",
        about: "Embeddings of one prediction; more is rejected `too_many_entries`.",
    },
    Key {
        path: "limits.dimensions_max",
        kind: Kind::Integer { min: 1, max: 1_000_000 },
        default: "16384",
        example: "dimensions_max = 16384",
        about: "Numbers in one embedding; more is rejected `too_many_entries`.",
    },
    Key {
        path: "limits.nesting_max",
        kind: Kind::Integer { min: 1, max: 100 },
        default: "16",
        example: "nesting_max = 16",
        about: "Levels of arrays in the `data` of a payload's tensor, and dimensions in its `shape`; more is rejected `tensor_invalid` and `too_many_entries`. Every other part of an event is as deep as its field. At most 100, because JSON is read to a depth of 127, and an event and its envelope are some of that.",
    },
    Key {
        path: "limits.model_share_percent",
        kind: Kind::Integer { min: 1, max: 99 },
        default: "80",
        example: "model_share_percent = 80",
        about: "How much of the spool one model fills at most while others send, per cent. It goes by what is free, so that room is left however many models fill it: of 80, two fill 89. There has to be room for a request of collector.body_bytes_max. More is answered 429 `model_over_share` with Retry-After. Lower it where many models send much, raise it where one does and the others send little. One alone has the whole spool.",
    },
    Key {
        path: "limits.models_max",
        kind: Kind::Integer { min: 1, max: 1_000_000 },
        default: "1000",
        example: "models_max = 1000",
        about: "Models, counted since the start; events of further ones are rejected `too_many_models`.",
    },
    Key {
        path: "limits.feature_names_max",
        kind: Kind::Integer { min: 1, max: 10_000_000 },
        default: "10000",
        example: "feature_names_max = 10000",
        about: "Names of features and tags of one model, counted since the start; events with further ones are rejected `too_many_feature_names`. Programs that put ids into names meet it.",
    },
    Key {
        path: "limits.categories_max",
        kind: Kind::Integer { min: 1, max: 100_000_000 },
        default: "1000000",
        example: "categories_max = 100000",
        about: "Values of one categorical feature or tag, and labels of one model, counted since the start; events with further ones are rejected `too_many_categories`.",
    },
    Key {
        path: "limits.labels_max",
        kind: Kind::Integer { min: 1, max: 10_000_000 },
        default: "10000",
        example: "labels_max = 10000",
        about: "Versions of one model, and as many environments, statuses, experiments, arms and names of embeddings of it, counted since the start; and experiments, arms and metrics of exposures and measurements, which belong to no model. Events with further ones are rejected `too_many_categories`. Programs that put ids into a version or an arm meet it.",
    },
    Key {
        path: "limits.names_remembered_max",
        kind: Kind::Integer { min: 1_000, max: 1_000_000_000 },
        default: "4000000",
        example: "names_remembered_max = 4000000",
        about: "Values that are remembered for the three bounds above, of all models together, at about 10 bytes each; beyond, values are taken uncounted.",
    },
];
