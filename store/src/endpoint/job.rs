//! One statement from its request to its answer, on a blocking thread.

use std::io::{self, Cursor, Read};
use std::sync::Arc;

use super::access::Role;
use super::body::BodyReader;
use super::frames::{FrameError, FrameReader};
use super::guard::{Special, Verdict};
use super::registry::{Running, new_mark};
use super::reply::{Finished, Reply};
use super::request::Request;
use super::session::Session;
use super::spares::{Kind, Prepared};
use super::statement::Shape;
use super::status::{code, exception};
use super::{Shared, hello, insert, kill, multipart, select};
use crate::chdb::{Class, Connection, EngineError, Exception, Progress};
use crate::local::quote;

/// The longest statement, and the longest form.
const STATEMENT_BYTES_MAX: usize = 1 << 20;
const FORM_BYTES_MAX: u64 = 32 << 20;
/// How much of an insert is cut into tokens to find where its data begin; the second size if the first did not do.
const HEAD_BYTES: [usize; 2] = [16 << 10, 256 << 10];

/// A statement to run.
pub(super) struct Job {
    pub(super) shared: Arc<Shared>,
    pub(super) request: Request,
    pub(super) running: Arc<Running>,
    pub(super) body: BodyReader,
}

/// What comes in behind the statement.
pub(super) type Source = Box<dyn Read>;

/// A statement with everything known about it.
pub(super) struct Statement {
    /// Statement text; for an insert with data up to the data.
    pub(super) text: String,
    pub(super) shape: Shape,
    /// Data of an insert.
    pub(super) data: Source,
}

/// A statement that may run.
struct Judged {
    statement: Statement,
    verdict: Verdict,
}

/// What a statement needs while it runs.
pub(super) struct Context<'j> {
    pub(super) shared: &'j Shared,
    pub(super) request: &'j Request,
    pub(super) running: &'j Running,
}

/// The exception for a body that cannot be read.
pub(super) fn unreadable(error: &io::Error) -> Exception {
    if let Some(frame) = error.get_ref().and_then(|inner| inner.downcast_ref::<FrameError>()) {
        return exception(frame.code, frame.message.clone());
    }
    match error.kind() {
        io::ErrorKind::ConnectionAborted => exception(code::NETWORK_ERROR, "The client went away."),
        io::ErrorKind::UnexpectedEof => {
            exception(code::UNEXPECTED_END_OF_FILE, "The packed body ends before its end mark.")
        }
        _ => exception(code::CANNOT_DECOMPRESS, format!("Cannot unpack the body: {error}.")),
    }
}

impl Job {
    /// Runs the statement; the last step of the answer is left to the caller.
    pub(super) fn run(self, reply: Reply) -> Finished {
        let Self { shared, mut request, running, body } = self;
        let statement = match read_statement(&shared, &mut request, body) {
            Ok(statement) => statement,
            Err(error) => return reply.fail(&error),
        };
        let context = Context { shared: &shared, request: &request, running: &running };
        let verdict = match context.judge(&statement) {
            Ok(verdict) => verdict,
            Err(error) => return reply.fail(&error),
        };
        if request.native_client && hello::is_hello(&statement.text) {
            let block = hello::block(&reply.common.version, &reply.common.timezone);
            return reply.send("Native", &block, &Progress::default());
        }
        match &verdict.special {
            Special::Kill(query_id) => kill::run(&context, query_id, reply),
            _ => context.run(Judged { statement, verdict }, reply),
        }
    }
}

fn read_statement(shared: &Shared, request: &mut Request, body: BodyReader) -> Result<Statement, Exception> {
    let mut source: Source = request.body_encoding.reader(body).map_err(|error| unreadable(&error))?;
    if request.body_frames {
        source = Box::new(FrameReader::new(source));
    }
    if let Some(boundary) = request.boundary.take() {
        let mut form = Vec::new();
        source
            .by_ref()
            .take(FORM_BYTES_MAX + 1)
            .read_to_end(&mut form)
            .map_err(|error| unreadable(&error))?;
        if form.len() as u64 > FORM_BYTES_MAX {
            return Err(exception(
                code::QUERY_IS_TOO_LARGE,
                format!("A form has at most {FORM_BYTES_MAX} bytes."),
            ));
        }
        let fields = multipart::fields(&form, &boundary).ok_or_else(|| {
            exception(code::BAD_ARGUMENTS, "The body is not a complete multipart/form-data form.")
        })?;
        request.add_form(fields)?;
        source = Box::new(io::empty());
    }
    if request.query.is_empty() {
        return from_body(shared, source);
    }
    from_url(shared, &request.query, source)
}

/// The statement is the body, or begins it.
fn from_body(shared: &Shared, mut source: Source) -> Result<Statement, Exception> {
    let text = read_text(&mut source)?;
    let (text, shape, rest) = take_apart(shared, text)?;
    let data: Source = Box::new(Cursor::new(rest).chain(source));
    Ok(Statement { text, shape, data })
}

