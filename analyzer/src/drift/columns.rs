//! Which columns can be compared: on both sides, of one kind, of a type that has a method.

use std::collections::BTreeSet;

use windvane_store::{
    Reader,
    populations::{
        self, Detail, Pair, Population, PopulationColumn, ProfileRow, ProfiledColumn, Question, SegmentKeys,
        Storage, WidthsRow,
    },
};
use windvane_types::baseline::Profile;
use windvane_types::drift::{Kind, SkipReason, Skipped};

use super::{DriftError, DriftRequest, Method, measure::Rows};

/// Columns that one profile statement asks about, so that a wide table is read in bounded statements.
pub(super) const COLUMNS_A_STATEMENT: usize = 64;

/// A column that both sides have.
#[derive(Debug, Clone)]
pub(super) struct Column {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) methods: Vec<Method>,
    /// How each side reads it; `None` where a side knows no columns at all.
    pub(super) sides: [Option<PopulationColumn>; 2],
    /// `True` and `true` are one category.
    pub(super) fold_case: bool,
    /// Components of a vector; 0 where there is none.
    pub(super) width: usize,
    /// What each side's values looked like, where they were counted to find out.
    pub(super) counted: [Option<ProfiledColumn>; 2],
    /// Its values are counted as they are read for its methods, and not before.
    pub(super) counted_later: bool,
}

/// A column that was asked for.
#[derive(Debug, Clone, Copy)]
struct Wanted<'a> {
    name: &'a String,
    counted_later: bool,
}

/// What can be compared, and what not.
#[derive(Debug)]
pub(super) struct Compared {
    /// Rows of each side, where they were counted; a side of which a profile is stored has none to read.
    pub(super) rows: Rows,
    pub(super) columns: Vec<Column>,
    pub(super) skipped: Vec<Skipped>,
}

/// All names of both sides, the reference's first.
pub(super) fn names(pair: Pair<'_>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    let mut seen = BTreeSet::new();
    for column in pair.reference.columns.iter().chain(&pair.current.columns) {
        if seen.insert(&column.name) {
            names.push(column.name.clone());
        }
    }
    names
}

/// Finds the columns to compare; each side has a reader of its own.
pub(super) async fn compare(readers: [&Reader; 2], request: &DriftRequest) -> Result<Compared, DriftError> {
    let pair = Pair { reference: &request.reference, current: &request.current };
    let known = names(pair);
    let asked = request.columns.as_ref().unwrap_or(&known);
    for column in asked.iter().chain(&request.text).chain(&request.embedding) {
        if !known.contains(column) {
            return Err(DriftError::UnknownColumn { column: column.clone(), known });
        }
    }
    let wanted: Vec<Wanted<'_>> = known
        .iter()
        .filter(|name| asked.contains(name))
        .map(|name| Wanted { name, counted_later: is_counted_later(request, name) })
        .collect();
    let reference = async {
        match &request.baseline {
            None => contents(readers[0], (request, pair.reference), &wanted).await,
            Some(profile) => Ok(stored_contents(profile, pair.reference, &wanted)),
        }
    };
    let (a, b) = tokio::try_join!(reference, contents(readers[1], (request, pair.current), &wanted))?;
    let rows = Rows { reference: a.rows, current: b.rows };
    let mut compared = Compared { rows, columns: Vec::new(), skipped: Vec::new() };
    for (i, Wanted { name, counted_later }) in wanted.iter().copied().enumerate() {
        match pick(request, name, [&a.columns[i], &b.columns[i]]) {
            Ok(column) => {
                let counted = [&a, &b].map(|side| side.counted[i].clone());
                compared.columns.push(Column { counted, counted_later, ..column });
            }
            Err(skipped) => compared.skipped.push(skipped),
        }
    }
    check_methods(request, &compared)?;
    Ok(compared)
}

