//! Detectors of change over a column of a population: the stream is read once, every detector sees each value, nothing is kept.

use windvane_stats::detectors::adwin::{self, Adwin, Semantics};
use windvane_stats::detectors::cusum::{self, Cusum};
use windvane_stats::detectors::ddm::Ddm;
use windvane_stats::detectors::eddm::Eddm;
use windvane_stats::detectors::hddm::{self, HddmA, HddmW};
use windvane_stats::detectors::kswin::{self, Kswin};
use windvane_stats::detectors::page_hinkley::{self, PageHinkley};
use windvane_stats::detectors::{Detector, Signal};
use windvane_store::populations::{
    self, CountRow, Population, PopulationColumn, Storage, StreamRow, StreamRows, StreamSink,
};
use windvane_store::{ReadError, Reader};
use windvane_types::detect::{Change, Detected, Document, SCHEMA};
use windvane_types::span::{self, Span};

use crate::drift::{self, Deployment};
use crate::known_names::{hint, listed};
use crate::not_numbers;
use crate::numeric::numeric;

/// Changes that are told one by one.
const FIRST_MAX: usize = 100;
/// The size up to which detectors take numbers: sums of squares of any stream are numbers, too. Where they are not, no mean is far from
/// another.
const SIZE_MAX: f64 = 1e140;

/// A detector by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// ADWIN with MOA's loop.
    Adwin,
    /// ADWIN with River's.
    AdwinRiver,
    /// ADWIN with that of River up to 0.21.
    AdwinRiver21,
    /// Page-Hinkley.
    PageHinkley,
    /// DDM.
    Ddm,
    /// EDDM.
    Eddm,
    /// HDDM-A.
    HddmA,
    /// HDDM-W.
    HddmW,
    /// KSWIN.
    Kswin,
    /// CUSUM.
    Cusum,
}

impl Kind {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Adwin,
        Self::AdwinRiver,
        Self::AdwinRiver21,
        Self::PageHinkley,
        Self::Ddm,
        Self::Eddm,
        Self::HddmA,
        Self::HddmW,
        Self::Kswin,
        Self::Cusum,
    ];

    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Adwin => "adwin",
            Self::AdwinRiver => "adwin_river",
            Self::AdwinRiver21 => "adwin_river21",
            Self::PageHinkley => "page_hinkley",
            Self::Ddm => "ddm",
            Self::Eddm => "eddm",
            Self::HddmA => "hddm_a",
            Self::HddmW => "hddm_w",
            Self::Kswin => "kswin",
            Self::Cusum => "cusum",
        }
    }

    /// The values that it is about.
    fn takes(self) -> Takes {
        match self {
            Self::Ddm | Self::Eddm => Takes::Errors,
            Self::HddmA | Self::HddmW => Takes::Shares,
            _ => Takes::Anything,
        }
    }
}

/// Which values a detector takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// Any number up to [`SIZE_MAX`].
    Anything,
    /// Numbers of 0 to 1.
    Shares,
    /// 0 and 1.
    Errors,
}

/// How detectors are set where they share a setting; `None` for the usual value of each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Settings {
    /// δ of ADWIN, α of KSWIN, ε of HDDM.
    pub confidence: Option<f64>,
    /// λ of Page-Hinkley, h of CUSUM.
    pub threshold: Option<f64>,
    /// Values that set CUSUM up.
    pub warm_up: Option<u64>,
}

/// What is asked.
#[derive(Debug, Clone)]
pub struct DetectRequest {
    /// The rows.
    pub population: Population,
    /// The column of values.
    pub column: String,
    /// The column of times; the order of the rows where `None`.
    pub timestamp: Option<String>,
    /// The detectors.
    pub detectors: Vec<Kind>,
    /// How they are set.
    pub settings: Settings,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum DetectError {
    /// A column is not there.
    #[error("there is no column `{column}`{}", hint(column, known))]
    UnknownColumn {
        /// The name.
        column: String,
        /// The names there are.
        known: Vec<String>,
    },
    /// A column holds something else than numbers.
    #[error(
        "column `{column}` holds {holds}; detectors take numbers, or false and true. Columns of numbers: {}",
        listed(numeric)
    )]
    NotNumbers {
        /// The column.
        column: String,
        /// What it holds.
        holds: String,
        /// The columns that hold numbers.
        numeric: Vec<String>,
    },
    /// A column holds nothing.
    #[error("column `{column}` has no finite number in any of {rows} rows, so nothing can be told of it")]
    NoValues {
        /// The column.
        column: String,
        /// The rows.
        rows: u64,
    },
    /// A column of times says of no number when it was.
    #[error(
        "column `{column}` holds no times; read are times, dates, RFC 3339 text and whole microseconds since 1970"
    )]
    NoTimes {
        /// The column.
        column: String,
    },
    /// A value that a detector is not about.
    #[error("`{detector}` takes {takes}, and column `{column}` has {value:?}")]
    Value {
        /// The detector.
        detector: &'static str,
        /// What it takes.
        takes: &'static str,
        /// The column.
        column: String,
        /// The value.
        value: f64,
    },
    /// The statement failed.
    #[error("cannot read the stream")]
    Read(#[from] ReadError),
}