/// The statement is in the URL; the body is its data, or its end.
fn from_url(shared: &Shared, query: &str, mut source: Source) -> Result<Statement, Exception> {
    let (text, shape, rest) = take_apart(shared, query.as_bytes().to_vec())?;
    let Shape::InsertData { format, .. } = &shape else {
        let more = read_text(&mut source)?;
        if more.iter().all(u8::is_ascii_whitespace) {
            return Ok(Statement { text, shape, data: source });
        }
        let whole = [query.as_bytes(), b"\n", &more].concat();
        let (text, shape, rest) = take_apart(shared, whole)?;
        return Ok(Statement { text, shape, data: Box::new(Cursor::new(rest).chain(source)) });
    };
    if format.is_none() {
        // The FORMAT clause may be the begin of the body.
        let mut begin = vec![0; 4096];
        let count = read_some(&mut source, &mut begin)?;
        begin.truncate(count);
        let trimmed = begin.trim_ascii_start();
        let continues = ["FORMAT", "VALUES", "SELECT", "WITH", "SETTINGS"].iter().any(|word| {
            trimmed.len() >= word.len() && trimmed[..word.len()].eq_ignore_ascii_case(word.as_bytes())
        });
        if continues {
            let whole = [query.as_bytes(), b"\n", &begin].concat();
            let (text, shape, rest) = take_apart(shared, whole)?;
            return Ok(Statement { text, shape, data: Box::new(Cursor::new(rest).chain(source)) });
        }
        return Ok(Statement { text, shape, data: Box::new(Cursor::new(begin).chain(source)) });
    }
    Ok(Statement { text, shape, data: Box::new(Cursor::new(rest).chain(source)) })
}

/// Reads until the end or the bound of a statement.
fn read_text(source: &mut Source) -> Result<Vec<u8>, Exception> {
    let mut text = vec![0; STATEMENT_BYTES_MAX];
    let count = read_some(source, &mut text)?;
    text.truncate(count);
    Ok(text)
}

fn read_some(source: &mut Source, buffer: &mut [u8]) -> Result<usize, Exception> {
    let mut filled = 0;
    while filled < buffer.len() {
        match source.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(unreadable(&error)),
        }
    }
    Ok(filled)
}

/// The statement, its shape, and the data that followed it in the same text.
fn take_apart(shared: &Shared, mut text: Vec<u8>) -> Result<(String, Shape, Vec<u8>), Exception> {
    let is_insert = text.trim_ascii_start().get(..6).is_some_and(|word| word.eq_ignore_ascii_case(b"insert"));
    let mut shape = Shape::Empty;
    if is_insert {
        for bytes in HEAD_BYTES {
            let head = &text[..text.len().min(bytes)];
            shape = Shape::of(head, &shared.guard.tokens(head)?);
            if text.len() <= bytes || matches!(shape, Shape::InsertData { format: Some(_), .. }) {
                break;
            }
        }
    }
    if let Shape::InsertData { statement_end, data_begin, .. } = shape {
        let rest = text.split_off(data_begin.min(text.len()));
        text.truncate(statement_end);
        return Ok((utf8(text)?, shape, rest));
    }
    if text.len() >= STATEMENT_BYTES_MAX {
        let message = format!("A statement has less than {STATEMENT_BYTES_MAX} bytes.");
        return Err(exception(code::QUERY_IS_TOO_LARGE, message));
    }
    let shape = Shape::of(&text, &shared.guard.tokens_of_statement(&text)?);
    Ok((utf8(text)?, shape, Vec::new()))
}

fn utf8(text: Vec<u8>) -> Result<String, Exception> {
    String::from_utf8(text)
        .map_err(|_| exception(code::SYNTAX_ERROR, "Syntax error: the statement is not UTF-8."))
}