fn check_methods(request: &DriftRequest, compared: &Compared) -> Result<(), DriftError> {
    let comparable = compared.skipped.iter().all(|skipped| skipped.reason != SkipReason::NoMethod);
    if compared.columns.is_empty() && comparable && !compared.skipped.is_empty() {
        let reasons = compared
            .skipped
            .iter()
            .map(|skipped| format!("{}: {}", skipped.column, skipped.reason.as_str()))
            .collect();
        return Err(DriftError::NoColumns { reasons });
    }
    for method in request.methods.iter().flatten() {
        let fits = compared.columns.iter().any(|column| column.methods.contains(method));
        let without_columns = compared.columns.is_empty() && compared.skipped.is_empty();
        if !(fits || without_columns) {
            return Err(DriftError::MethodFitsNothing { method: *method });
        }
    }
    Ok(())
}

/// What a side's column holds.
#[derive(Debug, Clone, PartialEq)]
enum Content {
    /// The side has no such column.
    Absent,
    /// The side has no columns at all: an empty file.
    Unknown,
    /// Only missing values.
    Nothing(PopulationColumn),
    Number(PopulationColumn),
    Text {
        column: PopulationColumn,
        booleans: bool,
    },
    Vectors {
        column: PopulationColumn,
        widths: Vec<u64>,
    },
    Unsupported(String),
}

/// What the columns of a side hold.
#[derive(Debug, Default)]
struct Contents {
    /// Rows that would have to be read.
    rows: u64,
    columns: Vec<Content>,
    /// What was counted of each column; `None` where nothing was asked, or there are no rows.
    counted: Vec<Option<ProfiledColumn>>,
}