/// A detector at work.
struct Watch {
    kind: Kind,
    settings: String,
    detector: Box<dyn Detector + Send>,
    warnings: u64,
    changes: u64,
    first: Vec<Change>,
    sum: f64,
    since: u64,
    /// The first value that it does not take.
    refused: Option<f64>,
}

/// All detectors over one stream.
struct Watches {
    values: u64,
    timed: bool,
    all: Vec<Watch>,
}

/// Opens a span of a model's predictions, as far as they were stored before a time, as a stream: their columns, what was true of each, and how
/// wrong each was ([`populations::ERROR`]; the positive class is the one that a high score means).
///
/// # Errors
/// Where the store fails.
pub async fn open(
    reader: &Reader,
    deployment: &Deployment,
    (span, stored_before_us): (Span, i64),
    positive: Option<&str>,
) -> Result<Population, ReadError> {
    let filter = drift::filter(deployment, span, stored_before_us);
    let source = format!("{} {span}", deployment.model);
    let mut population = populations::open_labelled(reader, source, &filter).await?;
    populations::add_error(&mut population, positive);
    Ok(population)
}

/// Runs detectors over a column.
///
/// # Errors
/// A column is not there, a value is none that a detector takes, or the statement fails.
pub async fn run(reader: &Reader, request: &DetectRequest) -> Result<Document, DetectError> {
    let all = request.detectors.iter().map(|kind| Watch::new(*kind, request.settings)).collect();
    let watches = Watches { values: 0, timed: request.timestamp.is_some(), all };
    let population = &request.population;
    let watches = if population.without_columns {
        watches
    } else {
        let unknown = |column: &String| DetectError::UnknownColumn {
            column: column.clone(),
            known: population.columns.iter().map(|column| column.name.clone()).collect(),
        };
        // How wrong a prediction was is looked at unless a column is named, whatever features there are.
        let named = match request.column == populations::ERROR {
            true => population.role(&request.column),
            false => population.column(&request.column),
        };
        let column = named.ok_or_else(|| unknown(&request.column))?;
        refuse_text(reader, population, column).await?;
        let statement = populations::stream(population, column, request.timestamp.as_deref());
        let statement = statement.ok_or_else(|| {
            let name = request.timestamp.clone().unwrap_or_default();
            match population.role(&name) {
                Some(_) => DetectError::NoTimes { column: name },
                None => unknown(&name),
            }
        })?;
        let watches = reader.fold(&statement, "RowBinary", StreamRows::new(watches)).await?.sink;
        if watches.values == 0 {
            refuse_nothing(reader, population, (column, request.timestamp.as_ref())).await?;
        }
        watches
    };
    let values = watches.values;
    let detectors =
        watches.all.into_iter().map(|watch| watch.tell(&request.column, values)).collect::<Result<_, _>>()?;
    Ok(Document {
        schema: SCHEMA.to_owned(),
        source: population.source.clone(),
        column: request.column.clone(),
        detectors,
    })
}

/// Refuses a column that holds something else than numbers, false and true, missing values aside: a detector would see none of it, and tell
/// that nothing changed.
async fn refuse_text(
    reader: &Reader,
    population: &Population,
    column: &PopulationColumn,
) -> Result<(), DetectError> {
    let holds = match &column.storage {
        Storage::Text(_) | Storage::Undecided(_) => {
            not_numbers::text_in(reader, &populations::word(population, column)).await?
        }
        other => not_numbers::by_type(other),
    };
    match holds {
        None => Ok(()),
        Some(holds) => {
            let all: Vec<&PopulationColumn> = population.columns.iter().collect();
            let numeric = numeric(reader, population, &all).await?;
            let numeric = numeric.into_iter().map(|column| column.name.clone()).collect();
            Err(DetectError::NotNumbers { column: column.name.clone(), holds, numeric })
        }
    }
}

/// Refuses a column without a value in any row, and one of times without one: that nothing changed would be said of nothing. How wrong
/// predictions were may not be known yet.
async fn refuse_nothing(
    reader: &Reader,
    population: &Population,
    (column, timestamp): (&PopulationColumn, Option<&String>),
) -> Result<(), DetectError> {
    let counted: Vec<CountRow> = reader.rows(&populations::row_count(population, column)).await?;
    match (counted.first(), timestamp) {
        (Some(CountRow { numbers: 1.., .. }), Some(timestamp)) => {
            Err(DetectError::NoTimes { column: timestamp.clone() })
        }
        (Some(CountRow { rows: rows @ 1.., .. }), _) if column.name != populations::ERROR => {
            Err(DetectError::NoValues { column: column.name.clone(), rows: *rows })
        }
        _ => Ok(()),
    }
}