impl Context<'_> {
    fn judge(&self, statement: &Statement) -> Result<Verdict, Exception> {
        if statement.shape == Shape::Empty {
            return Err(exception(code::SYNTAX_ERROR, "Syntax error: Empty query."));
        }
        let (guard, request) = (&self.shared.guard, self.request);
        guard.check_database(self.database(), request.role)?;
        let verdict = guard.check(&statement.text, &request.parameters, request.role)?;
        if request.readonly && verdict.class != Class::ReadOnly {
            return Err(exception(
                code::READONLY,
                "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly; use POST.",
            ));
        }
        Ok(verdict)
    }

    /// The current database of the request; the engine's own `default` is never one.
    fn database(&self) -> &str {
        match self.request.database.as_deref() {
            None | Some("default") => crate::DATABASE,
            Some(name) => name,
        }
    }

    fn run(&self, judged: Judged, reply: Reply) -> Finished {
        let pool =
            if judged.verdict.class == Class::ReadOnly { &self.shared.reads } else { &self.shared.writes };
        let Some(_place) = pool.enter(&self.shared.runtime) else {
            return reply.fail(&exception(
                code::TOO_MANY_SIMULTANEOUS_QUERIES,
                format!("Too many simultaneous queries: all {} places are taken.", pool.size()),
            ));
        };
        let Some(wanted) = &self.request.session else {
            return self.on_its_own(judged, reply);
        };
        let (sessions, user) = (&self.shared.sessions, &self.request.user);
        match sessions.take(user, wanted) {
            Err(error) => reply.fail(&error),
            Ok(kept) => {
                let (finished, session) = self.in_session(kept, judged, reply);
                match session {
                    Some(session) => sessions.put(user, wanted, session),
                    None => sessions.forget(user, wanted),
                }
                finished
            }
        }
    }

    /// Runs a statement that belongs to no session, on a connection that nothing else uses meanwhile.
    fn on_its_own(&self, judged: Judged, reply: Reply) -> Finished {
        let kind = Kind {
            role: self.request.role,
            readonly: self.request.readonly,
            database: self.database().to_owned(),
            settings: self.request.settings.clone(),
        };
        let prepared = self.shared.spares.take(&kind).map_or_else(|| self.fresh(), Ok);
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return reply.fail(&error.into_exception()),
        };
        let Judged { statement, verdict } = judged;
        // What alone is known to leave its connection as it was.
        let selects = matches!(statement.shape, Shape::Query { select: true, .. })
            && (verdict.class, &verdict.special) == (Class::ReadOnly, &Special::No);
        self.running.runs_under(&prepared.mark);
        let finished = self.execute(&mut prepared.connection, statement, reply);
        if selects && finished.succeeded && self.running.leaves_its_mark() {
            self.shared.spares.put(kind, prepared);
        }
        finished
    }

    /// A connection prepared for this statement and those of its kind.
    fn fresh(&self) -> Result<Prepared, EngineError> {
        let mut prepared = Prepared { connection: self.shared.engine.connect()?, mark: new_mark() };
        let Prepared { connection, mark } = &mut prepared;
        self.apply(connection, mark, true)?;
        if self.request.role == Role::Reader {
            connection.execute("SET readonly = 1")?;
        } else if self.request.readonly {
            connection.execute("SET readonly = 2")?;
        }
        Ok(prepared)
    }

    /// Sets the request's database and settings, and the mark by which the statement can be stopped.
    fn apply(
        &self,
        connection: &mut Connection,
        mark: &str,
        change_database: bool,
    ) -> Result<(), EngineError> {
        if change_database {
            connection.execute(&format!("USE {}", crate::local::quote_identifier(self.database())))?;
        }
        let mut comment = mark.to_owned();
        let mut assignments = Vec::new();
        for (name, value) in &self.request.settings {
            if name == "log_comment" {
                comment = format!("{comment} {value}");
            } else {
                assignments.push(format!("{name} = {}", quote(value)));
            }
        }
        assignments.push(format!("log_comment = {}", quote(&comment)));
        connection.execute(&format!("SET {}", assignments.join(", ")))
    }

    /// Runs the statement in a session and takes the request's own settings back; the session is none when it is lost.
    fn in_session(&self, kept: Option<Session>, judged: Judged, reply: Reply) -> (Finished, Option<Session>) {
        let change_database = kept.is_none() || self.request.database.is_some();
        let mut session = match kept {
            Some(session) => session,
            None => match self.shared.engine.connect() {
                Ok(connection) => {
                    Session { connection, database: self.database().to_owned(), journal: Vec::new() }
                }
                Err(error) => return (reply.fail(&error.into_exception()), None),
            },
        };
        let mark = new_mark();
        self.running.runs_under(&mark);
        let mut ready = self.apply(&mut session.connection, &mark, change_database);
        if self.request.role == Role::Reader && ready.is_ok() {
            ready = session.connection.execute("SET readonly = 1");
        }
        let finished = match ready {
            Ok(()) => {
                let text = judged.statement.text.clone();
                let finished = self.execute(&mut session.connection, judged.statement, reply);
                if finished.succeeded {
                    session.remember(&judged.verdict.special, text);
                }
                finished
            }
            Err(error) => reply.fail(&error.into_exception()),
        };
        // `readonly` cannot be taken back, so a reader's session keeps no state.
        let restored = self.request.role == Role::Writer && self.restore(&mut session).is_ok();
        (finished, restored.then_some(session))
    }

    fn restore(&self, session: &mut Session) -> Result<(), EngineError> {
        let defaults: Vec<String> =
            self.request.settings.iter().map(|(name, _)| format!("{name} = DEFAULT")).collect();
        if !defaults.is_empty() {
            session.connection.execute(&format!("SET {}", defaults.join(", ")))?;
            for statement in &session.journal {
                session.connection.execute(statement)?;
            }
        }
        session.connection.execute(&format!("USE {}", crate::local::quote_identifier(&session.database)))
    }

    /// Runs the statement on a prepared connection and answers.
    fn execute(&self, connection: &mut Connection, statement: Statement, reply: Reply) -> Finished {
        if self.running.is_cancelled() {
            return reply.fail(&exception(code::QUERY_WAS_CANCELLED, "Query was cancelled."));
        }
        match statement.shape {
            Shape::InsertData { .. } => insert::run(self, connection, statement, reply),
            _ => select::run(self, connection, &statement, reply),
        }
    }
}
