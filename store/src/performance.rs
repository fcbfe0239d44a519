//! What the performance of a model asks of its populations: rows by chunk and segment, with what was true and what was predicted.
//!
//! A frame gives each row its chunk, its segment and its roles; every question is one statement over it. Answers are small (counts
//! and sums by chunk and segment) or come sorted and are read as a stream (scores), so that no population is ever held. Files and
//! tables go one way.

mod counts;
mod errors;
mod every;
mod features;
mod frame;
mod groups;
mod losses;
mod placeholder;
mod scores;

pub use counts::{ClassCount, RowsRow, Said, TALLY_MAX, TallyRow, rows, rows_with_target, tally};
pub use errors::{ErrorRow, ErrorsAsked, MomentsRow, errors};
pub use every::{CODES_MAX, Every, EveryRow, EveryRows, EverySink, OfTwo, RowsBy, RowsOf, every};
pub use features::{Feature, FeatureRow, FeatureRows, FeatureSink, FeaturesAsked, features};
pub use frame::{Chunking, Frame, Incomplete, Period, Roles, frame, frame_of_classes};
pub use groups::{GroupRows, GroupSink, groups};
pub use losses::{Loss, LossRow, column_losses};
pub use scores::{Calibrated, FOLDS, ScoreRow, ScoreRows, ScoreSink, ScoresAsked, scores};
