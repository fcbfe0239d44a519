//! Where the populations of `windvane performance` come from: an engine of its own over two files, or the store.

use windvane_analyzer::performance::{self, PerformanceRequest};
use windvane_store::findings::{Run, performance::Against};
use windvane_store::populations;
use windvane_store::{LocalEngine, Reader};
use windvane_types::span::Span;
use windvane_types::{Clock, SystemClock};

use super::options::Options;
use crate::by_hand;
use crate::drift::arguments::{Predictions, Sides, usage};
use crate::drift::source::{ENGINE_BYTES_MAX, open_failure, population_failure};
use crate::exit::{Because, Failure, Reason};
use crate::output::tell;
use crate::runtime::{self, Fetching, Library, Places};

/// What a measurement needs.
#[derive(Debug)]
pub struct Opened {
    /// Where the rows are.
    pub reader: Reader,
    /// Both populations, and what is asked.
    pub request: PerformanceRequest,
    /// What the findings are about, where they can be recorded: over the store, not over files.
    pub run: Option<(Run, Against)>,
}

/// Opens both populations.
pub async fn open(options: &Options) -> Result<Opened, Failure> {
    let (reference, current) = match &options.sides {
        Sides::Predictions(asked) => return predictions(asked, options).await,
        Sides::Files { reference, current } => (reference.clone(), current.clone()),
    };
    let library = Places::from_environment()
        .because(Reason::Config)?
        .locate(Library::Chdb, if options.offline { Fetching::Forbidden } else { Fetching::Allowed })
        .map_err(runtime::failure)?;
    for path in [&reference, &current] {
        std::fs::metadata(path)
            .map_err(|error| anyhow::anyhow!("cannot read `{}`: {error}", path.display()))
            .because(Reason::Data)?;
    }
    let question = options.question.clone();
    tokio::task::spawn_blocking(move || {
        let engine = LocalEngine::open(&library, ENGINE_BYTES_MAX).because(Reason::Unavailable)?;
        let open = |path, table| populations::open_file(&engine, path, table).map_err(population_failure);
        let reference = open(&reference, "reference")?;
        let mut current = open(&current, "current")?;
        // A name that the reference has not either is mistyped.
        let target = question.roles.target.as_deref().filter(|target| reference.role(target).is_some());
        if let Some(target) = target
            && current.lack(target)
        {
            tell(&format!(
                "windvane: {} has no column `{target}`, so that all its targets are to come",
                current.source
            ));
        }
        let reader = Reader::Local(engine.clone());
        Ok(Opened {
            reader,
            request: PerformanceRequest { reference, current, question, past: Vec::new() },
            run: None,
        })
    })
    .await?
}

/// Opens a window of a model's predictions and its reference.
async fn predictions(asked: &Predictions, options: &Options) -> Result<Opened, Failure> {
    let now = SystemClock.now();
    let window = Span::parse(&asked.window, now).map_err(usage)?;
    let kind = by_hand::reference_of(&asked.reference, (window, now))?;
    let store = asked.connection.store()?;
    by_hand::known(&store, &asked.deployment).await?;
    let mut question = options.question.clone();
    let stored_before_us = now.as_microsecond();
    let spans =
        performance::Asked { deployment: &asked.deployment, reference: &kind, window, stored_before_us };
    let opened = performance::open(&store, spans, &mut question).await.map_err(open_failure)?;
    let run = asked.record.then(|| {
        let run = by_hand::findings(&asked.deployment, window, (kind.as_str(), kind.name()));
        // What was received later than this is not in it.
        let run = Run { computed_at_us: stored_before_us, ..run };
        (run, Against { reference: opened.reference_span, outcomes_until_us: 0 })
    });
    let performance::Opened { reference, current, .. } = opened;
    let request = PerformanceRequest { reference, current, question, past: Vec::new() };
    Ok(Opened { reader: Reader::Store(store), request, run })
}
