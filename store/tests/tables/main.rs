//! The tables on the real engine, over its HTTP endpoint: migrations, inserting blocks, reading rows.

mod endpoint;
mod findings;
mod inserts;
mod migrations;
mod statements;
