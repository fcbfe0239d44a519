//! The `fairness_findings` table: the document of a fairness run as rows, one measure of one group each.

use serde::Serialize;
use windvane_types::fairness::{Document, Gap, Group};

use crate::findings::{self, Run, Values};
use crate::rowbinary as rb;
use crate::wire::{Column, Wire, column};
use crate::{Store, StoreError};

pub(super) const TABLE: &str = "fairness_findings";

const COLUMNS: &[Column] = &[
    column("run_id", Wire::Text),
    column("computed_at", Wire::Micros),
    column("model", Wire::Word),
    column("version", Wire::Word),
    column("environment", Wire::Word),
    column("monitor", Wire::Word),
    column("window_start", Wire::Micros),
    column("window_end", Wire::Micros),
    column("granularity", Wire::Word),
    column("outcomes_until", Wire::Micros),
    column("segment_key", Wire::Word),
    column("segment_value", Wire::Text),
    column("reference_value", Wire::Text),
    column("method", Wire::Word),
    column("statistic", Wire::OptionalNumber),
    column("ci_low", Wire::OptionalNumber),
    column("ci_high", Wire::OptionalNumber),
    column("value", Wire::OptionalNumber),
    column("reference_statistic", Wire::OptionalNumber),
    column("threshold", Wire::OptionalNumber),
    column("p_value", Wire::OptionalNumber),
    column("p_adjusted", Wire::OptionalNumber),
    column("n_reference", Wire::Count),
    column("n_current", Wire::Count),
    column("verdict", Wire::Word),
    column("detail", Wire::Text),
];

/// What has no column of its own.
#[derive(Serialize)]
struct Detail<'a> {
    group: &'a Values,
    n: u64,
    labelled: u64,
}

/// Writes the findings of a run: a repeated run on the same window overwrites them, and empties those that it does not have. A fairness
/// run has no reference in time, so that of the run is not read.
///
/// # Errors
/// As [`Store::insert`]; the same run may be written again.
pub async fn write(
    store: &Store,
    (run, outcomes_until_us): (&Run, i64),
    document: &Document,
) -> Result<u64, StoreError> {
    findings::record(store, (TABLE, COLUMNS), ("fairness", run), encode((run, outcomes_until_us), document))
        .await
}

/// Empties what a monitor has found in a window in which there is nothing to compare by now.
///
/// # Errors
/// ClickHouse does not answer or refuses; it may be asked again.
pub async fn empty(store: &Store, run: &Run) -> Result<(), StoreError> {
    findings::empty_the_rest(store, (TABLE, COLUMNS), run).await
}

fn encode(run: (&Run, i64), document: &Document) -> (u64, Vec<u8>) {
    let (mut out, mut rows) = (Vec::new(), 0);
    for group in &document.groups {
        for gap in &group.gaps {
            encode_row(run, document, (group, gap), &mut out);
            rows += 1;
        }
    }
    (rows, out)
}

/// Appends the columns in the order of [`COLUMNS`].
fn encode_row(
    (run, outcomes_until_us): (&Run, i64),
    document: &Document,
    (group, gap): (&Group, &Gap),
    out: &mut Vec<u8>,
) {
    run.whose(out);
    run.when(out);
    rb::i64(out, outcomes_until_us);
    rb::string(out, &findings::segment_key(Some(&group.group)));
    rb::string(out, &findings::segment_value(Some(&group.group)));
    // Calibration is of a group alone.
    let is_alone = gap.metric == "calibration";
    rb::string(out, &findings::segment_value(document.reference_group.as_ref().filter(|_| !is_alone)));
    rb::string(out, &gap.metric);
    let [low, high] = gap.ci.map_or([None; 2], |[low, high]| [Some(low), Some(high)]);
    let (threshold, p) = (Some(document.max_gap), [gap.p_value, gap.p_adjusted]);
    for number in [gap.gap, low, high, gap.value, gap.reference, threshold, p[0], p[1]] {
        rb::nullable(out, number, rb::f64);
    }
    rb::u64(out, gap.n_reference);
    rb::u64(out, gap.n);
    rb::string(out, gap.verdict.as_str());
    let detail = Detail { group: &group.group, n: group.n, labelled: group.labelled };
    rb::string(out, &serde_json::to_string(&detail).expect("texts and numbers are JSON"));
}
