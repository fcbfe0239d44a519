//! Which columns can be compared: on both sides, of one kind, of a type that has a method.

use std::collections::BTreeSet;

use windvane_store::{
    Reader,
    populations::{
        self, Detail, Pair, Population, PopulationColumn, ProfileRow, ProfiledColumn, Question, SegmentKeys,
        Storage,
    },
};
use windvane_types::baseline::Profile;
use windvane_types::drift::{Kind, SkipReason, Skipped};

use super::{DriftError, DriftRequest, Method};

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
}

/// What can be compared, and what not.
#[derive(Debug)]
pub(super) struct Compared {
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

/// Finds the columns to compare.
pub(super) async fn compare(reader: &Reader, request: &DriftRequest) -> Result<Compared, DriftError> {
    let pair = Pair { reference: &request.reference, current: &request.current };
    let known = names(pair);
    let asked = request.columns.as_ref().unwrap_or(&known);
    for column in asked.iter().chain(&request.text) {
        if !known.contains(column) {
            return Err(DriftError::UnknownColumn { column: column.clone(), known });
        }
    }
    let wanted: Vec<&String> = known.iter().filter(|name| asked.contains(name)).collect();
    let reference = match &request.baseline {
        None => contents(reader, pair.reference, &wanted).await?,
        Some(profile) => stored_contents(profile, pair.reference, &wanted),
    };
    let contents = [reference, contents(reader, pair.current, &wanted).await?];
    let mut compared = Compared { columns: Vec::new(), skipped: Vec::new() };
    for (i, name) in wanted.iter().enumerate() {
        match pick(request, name, [&contents[0][i], &contents[1][i]]) {
            Ok(column) => compared.columns.push(column),
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
    Unsupported(String),
}

async fn contents(
    reader: &Reader,
    population: &Population,
    names: &[&String],
) -> Result<Vec<Content>, DriftError> {
    let mut contents = Vec::with_capacity(names.len());
    for names in names.chunks(COLUMNS_A_STATEMENT) {
        let columns: Vec<Option<&PopulationColumn>> =
            names.iter().map(|name| population.column(name)).collect();
        let asked: Vec<&PopulationColumn> = columns
            .iter()
            .flatten()
            .copied()
            .filter(|column| {
                matches!(column.storage, Storage::Undecided(_) | Storage::Text(_) | Storage::Number(_))
            })
            .collect();
        let mut profiled = match asked.as_slice() {
            [] => Vec::new(),
            asked => {
                let whole = SegmentKeys::default();
                let question =
                    Question { columns: asked, segments: &whole, quantiles: &[], detail: Detail::Counts };
                let rows: Vec<ProfileRow> = reader.rows(&populations::profile(population, question)).await?;
                rows.into_iter().next().map_or_else(
                    || vec![None; asked.len()],
                    |row| row.columns.into_iter().map(Some).collect(),
                )
            }
        }
        .into_iter();
        contents.extend(columns.into_iter().map(|column| match column {
            None if population.without_columns => Content::Unknown,
            None => Content::Absent,
            Some(column) => match &column.storage {
                Storage::Unsupported(name) => Content::Unsupported(name.clone()),
                Storage::Nothing => Content::Nothing(column.clone()),
                Storage::Number(_) | Storage::Text(_) | Storage::Undecided(_) => {
                    content(column, profiled.next().flatten().as_ref())
                }
            },
        }));
    }
    Ok(contents)
}

/// The same out of a stored profile.
fn stored_contents(profile: &Profile, population: &Population, names: &[&String]) -> Vec<Content> {
    let boolean = |(category, _): &(String, u64)| {
        category.eq_ignore_ascii_case("true") || category.eq_ignore_ascii_case("false")
    };
    let content = |name: &&String| match (profile.column(name), population.column(name)) {
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
    names.iter().map(content).collect()
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

fn pick(request: &DriftRequest, name: &str, contents: [&Content; 2]) -> Result<Column, Skipped> {
    let skip = |reason, detail: String| Err(Skipped { column: name.to_owned(), reason, detail });
    let booleans = contents.iter().all(|content| !matches!(content, Content::Text { booleans: false, .. }));
    let kind = match contents {
        [_, Content::Absent] => {
            return skip(SkipReason::OnlyInReference, "the current population lacks it".into());
        }
        [Content::Absent, _] => return skip(SkipReason::OnlyInCurrent, "the reference lacks it".into()),
        [Content::Unsupported(name), _] | [_, Content::Unsupported(name)] => {
            return skip(SkipReason::UnsupportedType, format!("{name} is not compared"));
        }
        [Content::Number(_), Content::Text { .. }] | [Content::Text { .. }, Content::Number(_)] => {
            return skip(SkipReason::DifferentKinds, "numbers on one side, text on the other".into());
        }
        [Content::Text { .. }, _] | [_, Content::Text { .. }] => Kind::Categorical,
        [Content::Nothing(a), Content::Nothing(b)] if both_text(a, b) => Kind::Categorical,
        _ => Kind::Numeric,
    };
    let kind = match kind {
        Kind::Categorical if request.text.iter().any(|text| text == name) => Kind::Text,
        kind => kind,
    };
    let methods: Vec<Method> = match &request.methods {
        None => Method::defaults(kind).to_vec(),
        Some(methods) => methods.iter().copied().filter(|method| method.fits(kind)).collect(),
    };
    if methods.is_empty() {
        return skip(SkipReason::NoMethod, format!("no method asked for compares {} columns", kind.as_str()));
    }
    let side = |content: &Content| match content {
        Content::Nothing(column) | Content::Number(column) | Content::Text { column, .. } => {
            Some(column.clone())
        }
        Content::Absent | Content::Unknown | Content::Unsupported(_) => None,
    };
    Ok(Column {
        name: name.to_owned(),
        kind,
        methods,
        sides: [side(contents[0]), side(contents[1])],
        fold_case: booleans && kind == Kind::Categorical,
    })
}

fn both_text(a: &PopulationColumn, b: &PopulationColumn) -> bool {
    matches!((&a.storage, &b.storage), (Storage::Text(_), Storage::Text(_)))
}
