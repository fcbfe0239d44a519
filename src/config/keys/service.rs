//! The keys of the service itself: its port, its store, its collector and its native libraries.

use crate::config::keys::Key;
use crate::config::kind::Kind;

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// In the order of the documentation.
pub const KEYS: &[Key] = &[
    Key {
        path: "server.listen",
        kind: Kind::SocketAddress,
        default: "127.0.0.1:8080",
        example: "listen = \"127.0.0.1:8080\"",
        about: "Where ingestion, the read API, the pages and /metrics are served. Change it when another program has the port.",
    },
    Key {
        path: "server.allow_unauthenticated",
        kind: Kind::Flag,
        default: "false",
        example: "allow_unauthenticated = true",
        about: "Permits a listen address that other machines reach, although requests carry no token. Set it only where a proxy authenticates them.",
    },
    Key {
        path: "server.tokens_file",
        kind: Kind::Path,
        default: "tokens.json under store.data_dir",
        example: "tokens_file = \"/var/lib/windvane/tokens.json\"",
        about: "The file that `windvane token create` writes, mode 600. From its first token on every request needs one, except /healthz and /readyz; a running service follows it within a second.",
    },
    Key {
        path: "server.metrics_public",
        kind: Kind::Flag,
        default: "false",
        example: "metrics_public = true",
        about: "Whether /metrics is answered without a token. It names models; set it where your Prometheus cannot send a token and the port is not public.",
    },
    Key {
        path: "server.trusted_proxies",
        kind: Kind::Texts { max: 100 },
        default: "none",
        example: "trusted_proxies = [\"10.0.0.0/8\"]",
        about: "Addresses and networks of proxies before the service, such as `10.0.0.1` or `10.0.0.0/8`. A request that one of them sends comes from the last address in its `X-Forwarded-For` that is none of them: by that, senders without a token are told apart for limits.requests_share_percent. It permits nothing. Without it, all senders behind one proxy are one.",
    },
    Key {
        path: "server.hosts",
        kind: Kind::Texts { max: 100 },
        default: "none: those of the loopback alone on a loopback address while no token is needed, else any",
        example: "hosts = [\"host.docker.internal\"]",
        about: "Names by which the service is asked for (`Host`, over HTTP/2 `:authority`), without a port: those of a proxy that passes on what it was asked for, `host.docker.internal` for Grafana, Prometheus or an SDK in a container that reaches the loopback. localhost and addresses of the loopback are always accepted; with the key no others are, and a request for another one is answered 421 `unknown_host`. Without it the same holds on a loopback address while no token is needed, because a page of another site could read what is there otherwise, by having its name stand for 127.0.0.1. /healthz, /readyz and a public /metrics answer to any name.",
    },
    Key {
        path: "server.tls.cert_file",
        kind: Kind::Path,
        default: "none: requests come in clear text",
        example: "cert_file = \"/etc/windvane/tls.crt\"",
        about: "The certificate chain of the ports, PEM, the server's own first: that of server.listen and that of otlp.grpc_listen, which are served over TLS alone then. Read again within a second after it changes; connections that are open stay.",
    },
    Key {
        path: "server.tls.key_file",
        kind: Kind::Path,
        default: "none",
        example: "key_file = \"/etc/windvane/tls.key\"",
        about: "The key of the certificate, PEM.",
    },
    Key {
        path: "otlp.grpc_listen",
        kind: Kind::SocketAddress,
        default: "127.0.0.1:4317",
        example: "grpc_listen = \"127.0.0.1:4317\"",
        about: "Where OpenTelemetry's protocol is served over gRPC, over TLS where server.tls is set; over HTTP it is on the port of server.listen. When the key is absent and another program has the port, the service starts without gRPC and says so; an address that is set must be free.",
    },
    Key {
        path: "store.data_dir",
        kind: Kind::Path,
        default: "windvane under the platform's data folder (~/.local/share/windvane on Linux)",
        example: "data_dir = \"/var/lib/windvane\"",
        about: "The folder of the embedded engine. Excludes store.url.",
    },
    Key {
        path: "store.url",
        kind: Kind::Url,
        default: "none: the embedded engine is started",
        example: "url = \"http://clickhouse:8123\"",
        about: "A ClickHouse server or cluster to use in place of the embedded engine, without user and password. Excludes store.data_dir.",
    },
    Key {
        path: "store.user",
        kind: Kind::Text,
        default: "default",
        example: "user = \"windvane\"",
        about: "The user at store.url. The embedded engine makes its own.",
    },
    Key {
        path: "store.password_file",
        kind: Kind::Path,
        default: "none: an empty password",
        example: "password_file = \"/run/secrets/clickhouse\"",
        about: "A file with the password at store.url. A trailing line end is ignored.",
    },
    Key {
        path: "store.engine_listen",
        kind: Kind::SocketAddress,
        default: "127.0.0.1:8123",
        example: "engine_listen = \"127.0.0.1:8123\"",
        about: "Where the embedded engine serves the ClickHouse HTTP interface: a loopback address. Point Grafana here.",
    },
    Key {
        path: "store.engine_memory_bytes_max",
        kind: Kind::Integer { min: 256 * MIB, max: 1024 * GIB },
        default: "2147483648 (2 GiB)",
        example: "engine_memory_bytes_max = 2147483648",
        about: "Bytes that the embedded engine may hold; a statement that needs more fails and the engine stays up.",
    },
    Key {
        path: "collector.spool_dir",
        kind: Kind::Path,
        default: "spool under store.data_dir",
        example: "spool_dir = \"/var/lib/windvane/spool\"",
        about: "The folder where acknowledged events wait for ClickHouse. Put it on a disk that survives the machine.",
    },
    Key {
        path: "collector.spool_bytes_max",
        kind: Kind::Integer { min: 64 * MIB, max: 16 * 1024 * GIB },
        default: "8589934592 (8 GiB)",
        example: "spool_bytes_max = 8589934592",
        about: "Bytes of the spool; when it is full, ingestion answers 429 and clients keep their events.",
    },
    Key {
        path: "collector.body_bytes_max",
        kind: Kind::Integer { min: 1024, max: GIB },
        default: "33554432 (32 MiB)",
        example: "body_bytes_max = 33554432",
        about: "Bytes of one request after decompression; more is answered 413.",
    },
    Key {
        path: "collector.body_timeout",
        kind: Kind::Length { min_s: 1, max_s: 3_600 },
        default: "60s",
        example: "body_timeout = \"60s\"",
        about: "How long the body of a request of ingestion over HTTP may take to arrive; then it is answered 408 `body_timeout`. Meanwhile it has one of requests_max: raise it for clients on slow lines, lower it where they hold all of those.",
    },
    Key {
        path: "collector.requests_max",
        kind: Kind::Integer { min: 1, max: 4096 },
        default: "64",
        example: "requests_max = 64",
        about: "Requests that are decoded or wait for the disk at the same time; more is answered 503 with Retry-After.",
    },
    Key {
        path: "collector.inserts_in_flight",
        kind: Kind::Integer { min: 1, max: 2 },
        default: "1",
        example: "inserts_in_flight = 1",
        about: "INSERTs of one table that wait for ClickHouse's answer at the same time: 1, or 2 where two full blocks wait. 2 works a backlog off with two cores of ClickHouse rather than one. The next full block is read while one is sent either way. Rows of a table come in no promised order either way.",
    },
    Key {
        path: "runtime.dir",
        kind: Kind::Path,
        default: "windvane/runtime under the platform's data folder",
        example: "dir = \"/opt/windvane/runtime\"",
        about: "Where `windvane runtime install` puts the native libraries. WINDVANE_RUNTIME_DIR says the same.",
    },
    Key {
        path: "runtime.libchdb",
        kind: Kind::Path,
        default: "the installed one",
        example: "libchdb = \"/opt/chdb/libchdb.so\"",
        about: "The libchdb file to load. WINDVANE_LIBCHDB says the same.",
    },
    Key {
        path: "runtime.onnxruntime",
        kind: Kind::Path,
        default: "the installed one",
        example: "onnxruntime = \"/opt/onnxruntime/libonnxruntime.so\"",
        about: "The ONNX Runtime file to load. ORT_DYLIB_PATH says the same.",
    },
];
