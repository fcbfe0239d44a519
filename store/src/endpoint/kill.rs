//! `KILL QUERY WHERE query_id = '…'`, by the ids that clients gave.

use windvane_types::hex;

use super::job::Context;
use super::reply::{Finished, Reply};
use crate::chdb::EngineError;

/// Stops the statement of this id and answers as ClickHouse does: one row for each statement that was found.
pub(super) fn run(context: &Context, query_id: &str, reply: Reply) -> Finished {
    let found = context.shared.registry.find(query_id, context.request.role);
    let format = context.request.format.clone().unwrap_or_else(|| "TabSeparated".to_owned());
    let stopped = context.shared.guard.with(|connection| {
        let mut user = String::new();
        if let Some(running) = &found {
            running.cancel(connection);
            running.user().clone_into(&mut user);
        }
        let sql = "SELECT 'waiting' AS kill_status, unhex({id:String}) AS query_id, unhex({user:String}) AS user, \
                   '' AS query WHERE {found:Bool}";
        let parameters = [
            ("id".to_owned(), hex::encode(query_id.as_bytes())),
            ("user".to_owned(), hex::encode(user.as_bytes())),
            ("found".to_owned(), found.is_some().to_string()),
        ];
        let output = connection.query(sql, &format, &parameters)?;
        Ok::<_, EngineError>((output.bytes().to_vec(), output.progress()))
    });
    match stopped {
        Ok((rows, progress)) => reply.send(&format, &rows, &progress),
        Err(error) => reply.fail(&error),
    }
}