async fn contents(
    reader: &Reader,
    (request, population): (&DriftRequest, &Population),
    wanted: &[Wanted<'_>],
) -> Result<Contents, DriftError> {
    let mut contents = Contents::default();
    let mut rows_known = false;
    for wanted in wanted.chunks(COLUMNS_A_STATEMENT) {
        let columns: Vec<Option<PopulationColumn>> = wanted
            .iter()
            .map(|wanted| population.column(wanted.name).map(|column| read_as_asked(request, column)))
            .collect();
        let now =
            |column: &PopulationColumn, wanted: &Wanted<'_>| !wanted.counted_later && is_counted(column);
        let asked: Vec<&PopulationColumn> = columns
            .iter()
            .zip(wanted)
            .filter_map(|(column, wanted)| column.as_ref().filter(|column| now(column, wanted)))
            .collect();
        // Of columns that are counted later only the rows are asked for, which a file tells without being read.
        let of_rows = !rows_known && wanted.iter().any(|wanted| wanted.counted_later);
        let mut profiled = Vec::new();
        if of_rows || !asked.is_empty() {
            let whole = SegmentKeys::default();
            let question =
                Question { columns: &asked, segments: &whole, quantiles: &[], detail: Detail::Looks };
            let rows: Vec<ProfileRow> = reader.rows(&populations::profile(population, question)).await?;
            contents.rows = rows.first().map_or(0, |row| row.rows);
            rows_known = true;
            profiled = rows
                .into_iter()
                .next()
                .map_or_else(|| vec![None; asked.len()], |row| row.columns.into_iter().map(Some).collect());
        }
        let mut profiled = profiled.into_iter();
        for (column, wanted) in columns.into_iter().zip(wanted) {
            let counted =
                column.as_ref().filter(|column| now(column, wanted)).and_then(|_| profiled.next().flatten());
            contents.columns.push(match column {
                None if population.without_columns => Content::Unknown,
                None => Content::Absent,
                Some(column) => match &column.storage {
                    Storage::Unsupported(name) | Storage::List { type_name: name, .. } => {
                        Content::Unsupported(name.clone())
                    }
                    Storage::Nothing => Content::Nothing(column),
                    Storage::Number(_) if wanted.counted_later => Content::Number(column),
                    // Whether they are booleans is seen as they are counted.
                    Storage::Text(_) if wanted.counted_later => Content::Text { column, booleans: false },
                    Storage::Number(_) | Storage::Text(_) | Storage::Undecided(_) => {
                        content(&column, counted.as_ref())
                    }
                    Storage::Vector(_) => {
                        let rows: Vec<WidthsRow> =
                            reader.rows(&populations::widths(population, &column)).await?;
                        let widths = rows.into_iter().flat_map(|row| row.widths).collect();
                        Content::Vectors { column, widths }
                    }
                },
            });
            contents.counted.push(counted);
        }
    }
    Ok(contents)
}

/// Whether the values of a column of two files are counted as they are read for its methods, because its kind is known without them: both
/// sides say that it holds numbers, or both that it holds text. Segments and other tools' rules ask for counts before.
fn is_counted_later(request: &DriftRequest, name: &str) -> bool {
    let whole = request.baseline.is_none() && request.segment_by.is_empty() && request.rule.compat.is_none();
    let special = request.text.iter().chain(&request.embedding).any(|other| other == name);
    let sides = [&request.reference, &request.current];
    if special || !whole || !sides.iter().all(|side| side.is_in_file()) {
        return false;
    }
    let reads_numbers = |method: &Method| method.fits(Kind::Numeric) && method.needs_values();
    match sides.map(|side| side.column(name).map(|column| &column.storage)) {
        [Some(Storage::Number(_)), Some(Storage::Number(_))] => {
            request.methods.as_ref().is_none_or(|methods| methods.iter().any(reads_numbers))
        }
        [Some(Storage::Text(_)), Some(Storage::Text(_))] => true,
        _ => false,
    }
}

/// Whether values have to be looked at to know what a column holds.
fn is_counted(column: &PopulationColumn) -> bool {
    matches!(column.storage, Storage::Undecided(_) | Storage::Text(_) | Storage::Number(_))
}

/// The same out of a stored profile.
fn stored_contents(profile: &Profile, population: &Population, wanted: &[Wanted<'_>]) -> Contents {
    let boolean = |(category, _): &(String, u64)| {
        category.eq_ignore_ascii_case("true") || category.eq_ignore_ascii_case("false")
    };
    let content = |wanted: &Wanted<'_>| match (profile.column(wanted.name), population.column(wanted.name)) {
        (Some(kept), Some(column)) => match kept.kind {
            _ if kept.values == 0 => Content::Nothing(column.clone()),
            Kind::Numeric => Content::Number(column.clone()),
            Kind::Categorical | Kind::Text | Kind::Embedding => {
                let booleans = kept.categories.as_ref().is_some_and(|kept| kept.iter().all(boolean));
                Content::Text { column: column.clone(), booleans }
            }
        },
        _ if population.without_columns => Content::Unknown,
        _ => Content::Absent,
    };
    let counted = vec![None; wanted.len()];
    Contents { rows: 0, columns: wanted.iter().map(content).collect(), counted }
}

/// The column, as vectors where it was asked for as an embedding.
fn read_as_asked(request: &DriftRequest, column: &PopulationColumn) -> PopulationColumn {
    let storage = match request.embedding.contains(&column.name) {
        false => column.storage.clone(),
        true => column.storage.as_vector().unwrap_or_else(|| match &column.storage {
            Storage::Unsupported(name) => Storage::Unsupported(name.clone()),
            _ => Storage::Unsupported("a number, asked for as an embedding,".to_owned()),
        }),
    };
    PopulationColumn { name: column.name.clone(), storage }
}

/// What the values of a column say it holds; `None` where there are no rows.
fn content(column: &PopulationColumn, profile: Option<&ProfiledColumn>) -> Content {
    let nothing = || Content::Nothing(column.clone());
    match (&column.storage, profile) {
        (_, None) => nothing(),
        (_, Some(profile)) if profile.texts == 0 => nothing(),
        (Storage::Number(_), _) => Content::Number(column.clone()),
        (Storage::Undecided(_), Some(profile)) if profile.numbers == profile.texts => {
            Content::Number(column.clone())
        }
        (Storage::Undecided(_), Some(profile)) if profile.times == profile.texts => {
            Content::Unsupported("dates or times in text".to_owned())
        }
        (_, Some(profile)) => {
            Content::Text { column: column.clone(), booleans: profile.booleans == profile.texts }
        }
    }
}

/// The kind of a column by what both sides hold, or why it is not compared.
fn kind_of(contents: [&Content; 2], text: bool) -> Result<Kind, (SkipReason, String)> {
    use Content::{Absent, Nothing, Number, Text, Unsupported, Vectors};
    Ok(match contents {
        [_, Absent] => {
            return Err((SkipReason::OnlyInReference, "the current population lacks it".to_owned()));
        }
        [Absent, _] => return Err((SkipReason::OnlyInCurrent, "the reference lacks it".to_owned())),
        [Unsupported(name), _] | [_, Unsupported(name)] => {
            return Err((SkipReason::UnsupportedType, format!("{name} is not compared")));
        }
        [Vectors { .. }, Number(_) | Text { .. }] | [Number(_) | Text { .. }, Vectors { .. }] => {
            let detail = "vectors on one side, single values on the other".to_owned();
            return Err((SkipReason::DifferentKinds, detail));
        }
        [Vectors { .. }, _] | [_, Vectors { .. }] => Kind::Embedding,
        _ if text => Kind::Text,
        [Number(_), Text { .. }] | [Text { .. }, Number(_)] => {
            let detail = "numbers on one side, text on the other".to_owned();
            return Err((SkipReason::DifferentKinds, detail));
        }
        [Text { .. }, _] | [_, Text { .. }] => Kind::Categorical,
        [Nothing(a), Nothing(b)] if both_text(a, b) => Kind::Categorical,
        _ => Kind::Numeric,
    })
}

fn pick(request: &DriftRequest, name: &str, contents: [&Content; 2]) -> Result<Column, Skipped> {
    let skip = |reason, detail: String| Err(Skipped { column: name.to_owned(), reason, detail });
    let booleans = contents.iter().all(|content| !matches!(content, Content::Text { booleans: false, .. }));
    let kind = match kind_of(contents, request.text.iter().any(|text| text == name)) {
        Ok(kind) => kind,
        Err((reason, detail)) => return skip(reason, detail),
    };
    let methods: Vec<Method> = match &request.methods {
        None => Method::defaults(kind).to_vec(),
        Some(methods) => methods.iter().copied().filter(|method| method.fits(kind)).collect(),
    };
    if methods.is_empty() {
        return skip(SkipReason::NoMethod, format!("no method asked for compares {} columns", kind.as_str()));
    }
    let widths: BTreeSet<u64> = contents.iter().flat_map(|content| content.widths()).copied().collect();
    if widths.len() > 1 {
        let widths: Vec<String> = widths.iter().map(u64::to_string).collect();
        return skip(SkipReason::DifferentWidths, format!("vectors of {} components", widths.join(", ")));
    }
    let side = |content: &Content| match content {
        Content::Nothing(column) if kind == Kind::Embedding => {
            let storage = column.storage.as_vector()?;
            Some(PopulationColumn { name: column.name.clone(), storage })
        }
        Content::Nothing(column)
        | Content::Number(column)
        | Content::Text { column, .. }
        | Content::Vectors { column, .. } => Some(column.clone()),
        Content::Absent | Content::Unknown | Content::Unsupported(_) => None,
    };
    Ok(Column {
        name: name.to_owned(),
        kind,
        methods,
        sides: [side(contents[0]), side(contents[1])],
        fold_case: booleans && kind == Kind::Categorical,
        width: widths.first().map_or(0, |width| usize::try_from(*width).unwrap_or(usize::MAX)),
        counted: [None, None],
        counted_later: false,
    })
}

impl Content {
    fn widths(&self) -> &[u64] {
        match self {
            Self::Vectors { widths, .. } => widths,
            _ => &[],
        }
    }
}

fn both_text(a: &PopulationColumn, b: &PopulationColumn) -> bool {
    matches!((&a.storage, &b.storage), (Storage::Text(_), Storage::Text(_)))
}
