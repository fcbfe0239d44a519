//! `windvane query`: SQL over a running service's tables.

mod format_clause;
mod table;

use std::io::{self, Write};
use std::ops::ControlFlow;

use clap::Args;
use windvane_store::{Statement, Store};

use crate::connection;
use crate::exit::CommandResult;
use crate::output::{self, print};

/// Ask ClickHouse: prints its answer as it comes where the statement ends in FORMAT, else as a table.
#[derive(Debug, Args)]
pub struct Arguments {
    /// The statement, such as "SELECT model, count() FROM predictions GROUP BY model".
    #[arg(value_name = "SQL", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    sql: String,
    #[command(flatten)]
    connection: connection::Flags,
}

/// Runs `windvane query`.
pub fn run(arguments: &Arguments) -> CommandResult {
    let store = arguments.connection.store()?;
    connection::wait_for(async {
        if format_clause::is_in(&arguments.sql) {
            copy(&store, &arguments.sql).await
        } else {
            let answer = store.text(&arguments.sql, table::FORMAT).await.map_err(connection::failure)?;
            print(&table::render(&answer)?)
        }
    })
}

/// Writes the answer to standard output as it comes; a reader that went away ends the statement.
async fn copy(store: &Store, sql: &str) -> CommandResult {
    let mut stdout = io::stdout().lock();
    let mut written = Ok(());
    let write = |chunk: &[u8]| match stdout.write_all(chunk) {
        Ok(()) => ControlFlow::Continue(()),
        Err(error) => {
            written = Err(error);
            ControlFlow::Break(())
        }
    };
    store
        .stream(&Statement::new(sql.to_owned()), "TabSeparated", write)
        .await
        .map_err(connection::failure)?;
    output::written(written.and_then(|()| stdout.flush()))
}
