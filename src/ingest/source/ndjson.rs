//! NDJSON: one object a line. Nested objects become dotted columns, so that an event of the contract is read as it stands.

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};

use serde_json::{Map, Value};

use super::super::cell::{Cell, Column, Kind};
use super::{At, Item, SAMPLED_ROWS, Sink, Source, SourceError};

/// Bytes of one line; a longer one is a bad row.
const LINE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Columns by name, growing as keys appear.
#[derive(Debug, Default)]
struct Columns {
    list: Vec<Column>,
    index: HashMap<String, usize>,
}

impl Columns {
    fn of(list: &[Column]) -> Self {
        let index = list.iter().enumerate().map(|(i, column)| (column.name.clone(), i)).collect();
        Self { list: list.to_vec(), index }
    }

    /// The place of a column, which learns the kind of this value.
    fn place(&mut self, name: &str, cell: &Cell<'_>) -> usize {
        let kind = kind(cell);
        let place = match self.index.get(name) {
            Some(place) => *place,
            None => {
                self.list.push(Column { name: name.to_owned(), kind });
                self.index.insert(name.to_owned(), self.list.len() - 1);
                self.list.len() - 1
            }
        };
        let known = &mut self.list[place].kind;
        *known = match (*known, kind) {
            (Kind::Unknown, kind) => kind,
            (known, Kind::Unknown) => known,
            (known, kind) if known == kind => known,
            (Kind::Number | Kind::Flag | Kind::Text, Kind::Number | Kind::Flag | Kind::Text) => Kind::Text,
            _ => Kind::Other,
        };
        place
    }

    fn flatten<'v>(&mut self, prefix: &str, object: &'v Map<String, Value>, cells: &mut Vec<Cell<'v>>) {
        for (key, value) in object {
            let name =
                if prefix.is_empty() { Cow::Borrowed(key) } else { Cow::Owned(format!("{prefix}.{key}")) };
            match value {
                Value::Object(inner) => self.flatten(&name, inner, cells),
                value => {
                    let cell = cell(value);
                    let place = self.place(&name, &cell);
                    cells.resize(cells.len().max(place + 1), Cell::Missing);
                    cells[place] = cell;
                }
            }
        }
    }
}

fn kind(cell: &Cell<'_>) -> Kind {
    match cell {
        Cell::Missing => Kind::Unknown,
        Cell::Integer(_) | Cell::Number(_) => Kind::Number,
        Cell::Flag(_) => Kind::Flag,
        Cell::Text(_) => Kind::Text,
        Cell::Instant(_) => Kind::Time,
        Cell::Numbers(_) => Kind::Numbers,
        Cell::Other => Kind::Other,
    }
}

fn cell(value: &Value) -> Cell<'_> {
    match value {
        Value::Null => Cell::Missing,
        Value::Bool(flag) => Cell::Flag(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cell::Integer(integer),
            None => number.as_f64().map_or(Cell::Other, Cell::number),
        },
        Value::String(text) => Cell::Text(Cow::Borrowed(text)),
        Value::Array(items) => {
            items.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>().map_or(Cell::Other, Cell::Numbers)
        }
        Value::Object(_) => Cell::Other,
    }
}

pub fn columns(source: &Source) -> Result<Vec<Column>, SourceError> {
    let mut columns = Columns::default();
    let mut left = SAMPLED_ROWS;
    lines(source, &mut |line, _| {
        if let Ok(Value::Object(object)) = serde_json::from_slice(line) {
            columns.flatten("", &object, &mut Vec::new());
        }
        left -= 1;
        if left == 0 { std::ops::ControlFlow::Break(()) } else { std::ops::ControlFlow::Continue(()) }
    })?;
    Ok(columns.list)
}

pub fn read(source: &Source, sink: &mut Sink<'_>) -> Result<(), SourceError> {
    let mut columns = Columns::of(source.columns());
    lines(source, &mut |line, at| {
        let problem = match serde_json::from_slice::<Value>(line) {
            Ok(Value::Object(object)) => {
                let mut cells = Vec::with_capacity(columns.list.len());
                columns.flatten("", &object, &mut cells);
                cells.resize(columns.list.len(), Cell::Missing);
                return sink(Item::Row { columns: &columns.list, cells: &cells, at });
            }
            Ok(_) => "is no JSON object".to_owned(),
            Err(_) if line.len() as u64 >= LINE_BYTES_MAX => format!("is longer than {LINE_BYTES_MAX} bytes"),
            Err(error) => format!("is no JSON: {error}"),
        };
        sink(Item::Bad { at, problem })
    })
}

/// Hands over each line that is not blank.
fn lines(
    source: &Source,
    sink: &mut dyn FnMut(&[u8], At) -> std::ops::ControlFlow<()>,
) -> Result<(), SourceError> {
    let mut reader = BufReader::new(source.file()?);
    let mut line = Vec::new();
    let mut at = At { number: 0, bytes: 0 };
    loop {
        line.clear();
        let read = reader.by_ref().take(LINE_BYTES_MAX).read_until(b'\n', &mut line);
        let read = read.map_err(|error| source.io(error))? as u64;
        if read == 0 {
            return Ok(());
        }
        at = At { number: at.number + 1, bytes: at.bytes + read };
        if line.len() as u64 >= LINE_BYTES_MAX && line.last() != Some(&b'\n') {
            at.bytes += reader.skip_until(b'\n').map_err(|error| source.io(error))? as u64;
        }
        if !line.trim_ascii().is_empty() && sink(&line, at).is_break() {
            return Ok(());
        }
    }
}
