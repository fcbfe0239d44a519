//! A panel: its shape, its unit, its statement, and what it says.

/// A panel with one statement.
#[derive(Debug, Clone)]
pub struct Panel {
    /// For a person.
    pub title: &'static str,
    /// What it says and how to read it; shown behind the small i.
    pub about: &'static str,
    /// How it is drawn.
    pub shape: Shape,
    /// The unit of its numbers.
    pub unit: Unit,
    /// Colours from a value on, ascending; the first is for everything below. Lines draw each value as a line of its own;
    /// tables colour single columns instead, by `cells`.
    pub steps: &'static [Step],
    /// Columns of the grid, 24 a line.
    pub width: u32,
    /// Rows of the grid.
    pub height: u32,
    /// The statement with the plugin's macros and variables.
    pub sql: &'static str,
    /// Units of single columns, where a table has several.
    pub columns: &'static [(&'static str, Unit)],
    /// Which columns of a table have coloured cells, and by what.
    pub cells: &'static [(&'static str, Cells)],
    /// Where a click on a row leads: a dashboard's uid and what is handed over, `model=${__data.fields.model}`.
    pub link: Option<(&'static str, &'static str)>,
}

/// How a panel is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Lines over time: a time column first, then a text column for the series, then numbers.
    Lines,
    /// The same, filled and stacked.
    Stacked,
    /// Single numbers.
    Stat,
    /// Rows.
    Table,
    /// Bars: a text column first, then numbers.
    Bars,
    /// States or values over time, a line a series.
    Timeline,
}

/// What a statement answers with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Time first.
    TimeSeries,
    /// Rows.
    Table,
}

/// What colours the cells of a column.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cells {
    /// The word in it: a verdict or a state.
    Words,
    /// The number in it, from a value on.
    Steps(&'static [Step]),
}

/// A unit by Grafana's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// A count.
    Count,
    /// A share, 0 to 1.
    Share,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Bytes, powers of 1,024.
    Bytes,
    /// Per second.
    PerSecond,
    /// US dollars.
    Dollars,
    /// A number without a unit.
    Number,
    /// Words.
    Words,
    /// A time, milliseconds since 1970.
    Time,
}

/// A colour from a value on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Step {
    /// From here on; `None` for everything below the next.
    pub from: Option<f64>,
    /// A colour of Grafana's.
    pub colour: &'static str,
}

/// Below the floor, at it, twice and four times it.
pub const TIMES_FLOOR: &[Step] = &[
    Step { from: None, colour: "green" },
    Step { from: Some(1.0), colour: "yellow" },
    Step { from: Some(2.0), colour: "orange" },
    Step { from: Some(4.0), colour: "red" },
];
/// Anything above nought is wrong.
pub const NONE_IS_GOOD: &[Step] =
    &[Step { from: None, colour: "green" }, Step { from: Some(1.0), colour: "red" }];
/// Shares of failures.
pub const FAILURES: &[Step] = &[
    Step { from: None, colour: "green" },
    Step { from: Some(0.01), colour: "orange" },
    Step { from: Some(0.05), colour: "red" },
];
/// Label coverage below which a realised value says little.
pub const COVERED: &[Step] =
    &[Step { from: None, colour: "orange" }, Step { from: Some(0.05), colour: "green" }];
/// No judgement.
pub const PLAIN: &[Step] = &[Step { from: None, colour: "text" }];
/// A p-value of a check that must not be small.
pub const MISMATCH: &[Step] =
    &[Step { from: None, colour: "red" }, Step { from: Some(0.001), colour: "green" }];

impl Unit {
    /// Grafana's name.
    #[must_use]
    pub const fn id(self) -> &'static str {
        match self {
            Self::Count => "short",
            Self::Share => "percentunit",
            Self::Microseconds => "µs",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Bytes => "bytes",
            Self::PerSecond => "reqps",
            Self::Dollars => "currencyUSD",
            Self::Number => "none",
            Self::Words => "string",
            Self::Time => "dateTimeAsIso",
        }
    }
}

impl Shape {
    /// Grafana's panel type.
    #[must_use]
    pub const fn plugin(self) -> &'static str {
        match self {
            Self::Lines | Self::Stacked => "timeseries",
            Self::Stat => "stat",
            Self::Table => "table",
            Self::Bars => "barchart",
            Self::Timeline => "state-timeline",
        }
    }

    /// Whether it shows steps: as lines across the chart, or as the colour of what is drawn.
    #[must_use]
    pub const fn shows_steps(self) -> bool {
        matches!(self, Self::Lines | Self::Stat | Self::Timeline)
    }

    /// What its statement answers with.
    #[must_use]
    pub const fn format(self) -> Format {
        match self {
            Self::Lines | Self::Stacked | Self::Timeline => Format::TimeSeries,
            Self::Stat | Self::Table | Self::Bars => Format::Table,
        }
    }
}

impl Panel {
    /// A panel of a third of a line without colours; `about` and `sql` are what makes it.
    #[must_use]
    pub const fn new(shape: Shape, unit: Unit, title: &'static str) -> Self {
        Self {
            title,
            about: "",
            shape,
            unit,
            steps: PLAIN,
            width: 8,
            height: 8,
            sql: "",
            columns: &[],
            cells: &[],
            link: None,
        }
    }
}
