//! The units of a file and its sums, asked for at once: neither statement keeps all cores busy by itself.
//!
//! The sums are those of units with a row each, by the names of arms, asked for before it is known whether units are so and which arms
//! there are. The footer or else the first units of the file tell where that would be for nothing.

use std::num::NonZero;

use windvane_store::{
    Reader, Statement,
    experiment::{self, ArmTotal, FirstUnitsRow, Frame, ProbeRow, Question, UnitsAre},
};

use super::{
    gather::{forms_of, told_limits},
    opened::Opened,
    request::ExperimentRequest,
};

/// What both statements say.
pub(super) struct AtOnce {
    pub(super) probe: ProbeRow,
    /// The sums of the numbers that [`Opened::complete`] reads; `None` where a unit has several rows.
    pub(super) totals: Option<Vec<ArmTotal>>,
}

/// Asks; `None` where the footer does not say that every row has a unit and an arm, where units do not seem to have a row each or limits
/// have to be found first, or where a statement fails: whoever asks for one after the other tells why.
pub(super) async fn at_once(
    reader: &Reader,
    request: &ExperimentRequest,
    (opened, units_seem_single): (&Opened, Option<bool>),
) -> Option<AtOnce> {
    let complete = opened.complete.as_ref().filter(|complete| complete.frame.is_assigned())?;
    let forms = forms_of(&request.metrics, &opened.places, told_limits(&request.metrics)?);
    let seem_single = match units_seem_single {
        Some(seem_single) => seem_single,
        None => first_units_are_single(reader, &complete.frame).await,
    };
    if !seem_single {
        return None;
    }
    let units = experiment::probe_units(&complete.frame, &complete.measures);
    let sums = experiment::arm_totals(Question::of_all(&complete.frame, &complete.measures, &forms));
    let (units, sums) = (shared(units, UNITS_BLOCK_ROWS), shared(sums, SUMS_BLOCK_ROWS));
    let asked = tokio::try_join!(reader.rows::<ProbeRow>(&units), reader.rows::<ArmTotal>(&sums));
    let (units, totals) = asked.ok()?;
    let arms = totals.iter().map(|total| total.arm.clone()).collect();
    let probe = ProbeRow { arms, ..units.into_iter().next()? };
    let totals = (probe.units_are() == UnitsAre::Single).then_some(totals);
    Some(AtOnce { probe, totals })
}

async fn first_units_are_single(reader: &Reader, frame: &Frame) -> bool {
    let rows: Vec<FirstUnitsRow> = reader.rows(&experiment::first_units(frame)).await.unwrap_or_default();
    rows.first().is_some_and(|row| row.alone == 1)
}

/// Rows of a block of sums: half as many as by default, so that its numbers stay in a core's cache from their decoding to their sums.
const SUMS_BLOCK_ROWS: u32 = 32_768;

/// Rows of a block of units, a single column: twice as many as by default cost less for each block.
const UNITS_BLOCK_ROWS: u32 = 131_072;

/// One of two statements that decode the same file. With as many threads each as there are cores a quarter more memory is touched, and an
/// eighth of the time is lost; a file that is mapped, as by default, costs a fault for each few of its pages.
fn shared(statement: Statement, block_rows: u32) -> Statement {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    statement
        .setting("max_parsing_threads", (cores / 2).max(1))
        .setting("storage_file_read_method", "pread")
        .setting("input_format_parquet_max_block_size", block_rows)
}
