//! `windvane latency`: is the model still fast? Quantiles with intervals, drift of the distribution, objectives that burn.

pub mod arguments;
pub mod table;

use windvane_analyzer::drift::{self, Asked, Wanted};
use windvane_analyzer::latency::{self, LatencyError, LatencyRequest};
use windvane_store::Reader;
use windvane_store::findings::{self, Run};
use windvane_types::latency::{Document, Group, Objective, Verdict};
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

pub use arguments::{Arguments, FailOn};

use crate::by_hand::{self, Engine};
use crate::connection;
use crate::drift::arguments::usage;
use crate::drift::source::{open_failure, open_files, reason_of};
use crate::exit::{CommandResult, Exit, Failure, Reason};
use crate::output::{pretty, print};
use arguments::{Format, Options, Sides};

/// Runs `windvane latency`.
pub fn run(arguments: Arguments) -> CommandResult {
    let options = arguments.check()?;
    let engine = Engine::embedded(matches!(options.sides, Sides::Files { .. }));
    by_hand::run(engine, look(&options), |document| answer(&document, &options))
}

async fn look(options: &Options) -> Result<Document, Failure> {
    let (reader, request, run) = open(options).await?;
    let document = latency::run(&reader, &request).await.map_err(failure)?;
    if let (Some(run), Reader::Store(store)) = (run, &reader) {
        let run = Run { computed_at_us: SystemClock.now().as_microsecond(), ..run };
        findings::latency::write(store, &run, &document).await.map_err(connection::not_recorded)?;
    }
    Ok(document)
}

async fn open(options: &Options) -> Result<(Reader, LatencyRequest, Option<Run>), Failure> {
    match &options.sides {
        Sides::Files { reference, current, offline } => {
            let mut files = vec![(current.clone(), "current")];
            files.extend(reference.clone().map(|path| (path, "reference")));
            let (reader, populations) = open_files(files, *offline).await?;
            let mut populations = populations.into_iter();
            let (Some(current), reference) = (populations.next(), populations.next()) else {
                unreachable!("every file gives a population");
            };
            Ok((reader, options.request((reference, current), (None, None)), None))
        }
        Sides::Predictions { deployment, reference, window, record, connection } => {
            let now = SystemClock.now();
            let span = Span::parse(window, now).map_err(usage)?;
            let store = connection.store()?;
            by_hand::known(&store, deployment).await?;
            let reader = Reader::Store(store.clone());
            let us = now.as_microsecond();
            let (before, current, kind) = match reference {
                None => {
                    let opened = drift::side(&reader, deployment, span, us).await;
                    let current =
                        opened.map_err(|error| Failure { reason: reason_of(&error), error: error.into() })?;
                    (None, current, None)
                }
                Some(reference) => {
                    let kind = by_hand::reference_of(reference, (span, now))?;
                    let wanted = Wanted { columns: None, methods: None, segments: true, special: true };
                    let asked =
                        Asked { deployment, reference: &kind, window: span, stored_before_us: us, wanted };
                    let opened = drift::open(&store, asked).await.map_err(open_failure)?;
                    (Some(opened.reference), opened.current, Some(kind))
                }
            };
            let end_us = span.end_us;
            let longer = match options.has_objectives() {
                true => {
                    let opened =
                        latency::objectives_over(&reader, deployment, options.column(), (end_us, us)).await;
                    Some(opened.map_err(|error| Failure { reason: reason_of(&error), error: error.into() })?)
                }
                false => None,
            };
            let of = kind.as_ref().map_or(("", ""), |kind| (kind.as_str(), kind.name()));
            let run = record.then(|| by_hand::findings(deployment, span, of));
            Ok((reader, options.request((before, current), (longer, Some(end_us))), run))
        }
    }
}

fn answer(document: &Document, options: &Options) -> CommandResult {
    print(&match options.format {
        Format::Json => pretty(document)?,
        Format::Table => table::render(document),
    })?;
    Ok(options.fail_on.map_or(Exit::Ok, |fail_on| fails_on(document, fail_on)))
}

/// The exit code of a document where this was asked for.
pub fn fails_on(document: &Document, fail_on: FailOn) -> Exit {
    let slower = document.groups.iter().any(Group::is_slower);
    let breached = document.objectives.iter().any(Objective::burns);
    // The verdict of the whole may be an objective's.
    let compared = document.groups.iter().filter_map(|group| group.drift.as_ref());
    let unknown = compared.map(|drift| drift.verdict).all(|verdict| verdict == Verdict::InsufficientData);
    let idle =
        document.objectives.iter().flat_map(|objective| &objective.rules).all(|rule| rule.long.events == 0);
    match fail_on {
        FailOn::Slower if slower => Exit::Found,
        FailOn::Breached if breached => Exit::Found,
        FailOn::Slower if unknown => Exit::Inconclusive,
        FailOn::Breached if idle => Exit::Inconclusive,
        FailOn::Slower | FailOn::Breached => Exit::Ok,
    }
}

/// The exit code of latencies that cannot be told.
pub fn failure(error: LatencyError) -> Failure {
    let reason = match &error {
        LatencyError::Read(error) => reason_of(error),
        _ => Reason::Data,
    };
    Failure { reason, error: error.into() }
}
