//! An insert with data: piece by piece through the engine's insert stream, never as part of a statement.

use std::io::Read;

use super::job::{Context, Statement, unreadable};
use super::reply::{Finished, Reply};
use super::statement::Shape;
use super::status::{code, exception};
use crate::chdb::{Connection, EngineError, Exception, Progress};

/// Bytes handed to the engine at once.
const PIECE_BYTES: usize = 256 << 10;

/// Runs the insert. If the client goes away or its data are broken, it is given up and nothing of it stays.
pub(super) fn run(
    context: &Context,
    connection: &mut Connection,
    statement: Statement,
    reply: Reply,
) -> Finished {
    match stream(context, connection, statement) {
        Ok(progress) => {
            let format = context.request.format.as_deref().unwrap_or("TabSeparated");
            reply.send(format, &[], &progress)
        }
        Err(error) => reply.fail(&error),
    }
}

fn stream(
    context: &Context,
    connection: &mut Connection,
    statement: Statement,
) -> Result<Progress, Exception> {
    let Statement { text, shape, mut data } = statement;
    let Shape::InsertData { head_end, format, .. } = shape else {
        return Err(exception(code::BAD_ARGUMENTS, "Not an insert with data."));
    };
    let format = format.or_else(|| context.request.format.clone()).unwrap_or_else(|| "Values".to_owned());
    let head = text.get(..head_end).unwrap_or(&text);
    let mut insert =
        connection.insert(head, &format, &context.request.parameters).map_err(EngineError::into_exception)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let filled = match fill(&mut data, &mut piece) {
            Ok(filled) => filled,
            Err(error) => {
                insert.cancel();
                return Err(unreadable(&error));
            }
        };
        if context.running.is_cancelled() {
            insert.cancel();
            return Err(exception(code::QUERY_WAS_CANCELLED, "Query was cancelled."));
        }
        if filled == 0 {
            break;
        }
        insert.append(&piece[..filled]).map_err(EngineError::into_exception)?;
    }
    insert.finish().map_err(EngineError::into_exception)
}

/// Fills the piece as far as the data go, so that small network reads do not become small pieces.
fn fill(data: &mut impl Read, piece: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < piece.len() {
        match data.read(&mut piece[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
