//! Every configuration key: what it does, its unit, its default, what is allowed, and who should change it.
//!
//! The table is what the loader checks a file against and what docs/CONFIGURATION.md is generated from, so a key that is
//! not here does not exist.

/// What a value may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `address:port`; port 0 takes a free one.
    SocketAddress,
    /// A path; a relative one starts at the configuration file's folder.
    Path,
    /// An `http` or `https` address.
    Url,
    /// Any string that is not empty.
    Text,
    /// `true` or `false`.
    Flag,
    /// A whole number within bounds, both included.
    Integer {
        /// The smallest.
        min: u64,
        /// The largest.
        max: u64,
    },
}

impl Kind {
    /// What is allowed, in words.
    pub fn allowed(self) -> String {
        match self {
            Self::SocketAddress => "an address and a port, such as 127.0.0.1:8080".to_owned(),
            Self::Path => "a path".to_owned(),
            Self::Url => "an http:// or https:// address".to_owned(),
            Self::Text => "a string that is not empty".to_owned(),
            Self::Flag => "true or false".to_owned(),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
        }
    }
}

/// One key of the configuration file.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// The table and the key, `server.listen`.
    pub path: &'static str,
    /// What a value may be.
    pub kind: Kind,
    /// What holds when the key is absent, in words.
    pub default: &'static str,
    /// A correct line for this key.
    pub example: &'static str,
    /// What it does, with its unit, and who should change it.
    pub about: &'static str,
}

impl Key {
    /// The environment variable that overrides the file: `WINDVANE_SERVER_LISTEN`.
    pub fn variable(&self) -> String {
        format!("WINDVANE_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }
}

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// All keys, in the order of the documentation.
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
        path: "otlp.grpc_listen",
        kind: Kind::SocketAddress,
        default: "127.0.0.1:4317",
        example: "grpc_listen = \"127.0.0.1:4317\"",
        about: "Where OTLP over gRPC will be served. The key is checked and kept for the OTLP receiver; nothing listens there yet.",
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
        about: "A ClickHouse server or cluster to use in place of the embedded engine. Excludes store.data_dir.",
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
        path: "collector.requests_max",
        kind: Kind::Integer { min: 1, max: 4096 },
        default: "64",
        example: "requests_max = 64",
        about: "Requests that are decoded or wait for the disk at the same time; more is answered 503 with Retry-After.",
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

/// The key of this path.
pub fn key(path: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.path == path)
}

/// The documentation of every key, as Markdown.
pub fn documentation() -> String {
    let mut text = String::from(
        "# Configuration\n\nOne TOML file, named by `--config FILE`; every key can be overridden by its variable. Unknown keys are errors, and all\nfaults are reported at once. `windvane check-config --config FILE` checks a file without starting anything.\n\nGenerated from `src/config/keys.rs` by `windvane check-config --document`; a test compares the two.\n",
    );
    let mut table = "";
    for key in KEYS {
        let (section, name) = key.path.split_once('.').unwrap_or(("", key.path));
        if section != table {
            text.push_str(&format!(
                "\n## [{section}]\n\n| key | effect | allowed | default | variable |\n|---|---|---|---|---|\n"
            ));
            table = section;
        }
        text.push_str(&format!(
            "| `{name}` | {} | {} | {} | `{}` |\n",
            key.about,
            key.kind.allowed(),
            key.default,
            key.variable()
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_unique_and_lie_in_a_table() {
        for (i, key) in KEYS.iter().enumerate() {
            assert_eq!(key.path.matches('.').count(), 1, "{}", key.path);
            assert!(KEYS[i + 1..].iter().all(|other| other.path != key.path), "{}", key.path);
        }
    }

    #[test]
    fn keys_of_a_table_stand_together() {
        let mut seen: Vec<&str> = Vec::new();
        for key in KEYS {
            let table = key.path.split('.').next().unwrap();
            if seen.last() != Some(&table) {
                assert!(!seen.contains(&table), "{}", key.path);
                seen.push(table);
            }
        }
    }

    #[test]
    fn the_committed_documentation_is_the_generated_one() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CONFIGURATION.md");
        let committed = std::fs::read_to_string(path).unwrap();
        assert!(
            committed == documentation(),
            "run `cargo run -- check-config --document > docs/CONFIGURATION.md`"
        );
    }
}
