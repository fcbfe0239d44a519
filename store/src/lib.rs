//! The only ClickHouse code of Windvane: the embedded engine and its HTTP endpoint, the client, migrations, writers
//! and readers.
