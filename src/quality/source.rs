//! Where the populations of `windvane quality` come from: files, or the store.

use windvane_analyzer::drift::{self, Asked, Wanted};
use windvane_store::Reader;
use windvane_store::findings::Run;
use windvane_store::populations::Population;
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use super::arguments::{Predictions, Side, Sides};
use crate::by_hand;
use crate::drift::arguments::usage;
use crate::drift::source::{open_failure, open_files, reason_of};
use crate::exit::Failure;

/// Both sides, and where they are.
#[derive(Debug)]
pub struct Pair {
    pub reader: Reader,
    pub reference: Population,
    pub current: Population,
    /// What the findings are about, where they can be recorded.
    pub run: Option<Run>,
}

/// What time it is, microseconds since 1970 UTC.
pub fn now_us() -> i64 {
    SystemClock.now().as_microsecond()
}

/// Opens both sides.
pub async fn pair(sides: &Sides) -> Result<Pair, Failure> {
    match sides {
        Sides::Files { reference, current, offline } => {
            let files = vec![(reference.clone(), "reference"), (current.clone(), "current")];
            let (reader, mut populations) = open_files(files, *offline).await?;
            let (current, reference) = (populations.pop(), populations.pop());
            let (Some(reference), Some(current)) = (reference, current) else {
                unreachable!("every file gives a population");
            };
            Ok(Pair { reader, reference, current, run: None })
        }
        Sides::Predictions { reference, window } => {
            let now = SystemClock.now();
            let span = Span::parse(&window.window, now).map_err(usage)?;
            let kind = by_hand::reference_of(reference, (span, now))?;
            let store = window.connection.store()?;
            by_hand::known(&store, &window.deployment).await?;
            // A profile knows too little of a reference: its rows are needed.
            let wanted = Wanted { columns: None, methods: None, segments: false, special: true };
            let asked = Asked {
                deployment: &window.deployment,
                reference: &kind,
                window: span,
                stored_before_us: now.as_microsecond(),
                wanted,
            };
            let opened = drift::open(&store, asked).await.map_err(open_failure)?;
            let run = window
                .record
                .then(|| by_hand::findings(&window.deployment, span, (kind.as_str(), kind.name())));
            let drift::Opened { reference, current, .. } = opened;
            Ok(Pair { reader: Reader::Store(store), reference, current, run })
        }
    }
}

/// Opens one side.
pub async fn one(side: &Side) -> Result<(Reader, Population, Option<Run>), Failure> {
    match side {
        Side::File { path, offline } => {
            let (reader, mut populations) = open_files(vec![(path.clone(), "rows")], *offline).await?;
            let Some(population) = populations.pop() else { unreachable!("every file gives a population") };
            Ok((reader, population, None))
        }
        Side::Predictions(asked) => {
            let (reader, population, span) = stored(asked).await?;
            let run = asked.record.then(|| by_hand::findings(&asked.deployment, span, ("expectations", "")));
            Ok((reader, population, run))
        }
    }
}

async fn stored(asked: &Predictions) -> Result<(Reader, Population, Span), Failure> {
    let now = SystemClock.now();
    let span = Span::parse(&asked.window, now).map_err(usage)?;
    let store = asked.connection.store()?;
    by_hand::known(&store, &asked.deployment).await?;
    let reader = Reader::Store(store);
    let opened = drift::side(&reader, &asked.deployment, span, now.as_microsecond()).await;
    let population = opened.map_err(|error| Failure { reason: reason_of(&error), error: error.into() })?;
    Ok((reader, population, span))
}