impl StreamSink for Watches {
    fn push(&mut self, row: StreamRow) {
        let index = self.values;
        self.values += 1;
        for watch in &mut self.all {
            watch.push(row, (index, self.timed));
        }
    }
}

impl Watch {
    fn new(kind: Kind, settings: Settings) -> Self {
        let (detector, settings) = detector(kind, settings);
        Self {
            kind,
            settings,
            detector,
            warnings: 0,
            changes: 0,
            first: Vec::new(),
            sum: 0.0,
            since: 0,
            refused: None,
        }
    }

    fn push(&mut self, row: StreamRow, (index, timed): (u64, bool)) {
        let takes = match self.kind.takes() {
            Takes::Anything => row.value.abs() <= SIZE_MAX,
            Takes::Shares => (0.0..=1.0).contains(&row.value),
            Takes::Errors => row.value == 0.0 || row.value == 1.0,
        };
        if !takes || self.refused.is_some() {
            self.refused = self.refused.or(Some(row.value));
            return;
        }
        self.sum += row.value;
        self.since += 1;
        match self.detector.push(row.value) {
            Signal::None => {}
            Signal::Warning => self.warnings += 1,
            Signal::Change => {
                self.changes += 1;
                if self.first.len() < FIRST_MAX {
                    let at = timed.then(|| span::shown(row.at_us));
                    self.first.push(Change { index, at, mean_before: self.sum / self.since as f64 });
                }
                (self.sum, self.since) = (0.0, 0);
            }
        }
    }

    fn tell(self, column: &str, values: u64) -> Result<Detected, DetectError> {
        if let Some(value) = self.refused {
            let takes = match self.kind.takes() {
                Takes::Anything => "numbers from -1e140 to 1e140",
                Takes::Shares => "numbers from 0 to 1",
                Takes::Errors => "0 and 1, false and true",
            };
            return Err(DetectError::Value {
                detector: self.kind.as_str(),
                takes,
                column: column.to_owned(),
                value,
            });
        }
        Ok(Detected {
            detector: self.kind.as_str().to_owned(),
            settings: self.settings,
            values,
            changes: self.changes,
            warnings: self.warnings,
            first: self.first,
        })
    }
}

/// A detector, and its settings in words.
fn detector(kind: Kind, settings: Settings) -> (Box<dyn Detector + Send>, String) {
    let Settings { confidence, threshold, warm_up } = settings;
    let adwin = |semantics, words: &str| -> (Box<dyn Detector + Send>, String) {
        let usual = adwin::Settings::default();
        let settings = adwin::Settings { delta: confidence.unwrap_or(usual.delta), semantics, ..usual };
        let words = format!("delta {}, {words}", settings.delta);
        (Box::new(Adwin::new(settings)), words)
    };
    let hddm = || {
        let usual = hddm::Settings::default();
        let drift = confidence.unwrap_or(usual.drift);
        hddm::Settings { drift, warning: usual.warning.max(drift), ..usual }
    };
    match kind {
        Kind::Adwin => adwin(Semantics::Moa, "MOA's loop"),
        Kind::AdwinRiver => adwin(Semantics::River, "River's loop from 0.22 on"),
        Kind::AdwinRiver21 => adwin(Semantics::River21, "River's loop up to 0.21"),
        Kind::PageHinkley => {
            let usual = page_hinkley::Settings::default();
            let settings =
                page_hinkley::Settings { threshold: threshold.unwrap_or(usual.threshold), ..usual };
            (
                Box::new(PageHinkley::new(settings)),
                format!("delta {}, threshold {}", settings.delta, settings.threshold),
            )
        }
        Kind::Ddm => (Box::<Ddm>::default(), "2 and 3 standard deviations".to_owned()),
        Kind::Eddm => (Box::<Eddm>::default(), "ratios 0.95 and 0.9".to_owned()),
        Kind::HddmA => (Box::new(HddmA::new(hddm())), format!("confidence {}", hddm().drift)),
        Kind::HddmW => {
            (Box::new(HddmW::new(hddm())), format!("confidence {}, weight {}", hddm().drift, hddm().weight))
        }
        Kind::Kswin => {
            let usual = kswin::Settings::default();
            let settings = kswin::Settings { alpha: confidence.unwrap_or(usual.alpha), ..usual };
            let words = format!(
                "alpha {}, last {} of {} values, seed {}",
                settings.alpha, settings.recent, settings.window, settings.seed
            );
            (Box::new(Kswin::new(settings)), words)
        }
        Kind::Cusum => {
            let usual = cusum::Settings::default();
            let settings = cusum::Settings {
                threshold: threshold.unwrap_or(usual.threshold),
                warm_up: warm_up.unwrap_or(usual.warm_up),
                ..usual
            };
            let words = format!(
                "slack {}, threshold {}, set by {} values",
                settings.slack, settings.threshold, settings.warm_up
            );
            (Box::new(Cusum::new(settings)), words)
        }
    }
}
