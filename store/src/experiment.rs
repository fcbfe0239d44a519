//! Experiments: what is asked of the rows of units in arms, so that sums come back and rows stay where they are.
//!
//! Rows are summed by unit first and units by arm then, in one statement. Where every unit has one row ([`probe`] tells) the
//! first step is left out. Names and values come from users: each is quoted where it enters the text.

mod alone;
mod around;
mod by_part;
mod complete;
mod exposed;
mod extremes;
mod frame;
mod kept;
mod orders;
mod quantile_splits;
mod splits;
mod stored;
mod stored_timing;
mod sums;
mod timing;
mod units;
mod whole;

pub use alone::{Alone, DepthRow, Single, alone};
pub use around::{AroundRow, around};
pub use by_part::ByPart;
pub use complete::{
    Complete, FirstUnitsRow, FooterRow, close_units, complete, first_units, footer, units_seem_single,
    value_is_missing,
};
pub use extremes::{Centred, ExtremesRow, extremes};
pub(crate) use frame::micros;
pub use frame::{
    ARMS_MAX, Bitmap, ColumnFault, Frame, FrameColumns, Measure, ProbeRow, Unreadable, frame, measure, probe,
    probe_units,
};
pub use kept::{Kept, kept};
pub use orders::{Counted, CountedRow, OrderRow, RanksOfArm, counted_below, order_statistics};
pub use quantile_splits::{HALVES, HalfCountedRow, HalfRowsRow, QUANTILE_SPLITS, QuantileSplit};
pub use splits::{SPLITS, Split, SplitsRow, split_quantiles, splits};
pub use stored::{
    ARM, ArrivalsRow, Exposed, ExposedBy, FIRST, RecordColumn, RecordTable, Recorded, SEGMENT, UNIT, When,
    Without, arrivals, stored,
};
pub use stored_timing::{StoredTiming, met_before_known, stored_timing};
pub use sums::{
    ArmTotal, Form, FormRow, Question, SegmentRow, SumsRow, UnitQuantilesRow, UnitsAre, arm_totals,
    largest_segments, sums, sums_by_day, sums_within, unit_quantiles,
};
pub use timing::{Timing, TimingColumns, TimingRow, timing, timing_columns};
pub use units::arms_of_units;
pub use whole::{too_many_units, whole};
